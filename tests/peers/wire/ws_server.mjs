// A server on Node's `ws` that sends back every message. Speaks as websockets_server.py does.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { parseArgs } from "node:util";

import { WebSocket, perMessageDeflate, say, send } from "./payload.mjs";

const { values: options } = parseArgs({
  options: {
    deflate: { type: "string" },
    fragments: { type: "string", default: "1" },
    cert: { type: "string" },
    key: { type: "string" },
  },
});
const count = Number(options.fragments);

const http = options.cert
  ? createTlsServer({ cert: readFileSync(options.cert), key: readFileSync(options.key) })
  : createServer();
const server = new WebSocket.Server({
  server: http,
  perMessageDeflate: perMessageDeflate(options.deflate),
  maxPayload: 0,
});
let agreed = "";
server.on("headers", (headers) => {
  const name = "sec-websocket-extensions: ";
  agreed = headers.find((line) => line.toLowerCase().startsWith(name))?.slice(name.length) ?? "";
});
server.on("connection", (socket) => {
  say("connected", agreed);
  socket.on("message", (data, isBinary) => send(socket, data, { binary: isBinary, count }));
  socket.on("close", (code) => say("closed", code));
});
http.listen(0, "127.0.0.1", () => {
  const scheme = options.cert ? "wss" : "ws";
  say("listening on", `${scheme}://127.0.0.1:${http.address().port}/`);
});
process.stdin.on("end", () => process.exit(0)).resume();
