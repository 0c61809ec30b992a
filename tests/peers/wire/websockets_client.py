"""A client on Python's `websockets` that sends messages and expects them back: see payload.py.

Prints "open EXTENSIONS", what the server agreed to, and "closed CODE" once the input has ended and it has closed.
"""

import argparse
import asyncio
import json
import ssl

from payload import fragments, judge, payload, say, steps
from websockets.asyncio.client import connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory


async def send(websocket, kind, data, count):
    """In so many fragments, with a ping between each two, whose pongs are waited for."""
    if count == 1:
        return await websocket.send(data, text=kind == "text")
    pongs = []

    async def pieces():
        first, *rest = fragments(data, count)
        yield first
        for piece in rest:
            pongs.append(await websocket.ping())
            yield piece

    await websocket.send(pieces(), text=kind == "text")
    await asyncio.gather(*pongs)


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--deflate", type=json.loads, metavar="JSON", help="offer this")
    parser.add_argument("--ca", help="the certificate to trust")
    options = parser.parse_args()
    extensions = None if options.deflate is None else [ClientPerMessageDeflateFactory(**options.deflate)]
    async with connect(
        options.url,
        extensions=extensions,
        compression=None,
        max_size=None,
        ping_interval=None,
        proxy=None,
        ssl=ssl.create_default_context(cafile=options.ca) if options.ca else None,
    ) as websocket:
        say("open", websocket.response.headers.get("Sec-WebSocket-Extensions", ""))
        async for kind, size, count in steps():
            data = payload(kind, size)
            await send(websocket, kind, data, count)
            judge(kind, data, await websocket.recv())
    say("closed", websocket.close_code)


asyncio.run(main())
