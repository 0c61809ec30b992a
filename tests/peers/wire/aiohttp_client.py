"""A client on `aiohttp` that sends messages and expects them back: see payload.py.

Speaks as websockets_client.py does; it cannot send fragments, and of `--deflate` it knows `server_max_window_bits`.
"""

import argparse
import asyncio
import json
import ssl

import aiohttp
from payload import judge, payload, say, steps


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--deflate", type=json.loads, metavar="JSON", help="offer this")
    parser.add_argument("--ca", help="the certificate to trust")
    options = parser.parse_args()
    compress = 0 if options.deflate is None else options.deflate.get("server_max_window_bits", 15)
    tls = ssl.create_default_context(cafile=options.ca) if options.ca else True
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(options.url, compress=compress, max_msg_size=0, ssl=tls) as websocket,
    ):
        say("open", websocket._response.headers.get("Sec-WebSocket-Extensions", ""))
        async for kind, size, _ in steps():
            data = payload(kind, size)
            if kind == "text":
                await websocket.send_str(data.decode())
                judge(kind, data, await websocket.receive_str())
            else:
                await websocket.send_bytes(data)
                judge(kind, data, await websocket.receive_bytes())
        await websocket.close()
        say("closed", websocket.close_code)


asyncio.run(main())
