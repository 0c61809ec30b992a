// A WebSocket client on Node's `ws`: a line of input is a message, a message is a line of output.
//
// Speaks as client.py does, to the letter. `ws` is looked up in the folder named by WIRETALK_NODE_PATH, since Node gives
// ES modules no search path.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { parseArgs } from "node:util";

const nodePath = process.env.WIRETALK_NODE_PATH;
if (!nodePath) throw new Error("WIRETALK_NODE_PATH is not set");
const WebSocket = createRequire(join(nodePath, "resolve-from-here.js"))("ws");

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    header: { type: "string", multiple: true, default: [] },
    origin: { type: "string" },
    subprotocol: { type: "string", multiple: true, default: [] },
  },
});
const headers = Object.fromEntries(
  options.header.map((header) => {
    const colon = header.indexOf(":");
    return [header.slice(0, colon).trim(), header.slice(colon + 1).trim()];
  }),
);

const say = (line) => process.stdout.write(`${line}\n`);
let failed = false;
const fail = (line) => {
  failed = true;
  process.exitCode = 1;
  process.stderr.write(`${line}\n`);
};

const socket = new WebSocket(positionals[0], options.subprotocol, { headers, origin: options.origin });

socket.on("open", () => {
  say(`open ${socket.protocol}`.trimEnd());
  const input = createInterface({ input: process.stdin });
  input.on("line", perform);
  input.on("close", () => socket.close(1000));
  socket.on("close", () => {
    input.close();
    process.stdin.destroy();
  });
});
socket.on("message", (data, isBinary) =>
  say(isBinary ? `recv hex: ${data.toString("hex")}` : `recv: ${data.toString().replaceAll("\n", "\\n")}`),
);
socket.on("pong", () => say("pong"));
socket.on("unexpected-response", (_request, response) => {
  fail(`failed status ${response.statusCode}`);
  socket.terminate();
});
socket.on("error", (error) => {
  if (!failed) fail(`failed ${error.code ?? "handshake"} ${error.message}`);
});
socket.on("close", (code, reason) => {
  if (!failed) say(`closed ${code} ${reason}`.trimEnd());
});

function perform(line) {
  const [command, ...rest] = line.split(" ");
  if (command === "/close") socket.close(Number(rest[0] ?? 1000), rest.slice(1).join(" "));
  else if (command === "/ping") socket.ping(rest.join(" "));
  else if (command === "/hex") socket.send(Buffer.from(rest.join(""), "hex"));
  else socket.send(line);
}
