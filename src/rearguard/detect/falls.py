"""Which attacked devices did what the attack told them to (rule B9a).

Theory of operation. An attack on a device at time T names hosts (an address, a name). The device *fell* when,
within ``infection_window`` after T, it opened a connection to a named address, or asked over HTTP for a named host.
Two things clear it, because an attacker can name any host and would frame devices by that:

* it had contacted the host before the first attack that named it: it may be its user's habit;
* the host is *commonplace*: at least ``COMMON`` attacked devices contacted it before it was named to them, and they
  are no fewer than those that did so only afterwards.

All devices that were attacked are watched from the first record on, so "before" is known for each of them.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rearguard.detect.making import transport
from rearguard.detect.portrait import rows
from rearguard.detect.said import point
from rearguard.detect.sources import SECOND
from rearguard.detect.voices import End
from rearguard.model import bits
from rearguard.model.address import format_address, halves
from rearguard.model.finding import Evidence

if TYPE_CHECKING:
    from rearguard.detect.attempts import Attempt, Campaign
    from rearguard.detect.shape import Context
    from rearguard.dialogue.exchange import Exchange

__all__ = ["COMMON", "Fall", "falls"]

COMMON = 3
"""Lower clears devices that really fell when a few others knew the host before; higher lets an attacker who names
a popular site frame more devices."""

MET_SQL = """
WITH met AS (
    SELECT pairs.device_hi, pairs.device_lo, pairs.host_hi, pairs.host_lo, pairs.since, i.*
    FROM fact_initiations i JOIN pairs
        ON i.client_hi = device_hi AND i.client_lo = device_lo
        AND i.server_hi = host_hi AND i.server_lo = host_lo
),
known AS (
    SELECT DISTINCT device_hi, device_lo, host_hi, host_lo FROM met WHERE time <= since
),
followed AS (
    SELECT met.*, named.moment FROM met ASOF JOIN named
        ON met.device_hi = named.device_hi AND met.device_lo = named.device_lo
        AND met.host_hi = named.host_hi AND met.host_lo = named.host_lo AND met.time > named.moment
)
SELECT device_hi, device_lo, host_hi, host_lo, NULL AS first FROM known
UNION ALL
SELECT
    device_hi, device_lo, host_hi, host_lo,
    arg_min(
        {{'time': time, 'rec': rec, 'port': port, 'client_port': client_port, 'proto': proto}},
        {{'time': time, 'rec': rec}}
    )
