"""ExaBGP as a child: started with our configuration, met at a socket, ended by its process id."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import suppress

from rearguard.filters.apply.state import State
from rearguard.filters.flowspec.link import Link
from rearguard.filters.flowspec.record import SOCKET, Order
from rearguard.filters.flowspec.speaker import configuration, environment, find_exabgp

__all__ = ["Speaker", "launch"]

_BRIDGE = "rearguard.filters.flowspec.bridge"
_CONFIGURATION = "exabgp.conf"
_KILL = 5.0


class Speaker:
    """The running program."""

    def __init__(self, process: subprocess.Popen[bytes], door: socket.socket) -> None:
        self.process = process
        self._door = door

    def answered(self, seconds: float) -> Link | None:
        """The line, once its helper has called; None: not within this time."""
        self._door.settimeout(seconds)
        with suppress(TimeoutError):
            line, _ = self._door.accept()
            self._door.close()
            return Link(line)
        return None

    def end(self) -> None:
        """It closes its sessions when it is asked to end; when it does not, it is killed."""
        self._door.close()
        for ending in (self.process.terminate, self.process.kill):
            if self.process.poll() is None:
                ending()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(_KILL)


def launch(state: State, order: Order) -> Speaker:
    """Start it. ``OSError``: it cannot be started."""
    path = state.folder / SOCKET
    path.unlink(missing_ok=True)
    bridge = [sys.executable, "-I", "-m", _BRIDGE, str(path), str(order.deadline)]
    state.write_text(_CONFIGURATION, configuration(order.session, order.peers, bridge))
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        door.bind(str(path))
        path.chmod(0o600)
        door.listen(1)
        process = subprocess.Popen(
            [find_exabgp(), "server", str(state.folder / _CONFIGURATION)],
            stdin=subprocess.DEVNULL,
            env=environment(os.environ),
            cwd="/",
        )
    except BaseException:
        door.close()
        raise
    return Speaker(process, door)
