"""What a peer does with the packets of a rule: extended communities (RFC 8955 section 7).

A rule without any of them lets its packets through, and with the terminal bit not set no later rule is looked at:
so a permit is a rule without an action. A drop is a traffic rate of nought.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Self

from rearguard.filters.flowspec.components import FlowError

__all__ = ["DISCARD", "PERMIT", "Action"]

_RATE, _ACTION = 0x8006, 0x8007
_ENDS, _SAMPLES = 0x01, 0x02
_SIZE = 8


@dataclass(frozen=True, slots=True)
class Action:
    """``rate`` in bytes a second; None: none is set, the packets pass. ``evaluates``: later rules are looked at
    too (bit T of traffic-action). ``samples``: bit S."""

    rate: float | None = None
    evaluates: bool = False
    samples: bool = False

    def encode(self) -> bytes:
        """The extended communities; none when the packets just pass. ``FlowError``: the rate is none."""
        found = b""
        if self.rate is not None:
            if not 0 <= self.rate < float("inf"):
                raise FlowError(f"a traffic rate of {self.rate} (RFC 8955 section 7.1)")
            found += struct.pack("!HHf", _RATE, 0, self.rate)
        if self.evaluates or self.samples:
            bits = (_ENDS if self.evaluates else 0) | (_SAMPLES if self.samples else 0)
            found += struct.pack("!HIBB", _ACTION, 0, 0, bits)
        return found

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """``FlowError``: they are cut off, stand there twice, or do something that Rearguard never asks for."""
        rate: float | None = None
        bits = None
        if len(data) % _SIZE:
            raise FlowError("the extended communities are cut off")
        for at in range(0, len(data), _SIZE):
            kind, _, value = struct.unpack("!HHf", data[at : at + _SIZE])
            if kind == _RATE and rate is None:
                if not 0 <= value < float("inf"):
                    raise FlowError(f"a traffic rate of {value} (RFC 8955 section 7.1)")
                rate = value
            elif kind == _ACTION and bits is None:
                bits = data[at + _SIZE - 1]
            else:
                raise FlowError(f"the extended community 0x{kind:04x} is not expected, or not twice")
        return cls(rate, bool((bits or 0) & _ENDS), bool((bits or 0) & _SAMPLES))

    @property
    def drops(self) -> bool:
        """Whether its packets are discarded."""
        return self.rate == 0


PERMIT = Action()
DISCARD = Action(rate=0.0)
