"""Messages of any size, and the steps that a client in this folder is told.

A step is a line of input. "echo KIND SIZE" sends a message of so many bytes and expects it back; it prints "same KIND
SIZE", or what is wrong. "echo KIND SIZE FRAGMENTS" sends it in so many fragments, with a ping between each two.
"""

import asyncio
import random
import sys

# More than the largest window, so that no repetition of it is found; and odd, so that its boundaries fall together with
# none of masks or buffers.
BLOCK = 61_001


def text_block():
    chance = random.Random(1)
    names = ("Zoë", "你好", "🎈", "plain")
    text = ""
    while len(text) < BLOCK:
        text += f'{{"n":{chance.randrange(10**9)},"name":"{chance.choice(names)}"}},'
    return text.encode()


def binary_block():
    """Half of it can be compressed."""
    half = BLOCK // 2
    return random.Random(2).randbytes(half) + bytes(BLOCK - half)


BLOCKS = {"text": text_block(), "binary": binary_block()}


def payload(kind, size):
    """So many bytes; those of a text are UTF-8, for a character that is cut at the end gives way to dots."""
    block = BLOCKS[kind]
    data = (block * (size // len(block) + 1))[:size]
    return data.decode(errors="ignore").encode().ljust(size, b".") if kind == "text" else data


def fragments(data, count):
    """In so many pieces, cut where it falls."""
    size = -(-len(data) // count) or 1
    return [data[at * size : (at + 1) * size] for at in range(count)]


async def steps():
    """The lines of input, as (kind, size, fragments)."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        _, kind, size, *fragments = line.split()
        yield kind, int(size), int(fragments[0]) if fragments else 1


def say(*words):
    print(*words, flush=True)


def judge(kind, sent, came):
    """Says whether what came is what was sent; text comes as `str`."""
    came_kind = "text" if isinstance(came, str) else "binary"
    came = came.encode() if isinstance(came, str) else came
    if (came_kind, came) == (kind, sent):
        say("same", kind, len(sent))
    else:
        say("differs:", kind, len(sent), "was sent,", came_kind, len(came), "came")
