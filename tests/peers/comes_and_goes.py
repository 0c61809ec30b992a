"""A WebSocket server on Python's `websockets` that comes and goes, as the lines on its standard input say:

refuse       from now on it answers handshakes with 503, and prints "refused MILLISECONDS", of a clock of its own
accept       from now on it accepts clients, and prints "connected"
send TEXT    sends a message to all clients
close CODE   closes the connections to all clients
drop         ends them without a close frame
leave        does that, and listens no more
come         listens again, at the same port

It prints "listening on PORT" whenever it does, "left" when it does not any more, "recv: TEXT", and "closed CODE" as it saw it. It begins by
accepting, and ends when its standard input does.
"""

import asyncio
import sys
import time

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


def say(text):
    print(text, flush=True)


async def main():
    clients = set()
    accepting = True

    def judge(connection, request):
        if accepting:
            return None
        say(f"refused {int(time.monotonic() * 1000)}")
        return connection.respond(503, "not now\n")

    async def client(websocket):
        clients.add(websocket)
        say("connected")
        try:
            async for message in websocket:
                say(f"recv: {message}")
        except ConnectionClosed:
            pass
        clients.discard(websocket)
        say(f"closed {websocket.close_code}")

    async def listen(port):
        server = await serve(client, "127.0.0.1", port, process_request=judge)
        say(f"listening on {server.sockets[0].getsockname()[1]}")
        return server, server.sockets[0].getsockname()[1]

    server, port = await listen(0)
    while line := await asyncio.to_thread(sys.stdin.readline):
        match line.rstrip("\n").split(" ", 1):
            case ["refuse"]:
                accepting = False
            case ["accept"]:
                accepting = True
            case ["send", text]:
                for websocket in list(clients):
                    await websocket.send(text)
            case ["close", code]:
                for websocket in list(clients):
                    await websocket.close(int(code))
            case ["drop"]:
                for websocket in list(clients):
                    websocket.transport.abort()
            case ["leave"]:
                server.close(close_connections=False)
                for websocket in list(clients):
                    websocket.transport.abort()
                await server.wait_closed()
                say("left")
            case ["come"]:
                server, port = await listen(port)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
