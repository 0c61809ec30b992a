"""A WebSocket client on Python's `websockets`: a line of input is a message, a message is a line of output.

Prints "open SUBPROTOCOL", "recv: TEXT" (a line break is shown as \\n), "recv hex: BYTES", and at the end
"closed CODE REASON", or "failed KIND DETAIL" if the connection could not be opened. Lines that start with a slash are
commands: /close CODE REASON, /ping TEXT, /hex BYTES. At the end of input the connection is closed with 1000.
"""

import argparse
import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus


async def stdin_lines():
    reader = asyncio.StreamReader(limit=2**26)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line.decode().removesuffix("\n")


async def send_input(websocket):
    async for line in stdin_lines():
        command, _, rest = line.partition(" ")
        if command == "/close":
            code, _, reason = rest.partition(" ")
            return await websocket.close(int(code or 1000), reason)
        if command == "/ping":
            await (await websocket.ping(rest))
            print("pong", flush=True)
        elif command == "/hex":
            await websocket.send(bytes.fromhex(rest))
        else:
            await websocket.send(line)
    await websocket.close()


async def print_messages(websocket):
    async for message in websocket:
        if isinstance(message, str):
            shown = message.replace("\n", "\\n")
            print(f"recv: {shown}", flush=True)
        else:
            print(f"recv hex: {message.hex()}", flush=True)


async def talk(options):
    headers = [tuple(part.strip() for part in header.split(":", 1)) for header in options.header]
    async with connect(
        options.url,
        additional_headers=headers,
        origin=options.origin,
        subprotocols=options.subprotocol or None,
        open_timeout=options.open_timeout,
        proxy=None,
    ) as websocket:
        print(f"open {websocket.subprotocol or ''}".rstrip(), flush=True)
        sending = asyncio.create_task(send_input(websocket))
        try:
            await print_messages(websocket)
        except ConnectionClosed:
            pass
        await websocket.wait_closed()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        code = 1006 if websocket.close_code is None else websocket.close_code
        print(f"closed {code} {websocket.close_reason or ''}".rstrip(), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--header", action="append", default=[], metavar="NAME: VALUE")
    parser.add_argument("--origin")
    parser.add_argument("--subprotocol", action="append")
    parser.add_argument("--open-timeout", type=float, default=10)
    options = parser.parse_args()
    try:
        asyncio.run(talk(options))
    except InvalidStatus as error:
        sys.exit(f"failed status {error.response.status_code}")
    except InvalidHandshake as error:
        sys.exit(f"failed handshake {error}")
    except TimeoutError:
        sys.exit("failed timeout")
    except OSError as error:
        sys.exit(f"failed connect {error}")


if __name__ == "__main__":
    main()
