"""Between ExaBGP and the process that keeps the announcement: passes lines on, and ends ExaBGP when that is gone.

ExaBGP starts this as its helper, and goes on without it when it dies. So the helper does the opposite: when the
keeper's side closes, or when the last moment has passed, it ends ExaBGP, whose peers then drop the routes.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time

__all__ = ["main"]

GRACE = 30.0
"""Seconds after the deadline in which the keeper must have withdrawn and ended everything itself."""
PATIENCE = 5.0
_SIZE = 1 << 16


def main(path: str, deadline: float) -> None:
    """Run until one side closes."""
    parent = os.getppid()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        try:
            line.connect(path)
            over = _pass_on(line, deadline + GRACE)
        except OSError:
            over = True
    if over:
        _end(parent)


def _pass_on(line: socket.socket, last: float) -> bool:
    """Copy both ways. Whether ExaBGP must be ended: the keeper is gone, or time is up."""
    far = line.fileno()
    while (left := last - time.clock_gettime(time.CLOCK_BOOTTIME)) > 0:
        ready = select.select([0, far], [], [], min(left, 5.0))[0]
        if far in ready:
            data = line.recv(_SIZE)
            if not data:
                return True
            _write(data)
        if 0 in ready:
            data = os.read(0, _SIZE)
            if not data:
                return False
            line.sendall(data)
    return True


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def _end(parent: int) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        if parent > 1 and os.getppid() == parent:
            os.kill(parent, number)
        until = time.monotonic() + PATIENCE
        while os.getppid() == parent and time.monotonic() < until:
            time.sleep(0.05)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    main(sys.argv[1], float(sys.argv[2]))
