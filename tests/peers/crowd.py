"""Clients of a job queue: python crowd.py URL CLIENTS MESSAGES

Each client sends all its messages at once, as JSON, and last one that is none; then it reads the answers, which must
come in its own order. Prints "processed COUNT in SECONDS", or what came instead.
"""

import asyncio
import json
import sys
import time

from websockets.asyncio.client import connect


async def client(url, number, messages, start):
    async with connect(url, proxy=None, open_timeout=60) as websocket:
        await start.wait()
        jobs = [{"client": number, "job": job, "text": "Zoë \"你好\""} for job in range(messages)]
        for job in jobs:
            await websocket.send(json.dumps(job))
        await websocket.send("{'no': JSON}")
        expected = [{"status": "processed", "data": job} for job in jobs] + [{"error": "Invalid JSON"}]
        for answer in expected:
            came = json.loads(await websocket.recv())
            if came != answer:
                sys.exit(f"client {number} got {came} in place of {answer}")


async def main():
    url, clients, messages = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    # All at once only when all are there, so that the time is that of the work.
    start = asyncio.Barrier(clients + 1)
    crowd = [asyncio.create_task(client(url, number, messages, start)) for number in range(clients)]
    await start.wait()
    began = time.monotonic()
    await asyncio.gather(*crowd)
    print(f"processed {clients * messages} in {time.monotonic() - began:.2f}", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
