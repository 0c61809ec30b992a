"""A server on `aiohttp` that sends back every message.

Speaks as websockets_server.py does; of `--deflate` it only knows whether it is there.
"""

import argparse
import asyncio
import ssl
import sys

from aiohttp import WSMsgType, web
from payload import say


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deflate", metavar="JSON", help="agree to it")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    options = parser.parse_args()
    tls = None
    if options.cert:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.cert, options.key)

    async def websocket(request):
        socket = web.WebSocketResponse(compress=options.deflate is not None, max_msg_size=0)
        await socket.prepare(request)
        say("connected", socket.headers.get("Sec-WebSocket-Extensions", ""))
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                await socket.send_str(message.data)
            elif message.type == WSMsgType.BINARY:
                await socket.send_bytes(message.data)
        say("closed", socket.close_code)
        return socket

    app = web.Application()
    app.router.add_get("/", websocket)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=0.1, ssl_context=tls).start()
    scheme = "wss" if tls else "ws"
    say("listening on", f"{scheme}://127.0.0.1:{runner.addresses[0][1]}/")
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


asyncio.run(main())
