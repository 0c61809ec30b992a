// Messages of any size, as payload.py makes them, and `ws`, which is looked up in the folder named by
// WIRETALK_NODE_PATH, since Node gives ES modules no search path.

import { createRequire } from "node:module";
import { join } from "node:path";

const nodePath = process.env.WIRETALK_NODE_PATH;
if (!nodePath) throw new Error("WIRETALK_NODE_PATH is not set");
export const WebSocket = createRequire(join(nodePath, "resolve-from-here.js"))("ws");

// More than the largest window, and odd: see payload.py.
const BLOCK = 61_001;

let seed = 1;
// Of the numerical recipes; which numbers they are is all the same.
const chance = () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0);

function textBlock() {
  const names = ["Zoë", "你好", "🎈", "plain"];
  let text = "";
  while (text.length < BLOCK) text += `{"n":${chance()},"name":"${names[chance() >>> 30]}"},`;
  return Buffer.from(text);
}

function binaryBlock() {
  const block = Buffer.alloc(BLOCK);
  for (let at = 0; at < BLOCK / 2; at++) block[at] = chance() >>> 24;
  return block;
}

const blocks = { text: textBlock(), binary: binaryBlock() };

// So many bytes; those of a text are UTF-8, for a character that is cut at the end gives way to dots.
export function payload(kind, size) {
  const data = Buffer.alloc(size, blocks[kind]);
  if (kind === "text") {
    let end = size;
    while (end > 0 && (data[end - 1] & 0xc0) === 0x80) end--;
    // Before `end` there is the first byte of the last character.
    const first = data[end - 1];
    const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (size > 0 && end - 1 + length > size) data.fill(".", end - 1);
  }
  return data;
}

// In so many pieces, cut where it falls, with a ping between each two.
export function send(socket, data, { binary, count }) {
  if (count === 1) return socket.send(data, { binary });
  const size = Math.ceil(data.length / count);
  for (let at = 0; at < count; at++) {
    if (at > 0) socket.ping();
    socket.send(data.subarray(at * size, (at + 1) * size), { binary, fin: at === count - 1 });
  }
}

// Options of `ws` from the names of RFC 7692.
export function perMessageDeflate(json) {
  if (json === undefined) return false;
  const named = JSON.parse(json);
  return {
    threshold: 0,
    serverNoContextTakeover: named.server_no_context_takeover,
    clientNoContextTakeover: named.client_no_context_takeover,
    serverMaxWindowBits: named.server_max_window_bits,
    clientMaxWindowBits: named.client_max_window_bits,
  };
}

export const say = (...words) => process.stdout.write(`${words.join(" ")}\n`);
