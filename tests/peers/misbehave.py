"""A raw TCP server that breaks the rules of WebSocket, one way per mode, to each client that comes.

It prints "listening on PORT" once it does. Having misbehaved, it reads what the client does about it, and prints
"client closed CODE REASON" for a close frame, or "client gone" if the stream ends without. It ends when its standard
input does.
"""

import argparse
import asyncio
import base64
import hashlib
import socket
import struct
import sys

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
GIANT = 3 * 1024**3


async def http200(request, writer):
    body = b"<h1>Just a web page</h1>\n"
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n\r\n"
    await write(writer, head.encode() + body)


async def hang(request, writer):
    pass


async def badaccept(request, writer):
    await write(writer, upgrade("AAAAAAAAAAAAAAAAAAAAAAAAAAA="))


async def giant(request, writer):
    await write(writer, accepted(request) + b"\x82\x7f" + struct.pack("!Q", GIANT) + b"and no more than this")


async def cut(request, writer):
    await write(writer, accepted(request) + b"\x81\x64" + b"ten bytes.")
    writer.write_eof()


async def utf8(request, writer):
    payload = b"fine so far, then \xff\xfe"
    await write(writer, accepted(request) + bytes([0x81, len(payload)]) + payload)


async def masked(request, writer):
    await write(writer, accepted(request) + b"\x81\x82\x00\x00\x00\x00hi")


async def reset(request, writer):
    await write(writer, accepted(request))
    linger_not = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)
    writer.transport.abort()


MODES = {mode.__name__: mode for mode in (http200, hang, badaccept, giant, cut, utf8, masked, reset)}


def accepted(request):
    key = next(line.split(":", 1)[1].strip() for line in request if line.lower().startswith("sec-websocket-key:"))
    return upgrade(base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode())


def upgrade(accept):
    head = (
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept}",
        "",
        "",
    )
    return "\r\n".join(head).encode()


async def write(writer, data):
    writer.write(data)
    await writer.drain()


async def watch(reader):
    """Reads the client's frames up to its close, or to the end of the stream."""
    while True:
        first, second = await reader.readexactly(2)
        length = second & 0x7F
        if length == 126:
            length = struct.unpack("!H", await reader.readexactly(2))[0]
        elif length == 127:
            length = struct.unpack("!Q", await reader.readexactly(8))[0]
        key = await reader.readexactly(4) if second & 0x80 else bytes(4)
        payload = bytes(byte ^ key[i % 4] for i, byte in enumerate(await reader.readexactly(length)))
        if first & 0x0F == 8:
            code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 1005
            print(f"client closed {code} {payload[2:].decode(errors='replace')}".rstrip(), flush=True)
            return


def handler(misbehave):
    async def client(reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            await misbehave(head.decode("latin-1").split("\r\n"), writer)
            await watch(reader)
        except (asyncio.IncompleteReadError, OSError):
            print("client gone", flush=True)
        finally:
            writer.close()

    return client


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()

    server = await asyncio.start_server(handler(MODES[options.mode]), "127.0.0.1", options.port)
    print(f"listening on {server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
