"""A corpus of conversations, and both sides of each on the wire: by bytes, with a WebSocket that is not ours.

    conversations.py list               prints the corpus: a line of JSON for each conversation
    conversations.py client ORIGIN      plays the client's side of each against a server that has them at `/NAME`: sends,
                                        and holds what comes to the byte; prints `NAME ok` or `NAME: why not`
    conversations.py server             listens, prints `listening on PORT`, and plays the server's side of the
                                        conversation that the path of each client names; prints `NAME ok` or `NAME: why not`

A frame is `>` (from client to server) or `<`, a kind, and a payload in base64; of a close, its code and reason.
"""

import base64
import json
import random
import socket
import sys
import threading

from websockets.client import ClientProtocol
from websockets.frames import Close, Opcode
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

TIMEOUT = 20
LIMIT = 64 * 1024 * 1024


def say(line):
    """One write, as several threads say something."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def text(arrow, payload):
    return (arrow, "text", payload.encode())


def binary(arrow, payload):
    return (arrow, "binary", payload)


def echoed(*payloads):
    """Each said by the client, and said back by the server."""
    return [text(arrow, payload) for payload in payloads for arrow in "><"]


def echoed_bytes(*payloads):
    return [binary(arrow, payload) for payload in payloads for arrow in "><"]


def conversations():
    noise = random.Random(4)
    return {
        "plain": echoed("hello", "Hello, WebSocket!", "how are you"),
        "empty": echoed("", "") + echoed_bytes(b""),
        "json-object": [
            text(">", '{"op":"subscribe","topic":"btc"}'),
            text("<", '{"op":"subscribed","id":7,"ok":true,"none":null}'),
        ],
        "json-array": echoed("[]", "[1,2,[3]]", "{}", '[{"a":[]}]'),
        "json-spaces": echoed('{ "b" : 1 ,  "a":\t2 }', ' {"a":1} ', '[ 1 , 2 ]\t'),
        "json-several-lines": echoed('{\n  "op": "a",\n  "b": [\n    1\n  ]\n}', '[\n]\n'),
        "json-numbers": echoed('{"a":1e400,"b":-0,"c":1.10,"d":12345678901234567890123}', "[0.1,1E5,1e-9]"),
        "json-same-key-twice": echoed('{"a":1,"a":2}'),
        "json-escapes": echoed('{"a":"\\u00e9\\n\\"\\\\","é":"\\ud83d\\ude00"}'),
        "json-dots": echoed('{"a":"..."}', '["...",1]'),
        "almost-json": echoed("{oops", '{"a":1', "[1,2,]", '{"a":...}', "[1, ...]", '{"a":1, ...}', "[...]"),
        "prefixed-json": echoed('42["chat",{"text":"hi"}]', '0{"sid":"x"}', "40", "2probe"),
        "dots": echoed("...", "…", "a ..."),
        "trailing-spaces": echoed("one ", "two  ", "tab\t", "   "),
        "leading-spaces": echoed(" one", "  two", "\ttab"),
        "inner-spaces": echoed("a  b   c", "a\tb\t\tc"),
        "emoji": echoed("😀", "👩‍👩‍👧‍👦 family", "🇺🇦🏴‍☠️", "Zürich – 北京 – العربية – हिन्दी"),
        "odd-unicode": echoed("\ufeffmark", "line\u2028separator", "\u0085next", "e\u0301", "\u202eright to left", "\U0010ffff"),
        "holes": echoed("{{name}}", "{{", "}}", "{{{{", "{{ now() }}", "a {{b:uuid}} c", "{%raw%}", "{# no #}"),
        "holes-in-json": echoed('{"a":"{{name}}"}', '{"t":"{{{{"}', '{"a":{"b":{"c":1}}}'),
        "carriage-return": echoed("a\rb", "a\r", "\r", "\r\n", "a\r\nb\r\nc"),
        "several-lines": echoed("a\nb", "a\n\nb", "one\n  two\n    three", "\na", "| bar\n| bar"),
        "trailing-newline": echoed("a\n", "\n", "\n\n", "a\n\n\n", " \n "),
        "nul": echoed("\0", "a\0b", "\0\0\0"),
        "control-characters": echoed("".join(map(chr, range(1, 32))), "\x7f", "\x1b[31mred\x1b[0m", "\x80\x9f"),
        "like-lines": echoed("# comment", "| bar", "> arrow", "< arrow", "? check", "connect ws://a", "test a title", "on > x"),
        "like-options": echoed("(skip) x", "(within 5s)", "hex 00", "text", "esc \\n", "close 1000", "ping", "any", "echo"),
        "backslashes": echoed("\\", "\\n", "\\\\", "\\x41", "C:\\new\\table", "\\u{41}"),
        "quotes": echoed('"', "'", '"quoted"', "''\"\"", "`a`"),
        "values": echoed("1", "-1.50", "true", "null", '"a"', "0001"),
        "same-again": echoed(*["tick"] * 20),
        "bytes": echoed_bytes(bytes(range(256)), b"\x00", b"\xff\xfe", b"\x10\x0e\x00\x04MQTT"),
        "bytes-that-are-text": echoed_bytes(b"hello", "é😀".encode(), b"{}", b" ", b"\n"),
        "text-and-bytes": echoed("a") + echoed_bytes(b"a") + echoed("a") + echoed_bytes(b"a"),
        "large-line": echoed("x" * (1 << 20), "é😀" * 150_000),
        "large-json": echoed(json.dumps([{"id": n, "name": f"name {n}"} for n in range(25_000)])),
        "large-bytes": echoed_bytes(noise.randbytes(1 << 20)),
        "many-lines": echoed("\n".join(f"line {n}" for n in range(10_000))),
        "many-messages": echoed(*[f"message {n}" for n in range(300)]),
        "noise": echoed(*["".join(map(chr, noise.choices([*range(1, 128), 0xE9, 0x20AC, 0x1F600], k=40))) for _ in range(50)]),
        "server-speaks-first": [text("<", "welcome"), text("<", '{"version":1}'), text(">", "thanks"), text("<", "go on")],
        "several-answers": [text(">", "list"), *[text("<", f"item {n}") for n in range(5)], text(">", "done"), text("<", "bye")],
        "client-speaks-alone": [text(">", "one"), text(">", "two"), binary(">", b"three"), text("<", "all three")],
        "pings-of-the-client": [(">", "ping", b""), text(">", "a"), text("<", "a"), (">", "ping", b"\x00\xff"), text(">", "b"), text("<", "b")],
        "pings-of-the-server": [text(">", "a"), ("<", "ping", b"are you there"), text("<", "b"), text(">", "c"), text("<", "c")],
        "close-of-the-client": [*echoed("a"), (">", "close", (1000, "done"))],
        "close-of-the-server": [*echoed("a"), ("<", "close", (4001, "token expired: é"))],
        "close-without-a-code": [*echoed("a"), (">", "close", None)],
        "close-with-an-odd-reason": [*echoed("a"), ("<", "close", (3000, " {{reason}} \\n # "))],
    }


class Side:
    """One side of a conversation on a socket."""

    def __init__(self, protocol, stream, sends):
        self.protocol, self.stream, self.sends = protocol, stream, sends
        stream.settimeout(TIMEOUT)
        self.events = []

    def flush(self):
        for data in self.protocol.data_to_send():
            if data:
                self.stream.sendall(data)
            else:
                self.stream.shutdown(socket.SHUT_WR)

    def read(self):
        data = self.stream.recv(1 << 16)
        if data:
            self.protocol.receive_data(data)
        else:
            self.protocol.receive_eof()
        self.flush()
        self.events += self.protocol.events_received()
        return bool(data)

    def next(self):
        """The next message, ping or close: its kind, and its payload."""
        parts = []
        while True:
            while not self.events:
                if not self.read() and not self.events:
                    raise AssertionError(f"the connection ended: {self.protocol.close_exc}")
            frame = self.events.pop(0)
            if frame.opcode is Opcode.PONG:
                continue
            if frame.opcode is Opcode.PING:
                return "ping", bytes(frame.data)
            if frame.opcode is Opcode.CLOSE:
                close = Close.parse(frame.data)
                return "close", None if close.code == 1005 else (int(close.code), close.reason)
            parts.append(frame)
            if frame.fin:
                kind = "text" if parts[0].opcode is Opcode.TEXT else "binary"
                return kind, b"".join(bytes(part.data) for part in parts)

    def play(self, frames):
        for number, (arrow, kind, payload) in enumerate(frames, 1):
            if arrow == self.sends:
                if kind == "text":
                    self.protocol.send_text(payload)
                elif kind == "binary":
                    self.protocol.send_binary(payload)
                elif kind == "ping":
                    self.protocol.send_ping(payload)
                else:
                    self.protocol.send_close(*(payload or ()))
                self.flush()
            else:
                came = self.next()
                if came != (kind, payload):
                    raise AssertionError(f"frame {number}: {came!r:.300} instead of {(kind, payload)!r:.300}")
        # Nothing may follow but the close, whoever begins it.
        closed = frames and frames[-1][1] == "close"
        if not closed:
            if self.sends == ">":
                self.protocol.send_close(1000)
                self.flush()
            kind, payload = self.next()
            if kind != "close":
                raise AssertionError(f"something follows: {(kind, payload)!r:.300}")
        while self.read():
            pass


def play_client(origin, name, frames):
    uri = parse_uri(f"{origin}/{name}")
    stream = socket.create_connection((uri.host, uri.port), TIMEOUT)
    protocol = ClientProtocol(uri, max_size=LIMIT)
    protocol.send_request(protocol.connect())
    side = Side(protocol, stream, ">")
    side.flush()
    while not side.events:
        if not side.read():
            break
    side.events.pop(0)
    if protocol.handshake_exc is not None:
        raise protocol.handshake_exc
    side.play(frames)


def play_server(stream, corpus):
    protocol = ServerProtocol(max_size=LIMIT)
    side = Side(protocol, stream, "<")
    while not side.events:
        side.read()
    request = side.events.pop(0)
    name = request.path.strip("/")
    protocol.send_response(protocol.accept(request))
    side.flush()
    try:
        side.play(corpus[name])
    except Exception as error:
        say(f"{name}: {error!r:.600}")
    else:
        say(f"{name} ok")
    finally:
        stream.close()


def main():
    if sys.argv[1] == "list":
        for name, frames in conversations().items():
            shown = []
            for arrow, kind, payload in frames:
                if kind == "close":
                    code, reason = payload or (1005, "")
                    shown.append({"arrow": arrow, "kind": kind, "code": code, "reason": reason})
                else:
                    shown.append({"arrow": arrow, "kind": kind, "payload": base64.b64encode(payload).decode()})
            print(json.dumps({"name": name, "frames": shown}))
    elif sys.argv[1] == "client":
        for name, frames in conversations().items():
            try:
                play_client(sys.argv[2], name, frames)
            except Exception as error:
                say(f"{name}: {error!r:.600}")
            else:
                say(f"{name} ok")
    else:
        corpus = conversations()
        listener = socket.create_server(("127.0.0.1", 0))
        print(f"listening on {listener.getsockname()[1]}", flush=True)
        while True:
            stream, _ = listener.accept()
            threading.Thread(target=play_server, args=(stream, corpus), daemon=True).start()


if __name__ == "__main__":
    main()
