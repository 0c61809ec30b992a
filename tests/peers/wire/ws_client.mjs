// A client on Node's `ws` that sends messages and expects them back. Speaks as websockets_client.py does.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { once } from "node:events";
import { parseArgs } from "node:util";

import { WebSocket, payload, perMessageDeflate, say, send } from "./payload.mjs";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { deflate: { type: "string" }, ca: { type: "string" } },
});

const socket = new WebSocket(positionals[0], {
  perMessageDeflate: perMessageDeflate(options.deflate),
  maxPayload: 0,
  ca: options.ca && readFileSync(options.ca),
});
let pongs = 0;
socket.on("pong", () => pongs++);
let agreed = "";
socket.on("upgrade", (response) => (agreed = response.headers["sec-websocket-extensions"] ?? ""));
await once(socket, "open");
say("open", agreed);

for await (const line of createInterface({ input: process.stdin })) {
  const [, kind, size, fragments] = line.split(" ");
  const sent = payload(kind, Number(size));
  const count = Number(fragments ?? 1);
  pongs = 0;
  send(socket, sent, { binary: kind === "binary", count });
  const [came, isBinary] = await once(socket, "message");
  while (pongs < count - 1) await once(socket, "pong");
  const cameKind = isBinary ? "binary" : "text";
  if (cameKind === kind && came.equals(sent)) say("same", kind, sent.length);
  else say("differs:", kind, sent.length, "was sent,", cameKind, came.length, "came");
}
socket.close(1000);
const [code] = await once(socket, "close");
say("closed", code);
