"""The judged view under pseudonyms: tables of its own behind a connection of its own, beside the true ones."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa

from rearguard.model.prefixes import PrefixTable
from rearguard.report.share_texts import WITHHELD

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rearguard.contacts.view import SourceInfo, View
    from rearguard.dialogue.exchange import Exchange
    from rearguard.model.address import Network
    from rearguard.report.pseudonyms import Pseudonyms
    from rearguard.report.share_texts import SharedTexts

__all__ = ["shared_view"]

_PAIRED = ("judged", "crowd", "initiations")
"""Tables with a client and a server; the census has no address."""

_ADDRESSES = " UNION ".join(
    f"SELECT {side}_hi, {side}_lo FROM {table}" for table in _PAIRED for side in ("client", "server")
)

_COPY = """
COPY (
    SELECT given.* REPLACE (
        coalesce(c.new_hi, given.client_hi) AS client_hi, coalesce(c.new_lo, given.client_lo) AS client_lo,
        coalesce(s.new_hi, given.server_hi) AS server_hi, coalesce(s.new_lo, given.server_lo) AS server_lo
        {more}
    )
    FROM {table} AS given
    LEFT JOIN own_pseudonyms AS c ON c.hi = given.client_hi AND c.lo = given.client_lo
    LEFT JOIN own_pseudonyms AS s ON s.hi = given.server_hi AND s.lo = given.server_lo
) TO '{file}' (FORMAT PARQUET)
"""

_REASONS = f", CASE WHEN given.exception IS NOT NULL THEN '{WITHHELD}' END AS exception"


def shared_view(view: View, own: Iterable[Network], names: Pseudonyms, texts: SharedTexts) -> View:
    """A view whose tables, sources and exchanges tell nothing of the house; the given one is left as it is."""
    folder = Path(tempfile.mkdtemp(prefix="rearguard-"))
    try:
        made = replace(
            view,
            con=_connection(view.con, folder, own, names),
            sources=tuple(_source(item, texts) for item in view.sources),
            observers=tuple(texts.place(name) for name in view.observers),
            approximations=[texts.place(line) for line in view.approximations],
            exchanges=tuple(_exchange(item, names, texts) for item in view.exchanges),
        )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(made, shutil.rmtree, folder, ignore_errors=True)  # its tables lie there
    return made


def _connection(con: Any, folder: Path, own: Iterable[Network], names: Pseudonyms) -> Any:
    """A connection of its own with the same tables, rewritten on disk as they may be larger than the memory."""
    con.register("own_pseudonyms", _pseudonyms(con, own, names))
    place = str(folder).replace("'", "''")
    try:
        for table in _PAIRED:
            more = _REASONS if table == "judged" else ""
            con.execute(_COPY.format(table=table, more=more, file=f"{place}/{table}.parquet"))
        con.execute(f"COPY (FROM census) TO '{place}/census.parquet' (FORMAT PARQUET)")
    finally:
        con.unregister("own_pseudonyms")
    ((limit, threads),) = con.execute(
        "SELECT current_setting('memory_limit'), current_setting('threads')"
    ).fetchall()
    made = duckdb.connect(
        config={"memory_limit": limit, "threads": threads, "temp_directory": str(folder / "duckdb")}
    )
    made.execute("SET enable_progress_bar = false")
    for table in (*_PAIRED, "census"):
        made.execute(f"CREATE VIEW {table} AS FROM read_parquet('{place}/{table}.parquet')")
    return made


def _source(item: SourceInfo, texts: SharedTexts) -> SourceInfo:
    damaged = None if item.damaged is None else texts.place(item.damaged)
    exporters = tuple(replace(each, address=texts.place(each.address)) for each in item.exporters)
    return replace(item, uri=texts.source(item.uri), damaged=damaged, exporters=exporters)


def _pseudonyms(con: Any, own: Iterable[Network], names: Pseudonyms) -> pa.Table:
    """Both halves of every own address that occurs, and of its pseudonym."""
    found = con.execute(_ADDRESSES).fetchnumpy()
    high, low = (np.asarray(column, dtype=np.uint64) for column in found.values())
    ours = PrefixTable.build((network, 0) for network in set(own)).lookup(high, low) >= 0
    old = list(zip(high[ours].tolist(), low[ours].tolist(), strict=True))
    new = [names.halves(*each) for each in old]
    columns = [[each[place] for each in rows] for rows in (old, new) for place in (0, 1)]
    return pa.table(
        {
            name: pa.array(column, pa.uint64())
            for name, column in zip(("hi", "lo", "new_hi", "new_lo"), columns, strict=True)
        }
    )


def _exchange(item: Exchange, names: Pseudonyms, texts: SharedTexts) -> Exchange:
    """What was said, without credentials; where some were typed in the open, nothing of it is quoted."""
    client_hi, client_lo = names.halves(item.client_hi, item.client_lo)
    server_hi, server_lo = names.halves(item.server_hi, item.server_lo)
    return replace(
        item,
        client_hi=client_hi,
        client_lo=client_lo,
        server_hi=server_hi,
        server_lo=server_lo,
        path=texts.payload(item.path),
        method=texts.payload(item.method),
        hits=tuple(
            replace(
                hit,
                excerpt=WITHHELD if item.secrets else texts.payload(hit.excerpt),
                named=tuple(texts.plain(name) for name in hit.named),
                urls=tuple(texts.payload(url) for url in hit.urls),
            )
            for hit in item.hits
        ),
        secrets=tuple(replace(secret, shown=WITHHELD) for secret in item.secrets),
        inform=None
        if item.inform is None
        else replace(
            item.inform,
            manufacturer=texts.payload(item.inform.manufacturer),
            product_class=texts.payload(item.inform.product_class),
            software=texts.payload(item.inform.software),
            serial=WITHHELD,
            url=WITHHELD if item.inform.url else "",
        ),
        rpcs=tuple(texts.payload(name) for name in item.rpcs),
        fetch=tuple(texts.plain(name) for name in item.fetch),
    )
