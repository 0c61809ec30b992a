// A server on Node's ws: an echo, or with --fan one that sends what comes to all.

const { WebSocketServer } = require("ws");

const options = process.argv.slice(2);
const port = Number(options[options.indexOf("--port") + 1]);
const deflate = options.includes("--deflate");
const fan = options.includes("--fan");
if (options.includes("--tls")) {
  console.error("this peer has no --tls");
  process.exit(1);
}

const server = new WebSocketServer({
  host: "127.0.0.1",
  port,
  backlog: 4096,
  maxPayload: 64 * 1024 * 1024,
  perMessageDeflate: deflate
    ? { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 0 }
    : false,
});

server.on("connection", (socket) => {
  socket.on("error", () => {});
  socket.on("message", (data, binary) => {
    if (fan) {
      for (const client of server.clients) {
        client.send(data, { binary });
      }
    } else {
      socket.send(data, { binary });
    }
  });
});
