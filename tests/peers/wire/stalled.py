"""Very many clients that begin a frame and stop, and see how they are closed.

Prints "open N" once all have done their handshakes. A line of input lets each send the beginning of a message, one of
those that the arguments name, in turn. Then it prints "stalled N". When all are closed it prints "closed CODE N" for each code, and "after A to B seconds" from what each had sent.
"""

import argparse
import asyncio
import resource
import struct
import sys
import time
import zlib
from collections import Counter

HANDSHAKE = (
    "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
).encode()
# At most so many handshakes at a time, which a listening socket has room for.
AT_ONCE = 200

MASK = bytes(4)
compressor = zlib.compressobj(wbits=-15)
COMPRESSED = compressor.compress(bytes(range(256)) * 4) + compressor.flush(zlib.Z_SYNC_FLUSH)
BEGINNINGS = {
    # Of a message of 1 MiB, not even the length is complete.
    "header": b"\x82\xff" + bytes(3),
    # Of its payload there is but half a kilobyte.
    "payload": b"\x82\xff" + struct.pack("!Q", 2**20) + MASK + b"x" * 512,
    # The first fragment, and nothing more.
    "fragment": b"\x02\xfe" + struct.pack("!H", 512) + MASK + b"x" * 512,
    "compressed": b"\xc2\xff" + struct.pack("!Q", 2**20) + MASK + COMPRESSED[:512],
}


class Client(asyncio.Protocol):
    def __init__(self):
        loop = asyncio.get_running_loop()
        self.open, self.closed = loop.create_future(), loop.create_future()
        self.came = b""
        self.stalled = 0

    def connection_made(self, transport):
        self.transport = transport
        transport.write(HANDSHAKE)

    def data_received(self, data):
        self.came += data
        if not self.open.done() and b"\r\n\r\n" in self.came:
            head, _, self.came = self.came.partition(b"\r\n\r\n")
            self.open.set_result(head.startswith(b"HTTP/1.1 101 "))

    def connection_lost(self, error):
        if not self.open.done():
            self.open.set_result(False)
        # Pings may stand before the close frame.
        at = self.came.find(b"\x88")
        code = struct.unpack("!H", self.came[at + 2 : at + 4])[0] if at >= 0 else 1006
        self.closed.set_result((code, time.monotonic() - self.stalled))


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("clients", type=int)
    parser.add_argument("beginning", nargs="+", choices=BEGINNINGS)
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    loop = asyncio.get_running_loop()
    places = asyncio.Semaphore(AT_ONCE)

    async def connect():
        async with places:
            _, client = await loop.create_connection(Client, "127.0.0.1", options.port)
            if not await client.open:
                sys.exit("failed: a handshake was refused")
            return client

    clients = await asyncio.gather(*(connect() for _ in range(options.clients)))
    print("open", len(clients), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for number, client in enumerate(clients):
        client.transport.write(BEGINNINGS[options.beginning[number % len(options.beginning)]])
        client.stalled = time.monotonic()
    print("stalled", len(clients), flush=True)
    closed = await asyncio.gather(*(client.closed for client in clients))
    for code, count in sorted(Counter(code for code, _ in closed).items()):
        print("closed", code, count, flush=True)
    after = [seconds for _, seconds in closed]
    print(f"after {min(after):.3f} to {max(after):.3f} seconds", flush=True)


asyncio.run(main())
