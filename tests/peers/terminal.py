"""A terminal, and a program that runs on it: python terminal.py PROGRAM ARGUMENT…

A line of input is typed, Enter behind it; the line "/ctrl X" is the key Ctrl-X instead. Each line that the program
writes is printed as "screen: TEXT", without escape sequences. When the program has ended it prints "colours: yes" if
there were any escape sequences for colours, else "colours: no", and "exit CODE". At the end of input nothing more is
typed.
"""

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios

ESCAPE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])")
COLOUR = re.compile(rb"\x1b\[[0-9;]*m")


def main():
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(sys.argv[1], sys.argv[1:])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 200, 0, 0))
    seen, shown, typed, watched = b"", 0, b"", [terminal, 0]
    while True:
        readable, _, _ = select.select(watched, [], [])
        if 0 in readable:
            data = os.read(0, 65536)
            if not data:
                watched.remove(0)
            typed += data
            *lines, typed = typed.split(b"\n")
            for line in lines:
                key = line.removeprefix(b"/ctrl ")
                os.write(terminal, bytes([key[0] & 0x1F]) if key != line else line + b"\r")
        if terminal in readable:
            try:
                data = os.read(terminal, 65536)
            except OSError:
                data = b""
            seen += data
            lines = seen.decode(errors="replace").split("\n")
            # The last one is not complete before the end.
            until = len(lines) - 1 if data else len(lines)
            for line in lines[shown:until]:
                print(f"screen: {ESCAPE.sub('', line).replace(chr(13), '')}", flush=True)
            shown = until
            if not data:
                break
    _, status = os.waitpid(child, 0)
    print(f"colours: {'yes' if COLOUR.search(seen) else 'no'}")
    print(f"exit {os.waitstatus_to_exitcode(status)}", flush=True)


if __name__ == "__main__":
    main()
