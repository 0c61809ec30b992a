"""A server on Python's `websockets` that sends back every message.

Prints "listening on PORT" or, over TLS, "listening on URL"; "connected EXTENSIONS", what it agreed to; and "closed
CODE". It ends when its standard input does.
"""

import argparse
import asyncio
import json
import ssl
import sys

from payload import fragments, say
from websockets.asyncio.server import serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory


async def answer(websocket, message, count):
    """In so many fragments, with a ping between each two, whose pongs are waited for."""
    if count == 1:
        return await websocket.send(message)
    pongs = []
    text = isinstance(message, str)

    async def pieces():
        first, *rest = fragments(message.encode() if text else message, count)
        yield first
        for piece in rest:
            pongs.append(await websocket.ping())
            yield piece

    await websocket.send(pieces(), text=text)
    await asyncio.gather(*pongs)


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deflate", type=json.loads, metavar="JSON", help="agree to this")
    parser.add_argument("--fragments", type=int, default=1)
    parser.add_argument("--cert")
    parser.add_argument("--key")
    options = parser.parse_args()
    tls = None
    if options.cert:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.cert, options.key)

    async def client(websocket):
        say("connected", websocket.response.headers.get("Sec-WebSocket-Extensions", ""))
        async for message in websocket:
            await answer(websocket, message, options.fragments)
        say("closed", websocket.close_code)

    async with serve(
        client,
        "127.0.0.1",
        0,
        extensions=None if options.deflate is None else [ServerPerMessageDeflateFactory(**options.deflate)],
        compression=None,
        max_size=None,
        ping_interval=None,
        ssl=tls,
    ) as server:
        scheme = "wss" if tls else "ws"
        say("listening on", f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        await asyncio.to_thread(sys.stdin.read)


asyncio.run(main())
