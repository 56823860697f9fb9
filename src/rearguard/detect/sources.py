"""Who tried how many devices on which interface: the grouping that ``scan`` and ``probe`` share.

A group is one source, one catalogued interface and one direction, inbound or internal: what a customer opens
outward is the customer's own business. Touches are counted first; devices are told apart only in the groups that
are large enough for a scan. There a device counts once, at its first touch, so that repeated tries, several
ports of one interface and retransmissions make nobody a scanner.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from rearguard.contacts.arrow import to_arrow
from rearguard.detect.firsts import first_tries
from rearguard.detect.grouping import GROUP, group_rows
from rearguard.detect.pace import peaks
from rearguard.detect.touches import table_sql
from rearguard.model.address import format_address, halves
from rearguard.model.bits import DIRECTIONS, INBOUND
from rearguard.model.finding import Finding, Subject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from rearguard.detect.ledger import Ledger
    from rearguard.detect.portrait import Portrait
    from rearguard.detect.shape import Context

__all__ = ["SECOND", "build_groups", "source_key", "subject_of", "taken_sql"]

SECOND = 1_000_000_000
CELLS = 1 << 14
"""Groups, twice, that are counted at once (1 MB)."""

PARTS = (
    "parts (source_hi UBIGINT, source_lo UBIGINT, interface VARCHAR, way UTINYINT, touches BIGINT, strange BIGINT,"
    " dark BIGINT, rate UINTEGER, result UTINYINT, low UBIGINT, high UBIGINT)"
)

GROUPS_SQL = """
CREATE OR REPLACE TEMP TABLE groups AS
WITH counted AS (
    SELECT
        source_hi, source_lo, interface, way, sum(touches)::BIGINT AS touches, sum(strange)::BIGINT AS strange,
        sum(dark)::BIGINT AS dark, min(rate) AS rate, max(result) AS result, min(low) AS low, max(high) AS high
    FROM parts
    GROUP BY ALL
)
SELECT row_number() OVER ()::INTEGER AS number, counted.*, in_window, in_all
FROM counted JOIN required USING (rate) ANTI JOIN taken USING (source_hi, source_lo, interface, way);
"""

SCANS_SQL = """
CREATE OR REPLACE TEMP TABLE scans AS
SELECT groups.*, devices, peak, peak >= in_window AS is_fast
FROM groups JOIN paces USING (number)
WHERE peak >= in_window OR devices >= in_all;
"""


def taken_sql(findings: Iterable[Finding]) -> str:
    """Statements that leave in ``taken`` the groups that were concluded already as something worse."""
    keys = [
        (*source_key(finding.subject.address), finding.interface, DIRECTIONS.index(finding.direction))
        for finding in findings
        if finding.subject.address is not None
    ]
    shape = "taken (source_hi UBIGINT, source_lo UBIGINT, interface VARCHAR, way UTINYINT)"
    return table_sql(shape, keys)


def build_groups(context: Context) -> None:
    """Leave ``groups``, each source on each interface with its touches, and ``scans``, those that are one.

    What is in ``taken``, and victims of reflection, are left out.
    """
    con = context.con
    con.execute(table_sql(PARTS, []))
    for parts in _parts(context.ledger):
        con.register("given", parts)
        con.execute("INSERT INTO parts BY NAME FROM given")
        con.unregister("given")
    con.execute(GROUPS_SQL)
    ((groups,),) = con.execute("SELECT count(*) FROM groups").fetchall()
    devices, most = peaks(first_tries(context), groups, context.policy.thresholds.scan_window * SECOND)
    numbers = np.flatnonzero(devices)
    con.register("paces", pa.table({"number": numbers, "devices": devices[numbers], "peak": most[numbers]}))
    con.execute(SCANS_SQL)
    con.unregister("paces")


def _parts(ledger: Ledger) -> Iterator[pa.Table]:
    """Partial groups: those of one source, interface and direction add up."""
    cells, used = np.zeros(CELLS, GROUP), np.zeros(1, np.int64)
    for rows in ledger.touches.batches():
        start = 0
        while start < len(rows):
            start = group_rows(rows, start, ledger.reflections, cells, used)
            if start < len(rows):
                yield _part(cells, ledger)
                cells[:] = np.zeros((), GROUP)
                used[0] = 0
    yield _part(cells, ledger)


def _part(cells: npt.NDArray[Any], ledger: Ledger) -> pa.Table:
    full = cells[cells["touches"] > 0]
    columns = {name: full[name] for name in GROUP.names or ()}
    return to_arrow(columns | {"interface": ledger.interface_words(full["interface"])})


def source_key(address: str) -> tuple[int, int]:
    """The (source_hi, source_lo) of a subject's text, an address or an IPv6 /64."""
    network = ipaddress.ip_network(address, strict=False)
    high, low = halves(network.network_address)
    return (high, low) if network.version == 4 else (high, 0)


def subject_of(group: dict[str, Any], portrait: Portrait) -> Subject:
    """The source as a subject: its address; an IPv6 /64 when several addresses in it took part (rule A8)."""
    high, low = group["source_hi"], group["low"]
    text = format_address(high, low)
    if low != group["high"]:
        text = f"{format_address(high, 0)}/64"
    return Subject("remote" if group["way"] == INBOUND else "device", text, portrait.verified)