FROM followed ANTI JOIN known USING (device_hi, device_lo, host_hi, host_lo)
WHERE time - moment <= {window}
GROUP BY device_hi, device_lo, host_hi, host_lo
"""


@dataclass(frozen=True, slots=True)
class Fall:
    """A device that contacted the host its attacker had named."""

    device: End
    host: str
    """As the payload named it."""
    address: End
    """Where the device went."""
    time: int
    port: int
    proto: int
    asked: bool
    """It asked over HTTP for the host; False: it opened a connection to the address."""
    evidence: Evidence
    felled_by: tuple[tuple[Campaign, Attempt], ...]
    """The attempts that named the host within the window before, the latest first."""


@dataclass(frozen=True, slots=True)
class _Meeting:
    """The first contact of a device with a named host; ``known``: not the first in truth."""

    known: bool
    address: End = (0, 0)
    time: int = 0
    port: int = 0
    proto: int = bits.TCP
    asked: bool = False
    evidence: Evidence | None = None


_Named = dict[tuple[End, str], list[tuple["Campaign", "Attempt"]]]


def falls(found: Iterable[Campaign], exchanges: Iterable[Exchange], context: Context) -> tuple[Fall, ...]:
    """All falls, by device and host."""
    named: _Named = defaultdict(list)
    for campaign in found:
        if campaign.way == bits.OUTBOUND:
            continue
        for attempt in campaign.attempts:
            for host in attempt.hit.named:
                named[attempt.voice.server, host].append((campaign, attempt))
    if not named:
        return ()
    window = context.policy.thresholds.infection_window * SECOND
    opened, asked = _opened(named, window, context), _asked(named, exchanges, window, context)
    meetings = opened | {key: one for key, one in asked.items() if key not in opened or not opened[key].known}
    habits: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for (_, host), meeting in meetings.items():
        habits[host][meeting.known] += 1
    return tuple(
        _fall(device, host, meeting, named[device, host], window)
        for (device, host), meeting in sorted(meetings.items())
        if not meeting.known and not COMMON <= habits[host][1] >= habits[host][0]
    )


def _fall(
    device: End, host: str, meeting: _Meeting, attempts: list[tuple[Campaign, Attempt]], window: int
) -> Fall:
    assert meeting.evidence is not None
    before = [pair for pair in attempts if 0 < meeting.time - pair[1].hit.proof.ts <= window]
    before.sort(key=lambda pair: (-pair[1].hit.proof.ts, -pair[1].hit.proof.rec, pair[1].attack.id))
    return Fall(
        device,
        host,
        meeting.address,
        meeting.time,
        meeting.port,
        meeting.proto,
        meeting.asked,
        meeting.evidence,
        tuple(before),
    )


def _opened(named: _Named, window: int, context: Context) -> dict[tuple[End, str], _Meeting]:
    """Meetings with hosts that were named by address: connections that the device opened."""
    import pyarrow as pa

    addresses = {host: _address(host, context) for host in {host for _, host in named}}
    at: dict[tuple[int, int, int, int], list[int]] = {}
    text: dict[tuple[int, int, int, int], str] = {}
    for (device, host), attempts in named.items():
        address = addresses[host]
        if address is not None:
            at[*device, *address] = [attempt.hit.proof.ts for _, attempt in attempts]
            text[*device, *address] = host
    if not at:
        return {}
    keys = ("device_hi", "device_lo", "host_hi", "host_lo")

    def table(pairs: list[tuple[tuple[int, int, int, int], int]], name: str) -> pa.Table:
        columns = [pa.array([pair[place] for pair, _ in pairs], pa.uint64()) for place in range(4)]
        return pa.table([*columns, pa.array([time for _, time in pairs], pa.int64())], names=[*keys, name])

    con = context.con
    con.register("pairs", table([(pair, min(times)) for pair, times in at.items()], "since"))
    con.register("named", table([(pair, time) for pair, times in at.items() for time in {*times}], "moment"))
    found = {}
    for row in rows(con, MET_SQL.format(window=window)):
        pair = tuple(row[name] for name in keys)
        device, first = pair[:2], row["first"]
        meeting = _Meeting(True)
        if first is not None:
            source, record = context.pointer(first["rec"])
            proof = Evidence(
                source,
                record,
                first["time"],
                transport(first["proto"]),
                format_address(*device),
                first["client_port"],
                format_address(*pair[2:]),
                first["port"],
                "opens a connection to the host that the attack named",
            )
            meeting = _Meeting(False, pair[2:], first["time"], first["port"], first["proto"], evidence=proof)
        found[device, text[pair]] = meeting
    for name in ("pairs", "named"):
        con.unregister(name)
    return found


def _asked(
    named: _Named, exchanges: Iterable[Exchange], window: int, context: Context
) -> dict[tuple[End, str], _Meeting]:
    """Meetings with hosts that the device asked for by HTTP; they prove more than a connection does."""
    devices = {device for device, _ in named}
    told: dict[tuple[End, str], list[Exchange]] = defaultdict(list)
    for one in exchanges:
        if one.fetch and one.asked is not None and (one.client_hi, one.client_lo) in devices:
            for host in one.fetch:
                if ((one.client_hi, one.client_lo), host) in named:
                    told[(one.client_hi, one.client_lo), host].append(one)
    found = {}
    for key, requests in told.items():
        times = sorted(attempt.hit.proof.ts for _, attempt in named[key])
        requests.sort(key=lambda one: (one.asked.ts, one.asked.rec) if one.asked else (0, 0))
        first = requests[0]
        assert first.asked is not None
        if first.asked.ts <= times[0]:
            found[key] = _Meeting(True)
            continue
        for one in requests:
            assert one.asked is not None
            if any(0 < one.asked.ts - time <= window for time in times):
                found[key] = _meeting(one, context)
                break
    return found


def _meeting(one: Exchange, context: Context) -> _Meeting:
    assert one.asked is not None
    proof = point(one, one.asked, "asks for the host that the attack named", context)
    return _Meeting(False, (one.server_hi, one.server_lo), one.asked.ts, one.port, one.proto, True, proof)


def _address(host: str, context: Context) -> End | None:
    """Of a host that was named by its address, as it may stand in a URL; None for a name, and for a controller of
    the policy, which devices call anyway."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
    return None if context.policy.controllers_at(address, "sessions_at") else halves(address)
