"""A server on Python's websockets: an echo, or with --fan one that sends what comes to all."""

import argparse
import asyncio

from websockets.asyncio.server import broadcast, serve
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--deflate", action="store_true")
    parser.add_argument("--fan", action="store_true")
    options = parser.parse_args()
    clients = set()

    async def client(socket):
        clients.add(socket)
        try:
            async for message in socket:
                if options.fan:
                    broadcast(clients, message)
                else:
                    await socket.send(message)
        except ConnectionClosed:
            pass
        finally:
            clients.discard(socket)

    extensions = None
    if options.deflate:
        factory = ServerPerMessageDeflateFactory(
            server_no_context_takeover=True, client_no_context_takeover=True
        )
        extensions = [factory]
    async with serve(
        client,
        "127.0.0.1",
        options.port,
        compression=None,
        extensions=extensions,
        max_size=64 * 1024 * 1024,
        backlog=4096,
    ):
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
