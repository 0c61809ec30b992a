"""An aiohttp server that answers text T with "Message text was: T", and the text "close" with a close frame.

Besides doing it right it can be late, wrong, eager or mute, which is what a test of a tester needs. It prints
"listening on PORT" once it does, and what it sees; it ends when its standard input does.
"""

import argparse
import asyncio
import sys

from aiohttp import WSMsgType, web

MODES = {
    "right": "answers at once",
    "late": "answers after --delay",
    "wrong": "answers with another text",
    "twice": "answers two times",
    "silent": "answers nothing, but still closes when asked to",
}


async def answer(socket, text, options):
    reply = f"Message text was: {text}"
    match options.mode:
        case "right":
            await socket.send_str(reply)
        case "late":
            await asyncio.sleep(options.delay)
            await socket.send_str(reply)
        case "wrong":
            await socket.send_str(f"Message text is: {text}")
        case "twice":
            await socket.send_str(reply)
            await socket.send_str(reply)
        case "silent":
            pass


def handler(options):
    async def websocket(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        print("connected", flush=True)
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                print(f"recv: {message.data}", flush=True)
                if message.data == "close":
                    await socket.close()
                else:
                    await answer(socket, message.data, options)
        print(f"closed {socket.close_code}", flush=True)
        return socket

    return websocket


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", choices=MODES, default="right", help="; ".join(f"{k}: {v}" for k, v in MODES.items()))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=1.5, help="seconds, for --mode late")
    options = parser.parse_args()

    app = web.Application()
    app.router.add_get("/ws", handler(options))
    app.router.add_get("/", lambda request: web.Response(text="the WebSocket is at /ws"))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", options.port, shutdown_timeout=0.1).start()
    print(f"listening on {runner.addresses[0][1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
