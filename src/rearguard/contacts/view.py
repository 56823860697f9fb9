"""The judged view: what detectors read. Four DuckDB tables that are derived after everything has merged.

``judged``   one row a client, server, port and protocol; observers are already merged (rule A5: the largest,
             never the sum), policy and catalogue have been applied.
``census``   one row a minute, port, protocol and direction, over all ports; sketches are 64-byte blobs.
``crowd``    clients that were seen once, unanswered, beyond the limit of listed ones: counted, not listed.
``initiations``  what those of our devices opened that an attack reached, the earliest of each minute.

What was said on management interfaces lies beside them: :attr:`View.exchanges`.

Nothing in here can be merged further; a changed policy builds a new view from the same folded facts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

    from rearguard.contacts.observing import Rate
    from rearguard.dialogue.exchange import Exchange
    from rearguard.sources.reader import Exporter

__all__ = ["CENSUS_SQL", "CROWD_SQL", "INITIATIONS_SQL", "JUDGED_SQL", "RECORD_BITS", "SourceInfo", "View"]

JUDGED_SQL = """
CREATE TABLE judged (
    client_hi UBIGINT, client_lo UBIGINT,   -- who opened (rule A3), IPv4 as ::ffff:0:0/96
    server_hi UBIGINT, server_lo UBIGINT,   -- who listens
    port USMALLINT, proto UTINYINT,
    observers UINTEGER,                     -- at how many places it was seen
    sampling UINTEGER,                      -- 1:N of the place that is counted; 0 unknown
    interface VARCHAR,                      -- catalogue id, NULL: not a management interface
    listener VARCHAR,                       -- 'device' | 'controller' | NULL
    target BOOLEAN,                         -- false: incidental, no finding may rest on it (rule A3)
    certainty VARCHAR,                      -- of the roles: 'certain' | 'likely' | 'unsure'
    direction VARCHAR,                      -- inbound | outbound | internal | transit
    client_network VARCHAR, server_network VARCHAR,  -- the policy's names, NULL outside
    authorised BOOLEAN, authorised_by VARCHAR,
    surveyor VARCHAR,                       -- rule B3: a known research scanner
    exception VARCHAR,                      -- reason of the policy's exception, muted but counted
    outcome VARCHAR,                        -- unanswered | refused | answered | conversed | unknown
    verified BOOLEAN,                       -- rule B4: the client completed a handshake
    dark BOOLEAN,                           -- rule B6: the server address was never seen sending
    packets_c UBIGINT, packets_s UBIGINT, bytes_c UBIGINT, bytes_s UBIGINT,
    payload_c UBIGINT, payload_s UBIGINT,   -- not scaled by sampling
    first BIGINT, last BIGINT,              -- ns since the epoch, both sides together
    first_c BIGINT, first_s BIGINT, last_c BIGINT, last_s BIGINT,  -- NULL: that side was not seen
    proof_rank_c UTINYINT, proof_time_c BIGINT, proof_rec_c UBIGINT, proof_port_c USMALLINT,
    proof_rank_s UTINYINT, proof_time_s BIGINT, proof_rec_s UBIGINT, proof_port_s USMALLINT,
    load_time_c BIGINT, load_rec_c UBIGINT, load_port_c USMALLINT,
    load_time_s BIGINT, load_rec_s UBIGINT, load_port_s USMALLINT,
    flags_c UTINYINT, flags_s UTINYINT, seen_c USMALLINT, seen_s USMALLINT, known UINTEGER,
    tries UBIGINT,                          -- SYNs without ACK, or datagrams to the port
    unacked UBIGINT,                        -- without ACK and RST, or datagrams to the port; NULL: cannot be told
    no_options UBIGINT, fp_mirai UBIGINT, fp_zmap UBIGINT, fp_masscan UBIGINT
)
"""

CENSUS_SQL = """
CREATE TABLE census (
    minute BIGINT, port USMALLINT, proto UTINYINT, direction UTINYINT, sampling UINTEGER,
    packets UBIGINT, bytes UBIGINT, tries UBIGINT, sources BLOB, targets BLOB
)
"""

CROWD_SQL = """
CREATE TABLE crowd (
    interface VARCHAR, direction VARCHAR, network VARCHAR, port USMALLINT, proto UTINYINT, minute BIGINT,
    clients UBIGINT, tries UBIGINT, packets UBIGINT, bytes UBIGINT, first BIGINT, last BIGINT,
    proof_rec_c UBIGINT, proof_time_c BIGINT, proof_port_c USMALLINT,
    client_hi UBIGINT, client_lo UBIGINT, server_hi UBIGINT, server_lo UBIGINT  -- of that record
)
"""

INITIATIONS_SQL = """
CREATE TABLE initiations (
    client_hi UBIGINT, client_lo UBIGINT, server_hi UBIGINT, server_lo UBIGINT,
    time BIGINT, rec UBIGINT, port USMALLINT, client_port USMALLINT, proto UTINYINT, minute BIGINT
)
"""

RECORD_BITS = 40
"""A record pointer is ``source number << 40 | record number``."""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """One input: its name, and what was read of it."""

    uri: str
    format: str
    records: int
    bytes: int
    skipped: dict[str, int]
    first_seen: int | None
    last_seen: int | None
    damaged: str | None = None
    complete: bool = True
    """Whether everything in it could be read; also false where single records or blocks could not."""
    exporters: tuple[Exporter, ...] = ()
    """Of flows: who exported them, and how well that was heard."""
    first_bad: str = ""
    """Of tables: the first record that could not be read, and why."""


@dataclass(slots=True, weakref_slot=True)
class View:
    """A DuckDB connection that holds the tables, what was said, and what all came from."""

    con: duckdb.DuckDBPyConnection
    sources: tuple[SourceInfo, ...]
    observers: tuple[str, ...]
    spans: tuple[tuple[int, int], ...] = ()
    """By source number of a record pointer: index into ``sources`` and the records before it; () = itself."""
    approximations: list[str] = field(default_factory=list)
    exchanges: tuple[Exchange, ...] = ()
    """Dialogues that have something to tell, ascending by time."""
    rates: tuple[Rate, ...] = ()
    """At what rates the places sampled, and whence that is known."""

    def pointer(self, rec: int) -> tuple[str, int]:
        """The source's name and the record's number (from 1) of a record pointer."""
        number, record = rec >> RECORD_BITS, rec & ((1 << RECORD_BITS) - 1)
        source, before = self.spans[number] if self.spans else (number, 0)
        return self.sources[source].uri, before + record

    @property
    def span(self) -> tuple[int, int] | None:
        """First and last time of all records, ns; None when nothing had a time."""
        firsts = [item.first_seen for item in self.sources if item.first_seen is not None]
        lasts = [item.last_seen for item in self.sources if item.last_seen is not None]
        return (min(firsts), max(lasts)) if firsts and lasts else None
