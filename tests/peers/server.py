"""A WebSocket server on Python's `websockets` that answers each message, one way per mode.

It prints "listening on PORT" once it does, or with --unix "listening on ws+unix://PATH:/"; "connected SUBPROTOCOL", and "closed CODE REASON" as it saw it. It ends when
its standard input does.
"""

import argparse
import asyncio
import sys

from websockets.asyncio.server import serve, unix_serve
from websockets.exceptions import ConnectionClosed

MODES = {
    "echo": "sends it back",
    "later": "sends it back after --delay",
    "error": "closes with 1011",
    "newline": "sends a message of two lines",
}


async def answer(websocket, message, options):
    match options.mode:
        case "echo":
            await websocket.send(message)
        case "later":
            await asyncio.sleep(options.delay)
            await websocket.send(message)
        case "error":
            await websocket.close(1011, "out of order")
        case "newline":
            await websocket.send("first\nsecond")


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", choices=MODES, help="; ".join(f"{mode}: {what}" for mode, what in MODES.items()))
    parser.add_argument("--delay", type=float, default=0.3, help="seconds, for the mode later")
    parser.add_argument("--subprotocol", action="append")
    parser.add_argument("--unix", metavar="PATH", help="listen on a Unix socket")
    options = parser.parse_args()

    async def client(websocket):
        print(f"connected {websocket.subprotocol or ''}".rstrip(), flush=True)
        try:
            async for message in websocket:
                await answer(websocket, message, options)
        except ConnectionClosed:
            pass
        code = 1006 if websocket.close_code is None else websocket.close_code
        print(f"closed {code} {websocket.close_reason or ''}".rstrip(), flush=True)

    settings = {"subprotocols": options.subprotocol, "max_size": None}
    if options.unix:
        listening = unix_serve(client, options.unix, **settings)
    else:
        listening = serve(client, "127.0.0.1", 0, **settings)
    async with listening as server:
        address = server.sockets[0].getsockname()
        print(f"listening on {f'ws+unix://{address}:/' if options.unix else address[1]}", flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
