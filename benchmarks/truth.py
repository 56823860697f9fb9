"""What the realistic mix contains: who scanned, how many addresses were tried, who answered."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.conversations import ROLE_ANSWER, ROLE_PROBE, ROLE_REFUSAL, Table
from benchmarks.frames import OWN_V4_BITS, Array

__all__ = ["Scanners", "Truth"]


@dataclass(frozen=True, slots=True)
class Scanners:
    """The scanning sources, one entry each: where from, on which port, how fast, with which tool."""

    address: NDArray[np.uint32]
    port: NDArray[np.uint16]
    probes_per_gb: NDArray[np.int64]
    mirai: NDArray[np.bool_]
    salt: NDArray[np.uint32]


class Truth:
    """Counters over the packets that were written; their number depends on the sources alone."""

    def __init__(self, scanners: Scanners, conversations: Table) -> None:
        self._scanners = scanners
        self._role = conversations.rows["role"]
        self._counts = {
            role: np.zeros(len(scanners.address), np.int64)
            for role in (ROLE_PROBE, ROLE_ANSWER, ROLE_REFUSAL)
        }
        self._answering = {
            int(port): np.zeros(1 << OWN_V4_BITS, np.bool_) for port in np.unique(scanners.port)
        }

    def add(self, packets: Array) -> None:
        """Count packets that were written."""
        session = packets["session"]
        scanning = session["scanner"] >= 0
        role = self._role[packets["row"]]
        for counted, total in self._counts.items():
            total += np.bincount(session["scanner"][scanning & (role == counted)], minlength=len(total))
        answers = scanning & (role == ROLE_ANSWER)
        for port, devices in self._answering.items():
            chosen = session["server"][answers & (session["sport"] == port)]
            devices[chosen & np.uint32((1 << OWN_V4_BITS) - 1)] = True

    def as_json(self) -> dict[str, object]:
        """One entry a scanning source, and how many different devices answered on each port."""
        return {
            "scanners": [
                {
                    "address": str(ipaddress.IPv4Address(int(self._scanners.address[number]))),
                    "port": int(self._scanners.port[number]),
                    "mirai": bool(self._scanners.mirai[number]),
                    "tried": int(self._counts[ROLE_PROBE][number]),
                    "answered": int(self._counts[ROLE_ANSWER][number]),
                    "refused": int(self._counts[ROLE_REFUSAL][number]),
                }
                for number in range(len(self._scanners.address))
            ],
            "answering_devices": {str(port): int(devices.sum()) for port, devices in self._answering.items()},
        }
