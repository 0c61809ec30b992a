"""Starts a program as systemd does: with a socket that listens already, and a place to tell how it is.

Prints "listens PORT", then each notification on a line of its own ("told READY=1"; its fields are joined by spaces), what
the program prints as "says LINE", and "ended CODE". A line of input is the name of a signal for the program: TERM, HUP.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading


def say(*words):
    # In one piece: two threads write.
    sys.stdout.write(" ".join(map(str, words)).rstrip() + "\n")
    sys.stdout.flush()


def main():
    sockets, seconds, *command = sys.argv[1:]
    folder = tempfile.TemporaryDirectory()
    place = os.path.join(folder.name, "notify")
    notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notified.bind(place)
    listeners = []
    for _ in range(int(sockets)):
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        say("listens", listener.getsockname()[1])

    # The sockets are to be 3, 4, … and the process id is known to nobody but the child itself.
    def hand_over():
        held = [os.dup(listener.fileno()) for listener in listeners]
        high = [os.dup2(fd, 100 + at) for at, fd in enumerate(held)]
        for at, fd in enumerate(high):
            os.dup2(fd, 3 + at, inheritable=True)
            os.close(fd)

    environment = dict(os.environ, NOTIFY_SOCKET=place, LISTEN_FDS=sockets, WATCHDOG_USEC=str(int(float(seconds) * 1e6)))
    child = subprocess.Popen(
        ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", *command],
        env=environment,
        preexec_fn=hand_over,
        pass_fds=range(3, 3 + len(listeners)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    for listener in listeners:
        listener.close()

    def notifications():
        while True:
            told = notified.recv(4096).decode()
            say("told", *told.split("\n"))

    def orders():
        for line in sys.stdin:
            child.send_signal(getattr(signal, "SIG" + line.strip()))

    for work in (notifications, orders):
        threading.Thread(target=work, daemon=True).start()
    for line in child.stdout:
        say("says", line.rstrip("\n"))
    say("ended", child.wait())


main()
