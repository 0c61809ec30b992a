"""A client that sends a small compressed message, and then one of a megabyte that inflates to a gigabyte.

Prints "echoed N bytes, compressed" or "echoed N bytes, plain" for the first, "bomb of N bytes" for the other, and
"closed CODE", 1006 if no close frame comes.
"""

import asyncio
import struct
import sys
import zlib

MEBIBYTE = 2**20
HANDSHAKE = (
    "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)


def deflate(data):
    compressor = zlib.compressobj(9, wbits=-15)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def bomb():
    """A gigabyte of zeros. Behind a full flush the same bytes mean the same again, so a part will do."""
    compressor = zlib.compressobj(9, wbits=-15)
    part = compressor.compress(bytes(64 * MEBIBYTE)) + compressor.flush(zlib.Z_FULL_FLUSH)
    return (part * 16)[:-4]


def frame(payload):
    """A compressed binary message, with a mask that changes nothing."""
    length = len(payload)
    if length < 126:
        head = struct.pack("!BB", 0xC2, 0x80 | length)
    elif length < 65536:
        head = struct.pack("!BBH", 0xC2, 0x80 | 126, length)
    else:
        head = struct.pack("!BBQ", 0xC2, 0x80 | 127, length)
    return head + bytes(4) + payload


async def read_frame(reader):
    first, second = await reader.readexactly(2)
    length = second
    if length == 126:
        (length,) = struct.unpack("!H", await reader.readexactly(2))
    elif length == 127:
        (length,) = struct.unpack("!Q", await reader.readexactly(8))
    return first, await reader.readexactly(length)


async def main():
    reader, writer = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]))
    writer.write(HANDSHAKE.encode())
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101 ") or b"permessage-deflate" not in head:
        sys.exit(f"failed: {head.decode()}")

    honest = b"over and over again, " * 1000
    writer.write(frame(deflate(honest)))
    first, payload = await read_frame(reader)
    compressed = first == 0xC2
    came = zlib.decompressobj(wbits=-15).decompress(payload + b"\0\0\xff\xff") if compressed else payload
    if came != honest:
        sys.exit(f"failed: {first:#x} {len(came)} bytes came back")
    print(f"echoed {len(payload)} bytes,", "compressed" if compressed else "plain", flush=True)

    data = frame(bomb())
    print("bomb of", len(data), "bytes", flush=True)
    writer.write(data)
    code = 1006
    try:
        while code == 1006:
            first, payload = await read_frame(reader)
            if first == 0x88:
                (code,) = struct.unpack("!H", payload[:2])
    except (asyncio.IncompleteReadError, OSError):
        pass
    print("closed", code, flush=True)
    writer.transport.abort()


asyncio.run(main())
