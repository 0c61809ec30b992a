// WebSocket over HTTP/2 (RFC 8441) on Node's `http2`, which knows nothing of WebSocket, and `ws`, which knows nothing of
// HTTP/2: a client and a server.
//
//   node http2.mjs serve CERT KEY echo|disabled|refused|forbidden|goaway
//     prints `listening on wss://127.0.0.1:PORT/`, and per connection how it was asked; echoes. `disabled` does not say
//     that it takes an extended CONNECT, and takes HTTP/1.1; `refused` resets the stream, `forbidden` answers 403,
//     `goaway` ends the connection.
//   node http2.mjs dial URL SUBPROTOCOL…
//     opens a WebSocket for each subprotocol on one connection, has a message echoed over each, and tells of it.

import { readFileSync } from "node:fs";
import http2 from "node:http2";
import { createRequire } from "node:module";
import { join } from "node:path";

const nodePath = process.env.WIRETALK_NODE_PATH;
if (!nodePath) throw new Error("WIRETALK_NODE_PATH is not set");
const WebSocket = createRequire(join(nodePath, "resolve-from-here.js"))("ws");

const say = (line) => process.stdout.write(`${line}\n`);

// A WebSocket of `ws` on a stream that is open already.
const over = (stream, isServer) => {
  const socket = new WebSocket(null, undefined, {});
  socket._isServer = isServer;
  // What `ws` expects of a TCP socket.
  stream.setNoDelay = () => {};
  socket.setSocket(stream, Buffer.alloc(0), { maxPayload: 64 << 20, skipUTF8Validation: false });
  return socket;
};

const echo = (socket) => socket.on("message", (data, binary) => socket.send(data, { binary }));

function serve(cert, key, mode) {
  const server = http2.createSecureServer({
    cert: readFileSync(cert),
    key: readFileSync(key),
    allowHTTP1: true,
    settings: { enableConnectProtocol: mode !== "disabled" },
  });
  server.on("stream", (stream, headers) => {
    const asked = [":method", ":protocol", ":scheme", ":path", "sec-websocket-version", "sec-websocket-key", "upgrade"];
    say(`stream ${asked.map((name) => headers[name] ?? "-").join(" ")}`);
    stream.on("error", (error) => say(`stream ended: ${error.code}`));
    if (mode === "refused") return stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
    if (mode === "goaway") return stream.session.destroy(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
    if (mode === "forbidden") {
      stream.respond({ ":status": 403, why: "because" });
      return stream.end("not for you");
    }
    if (headers[":protocol"] !== "websocket") {
      stream.respond({ ":status": 404 });
      return stream.end();
    }
    const [chosen] = (headers["sec-websocket-protocol"] ?? "").split(", ");
    stream.respond({ ":status": 200, ...(chosen && { "sec-websocket-protocol": chosen }) });
    const socket = over(stream, true);
    socket.on("close", (code) => say(`closed ${code}`));
    echo(socket);
  });
  const http1 = new WebSocket.Server({ noServer: true });
  server.on("upgrade", (request, tcp, head) => {
    say(`upgrade HTTP/${request.httpVersion}`);
    http1.handleUpgrade(request, tcp, head, echo);
  });
  server.listen(0, "127.0.0.1", () => say(`listening on wss://127.0.0.1:${server.address().port}/`));
}

function dial(url, subprotocols) {
  const session = http2.connect(url, { rejectUnauthorized: false });
  session.on("error", (error) => say(`session failed: ${error.message}`));
  session.once("remoteSettings", ({ enableConnectProtocol }) => {
    say(`extended CONNECT: ${enableConnectProtocol}`);
    const page = session.request({ ":path": "/" });
    page.on("response", (headers) => say(`page ${headers[":status"]}`));
    page.resume();
    let open = subprotocols.length;
    for (const subprotocol of subprotocols) {
      const stream = session.request({
        ":method": "CONNECT",
        ":protocol": "websocket",
        ":path": "/",
        "sec-websocket-version": "13",
        ...(subprotocol !== "none" && { "sec-websocket-protocol": subprotocol }),
      });
      stream.on("error", (error) => say(`stream failed: ${error.code}`));
      stream.on("response", (headers) => {
        say(`${subprotocol}: ${headers[":status"]} ${headers["sec-websocket-protocol"] ?? "-"}`);
        const socket = over(stream, false);
        const sent = Buffer.alloc(300_000, subprotocol);
        socket.on("message", (data) => {
          say(`${subprotocol}: ${data.equals(sent) ? "the same came back" : "something else came back"}`);
          socket.close(1000);
        });
        // The code says nothing: `ws` on a client's stream tells of 1006 whichever server it was, Node's own, too.
        socket.on("close", () => {
          say(`${subprotocol}: closed`);
          open -= 1;
          if (open === 0) session.close();
        });
        socket.send(sent);
      });
    }
  });
}

const [command, ...rest] = process.argv.slice(2);
if (command === "serve") serve(...rest);
else dial(rest[0], rest.slice(1));
