"""A first look over all touches: how much there is for each detector, so that most need no query at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rearguard.detect.estimate import needed
from rearguard.detect.facts import State, bind
from rearguard.detect.heard import tell
from rearguard.detect.keeping import keep
from rearguard.detect.ledger import Ledger
from rearguard.detect.looking import look
from rearguard.detect.touches import table_sql, view_sql

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from rearguard.catalogue.catalogue import Catalogue
    from rearguard.detect.touch_rows import Touches
    from rearguard.policy.policy import Policy
    from rearguard.policy.thresholds import Thresholds

__all__ = ["Overview", "lay_out"]

REFLECTIONS_SQL = """
INSERT INTO reflections
SELECT server_hi, server_lo, interface, source_net
FROM answering
WHERE forgeable
GROUP BY ALL
HAVING sum(tries * rate) >= {packets} AND sum(bytes_s) >= {ratio} * sum(bytes_c)
"""

_REFLECTIONS = "reflections (server_hi UBIGINT, server_lo UBIGINT, interface VARCHAR, source_net UBIGINT)"


@dataclass(frozen=True, slots=True)
class Overview:
    """How many touches could matter to whom. A detector below its least number has nothing to conclude."""

    rates: tuple[int, ...]
    """The sampling rates that occur; 1 also where it is unknown."""
    crowds: int
    """Cells of sources that are only counted."""
    touches: int
    """All of them."""
    known: int
    """Those of surveyors, and those that an exception covers."""
    tried: int
    """Initiations toward catalogued interfaces, but for those of our own side toward others."""
    knocked: int
    """The same with all TCP ports."""
    loose: int
    """Touches of TCP ports that the catalogue does not know, but for those of our own side toward others."""
    outward: int
    """SYNs from our side to foreign management interfaces that never became more."""
    worm: int
    """Touches by our side with Mirai's property."""
    answers: int
    """Touches of our interfaces in which something came back."""
    replied: int
    """Inbound touches in which something came back."""
    own: int
    """Touches that our side opened."""
    asked: int
    """Requests, scaled by sampling, toward amplifying services that answered an unproven sender."""
    initiations: int
    """Initiations, scaled by sampling, toward our interfaces."""
    ports: int
    """Different ports among those that ``knocked`` counts."""

    def least(self, threshold: int) -> int:
        """The smallest number to be seen, over all rates, that may stand for ``threshold`` (rule B14)."""
        return min((needed(threshold, rate) for rate in self.rates), default=threshold)


def lay_out(
    con: duckdb.DuckDBPyConnection,
    state: State,
    policy: Policy,
    catalogue: Catalogue,
    folder: Path,
    touches: Touches,
) -> tuple[Overview, Ledger]:
    """Put the facts into ``con`` with what all detectors use, look over them once, and fill ``touches``. What is
    too large for the memory is put into ``folder``, until :func:`rearguard.detect.keeping.release` is called.

    ``touches``; ``answering`` and ``ours``, copies of those that were answered and of those that our side opened;
    ``required``: how much must be seen at each sampling rate that occurs (rule B14); ``replies`` and ``proven``:
    what listeners said; ``reflections``: who is attacked through which amplifier, and is a victim, not a source
    (rule B4).
    """
    bind(con, state)
    proven = tell(con, state.exchanges, catalogue)
    con.execute(view_sql(policy, catalogue, proven=proven))
    interfaces = tuple(entry.id for entry in catalogue.interfaces)
    found = look(con, interfaces, policy.network_names, touches)
    ((crowds,),) = con.execute("SELECT count(*) FROM fact_crowd").fetchall()
    overview = Overview(found.rates, crowds, **found.counts)
    keep(con, {"answering": overview.replied, "ours": overview.own}, policy.limits.memory_mb, folder)
    con.execute(_required_sql(overview.rates, policy.thresholds) + table_sql(_REFLECTIONS, []))
    least = policy.thresholds.reflector_min_packets
    if overview.asked >= least:
        con.execute(REFLECTIONS_SQL.format(packets=least, ratio=policy.thresholds.reflector_ratio))
    return overview, Ledger.of(touches, found.words, interfaces, policy, con)


def _required_sql(rates: tuple[int, ...], thresholds: Thresholds) -> str:
    wanted = {
        "in_window": thresholds.scan_targets,
        "in_all": thresholds.slow_scan_targets,
        "in_ports": thresholds.scan_ports,
        "in_fan": thresholds.fan_targets,
        "abroad": thresholds.compromised_targets,
        "nets_abroad": thresholds.compromised_slash24,
    }
    columns = ", ".join(f"{name} UINTEGER" for name in ("rate", *wanted))
    rows = [(rate, *(needed(number, rate) for number in wanted.values())) for rate in rates]
    return table_sql(f"required ({columns})", rows)
