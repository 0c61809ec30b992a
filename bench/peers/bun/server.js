// A server in Bun: an echo, or with --fan one that sends what comes to all.

const options = process.argv.slice(2);
const port = Number(options[options.indexOf("--port") + 1]);
const deflate = options.includes("--deflate");
const fan = options.includes("--fan");
if (options.includes("--tls")) {
  console.error("this peer has no --tls");
  process.exit(1);
}

const server = Bun.serve({
  hostname: "127.0.0.1",
  port,
  fetch(request, server) {
    return server.upgrade(request) ? undefined : new Response("no upgrade", { status: 426 });
  },
  websocket: {
    maxPayloadLength: 64 * 1024 * 1024,
    backpressureLimit: 128 * 1024 * 1024,
    perMessageDeflate: deflate ? { compress: "shared", decompress: "shared" } : false,
    open(socket) {
      if (fan) {
        socket.subscribe("all");
      }
    },
    message(socket, message) {
      if (fan) {
        server.publish("all", message, deflate);
      } else {
        socket.send(message, deflate);
      }
    },
  },
});
