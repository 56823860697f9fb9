"""The touches of groups by a query: what detectors leave in the view ``members``, as rows for a tally."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rearguard.detect import tally_rows as marks
from rearguard.detect.members import Known
from rearguard.detect.tally_rows import MEMBER, NO_RANK, NO_RESULT, PEER

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

__all__ = ["OfQuery"]

MEMBERS_SQL = """
SELECT
    gid::BIGINT AS place, peer_hi, peer_lo, client_hi, client_lo, server_hi, server_lo, begun, last,
    (packets_c + packets_s)::UBIGINT AS packets, (bytes_c + bytes_s)::UBIGINT AS bytes, tries::UBIGINT AS tries,
    fp_mirai::UBIGINT AS mirai, fp_zmap::UBIGINT AS zmap, fp_masscan::UBIGINT AS masscan,
    coalesce(CASE WHEN {answer} THEN time_s ELSE time_c END, 0) AS time,
    coalesce(CASE WHEN {answer} THEN rec_s ELSE rec_c END, 0)::UBIGINT AS rec,
    rate::UINTEGER AS rate, sampling::UINTEGER AS sampling, port,
    coalesce(CASE WHEN {answer} THEN port_s ELSE port_c END, 0)::USMALLINT AS far_port,
    proto, coalesce(result, {no_result})::UTINYINT AS result,
    CASE WHEN {answer} THEN rank_s ELSE rank_c END AS rank,
    (
        CASE WHEN verified THEN {verified} ELSE 0 END + CASE WHEN dark THEN {dark} ELSE 0 END
        + CASE WHEN bare THEN {bare} ELSE 0 END + CASE WHEN unproven AND result >= 3 THEN {unproven} ELSE 0 END
        + CASE WHEN {answer} THEN {is_answer} ELSE 0 END + CASE WHEN surveyor IS NULL THEN 0 ELSE {surveyor} END
        + CASE WHEN exception IS NULL THEN 0 ELSE {exception} END
    )::UTINYINT AS marks
FROM members
"""

AGAIN_SQL = f"""
SELECT
    gid::BIGINT AS place, peer_hi, peer_lo, begun, (packets_c + packets_s)::UBIGINT AS packets,
    rate::UINTEGER AS rate, CASE WHEN dark THEN {marks.DARK} ELSE 0 END::UTINYINT AS marks
FROM members SEMI JOIN again USING (gid)
ORDER BY gid, peer_hi, peer_lo
"""

KNOWN_SQL = """
SELECT gid, list(DISTINCT surveyor) AS surveyors, list(DISTINCT exception) AS exceptions
FROM members
WHERE surveyor IS NOT NULL OR exception IS NOT NULL
GROUP BY gid
"""

ANSWER_SQL = {False: f"rank_c = {NO_RANK}", True: f"rank_s < {NO_RANK}"}
"""Whose packet proves a touch: the opener's unless it was not seen, or the listener's if it was."""

_MARKS = {
    "verified": marks.VERIFIED,
    "dark": marks.DARK,
    "bare": marks.BARE,
    "unproven": marks.UNPROVEN,
    "is_answer": marks.ANSWER,
    "surveyor": marks.SURVEYOR,
    "exception": marks.EXCEPTION,
    "no_result": NO_RESULT,
}
"""What the query writes into ``marks``."""

BATCH = 16_384
"""Rows that are fetched at once."""


@dataclass(frozen=True, slots=True)
class OfQuery:
    """The view ``members``: touches with ``gid``, ``peer_hi`` and ``peer_lo``. ``gids``, ascending, are all that
    occur in it. ``by_listener``: that it answered is what is to be proven."""

    con: duckdb.DuckDBPyConnection
    gids: npt.NDArray[np.int64]
    by_listener: bool = False
    hashed: bool = False

    def batches(self) -> Iterator[npt.NDArray[Any]]:
        """Rows of MEMBER."""
        sql = MEMBERS_SQL.format(answer=ANSWER_SQL[self.by_listener], **_MARKS)
        for batch in self.con.sql(sql).to_arrow_reader(BATCH):
            yield _placed(batch, self.gids, MEMBER)

    def sorted_peers(
        self, con: duckdb.DuckDBPyConnection, places: npt.NDArray[np.int64]
    ) -> Iterator[npt.NDArray[Any]]:
        """Rows of PEER of these groups, by group and peer."""
        import pyarrow as pa

        con.register("again", pa.table({"gid": self.gids[places].astype(np.int32)}))
        for batch in con.sql(AGAIN_SQL).to_arrow_reader(BATCH):
            yield _placed(batch, self.gids, PEER)
        con.unregister("again")

    def known(self) -> Known:
        """Whom the policy knows."""
        known = Known()
        for gid, surveyors, exceptions in self.con.execute(KNOWN_SQL).fetchall():
            place = int(np.searchsorted(self.gids, gid))
            known.surveyors[place] = {name for name in surveyors if name is not None}
            known.exceptions[place] = {text for text in exceptions if text is not None}
        return known


def _placed(batch: pa.RecordBatch, gids: npt.NDArray[np.int64], kind: np.dtype[Any]) -> npt.NDArray[Any]:
    """Rows of this kind, each with the place of its group."""
    made = np.empty(batch.num_rows, kind)
    for name in kind.names or ():
        made[name] = batch.column(name).to_numpy()
    whole = gids[0] == 1 and gids[-1] == len(gids)  # no number is left out
    made["place"] = made["place"] - 1 if whole else np.searchsorted(gids, made["place"])
    return made
