"""What listeners said, as tables beside the touches: ``replies`` and ``proven``.

``replies``  one row an exchange in which the listener sent payload: the key of its contact, how far the client got
             (:class:`~rearguard.detect.answers.Step`), what was said, the packet that shows it.
``proven``   listeners (server_hi, server_lo, port, proto) whose payload tells that a management interface is there,
             whoever it was said to (rule B7).

An SSH banner tells that it is SSH, not that it is the device's and not the customer's own server. So a payload
proves management only where the protocol is made for the home side, or has ports that customers do not use.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rearguard.catalogue.model import Listener
from rearguard.detect.answers import came_back, step_of
from rearguard.detect.touches import shared_ports

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from rearguard.catalogue.catalogue import Catalogue
    from rearguard.dialogue.exchange import Exchange

__all__ = ["proving", "tell"]

PROVEN_SQL = """
CREATE OR REPLACE TEMP TABLE replies AS FROM told;
CREATE OR REPLACE TEMP TABLE proven AS
SELECT DISTINCT server_hi, server_lo, port, proto FROM replies WHERE identity IN ({proving});
"""


def proving(catalogue: Catalogue) -> frozenset[str]:
    """The interfaces whose payload proves that it is a device's own."""
    return frozenset(
        entry.id
        for entry in catalogue.interfaces
        if entry.listener == Listener.DEVICE and (entry.lan_only or not entry.shared_port)
    )


def tell(con: duckdb.DuckDBPyConnection, exchanges: Sequence[Exchange], catalogue: Catalogue) -> bool:
    """Make both tables in ``con``; whether a listener is proven on a port where that is in doubt."""
    con.register(
        "told", _table([one for one in exchanges if one.answered is not None and not one.incidental])
    )
    names = ", ".join(f"'{name}'" for name in sorted(proving(catalogue))) or "''"
    con.execute(PROVEN_SQL.format(proving=names))
    con.unregister("told")
    found = con.execute("SELECT DISTINCT port, proto FROM proven").fetchall()
    return not {(port, proto) for _, proto, port in shared_ports(catalogue)}.isdisjoint(found)


def _table(answered: Sequence[Exchange]) -> pa.Table:
    import pyarrow as pa

    numbers = {
        "client_hi": pa.uint64(),
        "client_lo": pa.uint64(),
        "server_hi": pa.uint64(),
        "server_lo": pa.uint64(),
        "port": pa.uint16(),
        "proto": pa.uint8(),
        "client_port": pa.uint16(),
    }
    columns = {
        name: pa.array([getattr(one, name) for one in answered], kind) for name, kind in numbers.items()
    }
    proofs = [one.answered for one in answered if one.answered is not None]
    columns |= {
        "time": pa.array([proof.ts for proof in proofs], pa.int64()),
        "rec": pa.array([proof.rec for proof in proofs], pa.uint64()),
        "step": pa.array([step_of(one) for one in answered], pa.uint8()),
        "answer": pa.array([one.answer for one in answered], pa.string()),
        "came_back": pa.array([came_back(one) for one in answered], pa.string()),
        "identity": pa.array([one.identity for one in answered], pa.string()),
    }
    return pa.table(columns)
