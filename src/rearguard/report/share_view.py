"""The judged view under pseudonyms: tables of their own, in a schema of their own, beside the true ones."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from rearguard.model.prefixes import PrefixTable
from rearguard.report.share_texts import WITHHELD

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rearguard.contacts.view import View
    from rearguard.dialogue.exchange import Exchange
    from rearguard.model.address import Network
    from rearguard.report.pseudonyms import Pseudonyms
    from rearguard.report.share_texts import SharedTexts

__all__ = ["shared_view"]

_PAIRED = ("judged", "crowd", "initiations")
"""Tables with a client and a server; the census has no address."""

_ADDRESSES = " UNION ".join(
    f"SELECT {side}_hi, {side}_lo FROM main.{table}" for table in _PAIRED for side in ("client", "server")
)

_COPY = """
CREATE TABLE {schema}.{table} AS
SELECT given.* REPLACE (
    coalesce(c.new_hi, given.client_hi) AS client_hi, coalesce(c.new_lo, given.client_lo) AS client_lo,
    coalesce(s.new_hi, given.server_hi) AS server_hi, coalesce(s.new_lo, given.server_lo) AS server_lo
    {more}
)
FROM main.{table} AS given
LEFT JOIN {schema}.pseudonyms AS c ON c.hi = given.client_hi AND c.lo = given.client_lo
LEFT JOIN {schema}.pseudonyms AS s ON s.hi = given.server_hi AND s.lo = given.server_lo
"""

_REASONS = f", CASE WHEN given.exception IS NOT NULL THEN '{WITHHELD}' END AS exception"


def shared_view(view: View, own: Iterable[Network], names: Pseudonyms, texts: SharedTexts) -> View:
    """A view whose tables, sources and exchanges tell nothing of the house; the given one is left as it is."""
    con = view.con.cursor()
    schema = f"shared_{secrets.token_hex(6)}"
    con.execute(f"CREATE SCHEMA {schema}")
    con.register("given_pseudonyms", _pseudonyms(con, own, names))
    con.execute(f"CREATE TABLE {schema}.pseudonyms AS FROM given_pseudonyms")
    con.unregister("given_pseudonyms")
    for table in _PAIRED:
        con.execute(_COPY.format(schema=schema, table=table, more=_REASONS if table == "judged" else ""))
    con.execute(f"CREATE VIEW {schema}.census AS FROM main.census; DROP TABLE {schema}.pseudonyms")
    con.execute(f"SET schema = '{schema}'")
    return replace(
        view,
        con=con,
        sources=tuple(
            replace(
                item,
                uri=texts.source(item.uri),
                damaged=None if item.damaged is None else texts.place(item.damaged),
            )
            for item in view.sources
        ),
        observers=tuple(texts.place(name) for name in view.observers),
        approximations=[texts.place(line) for line in view.approximations],
        exchanges=tuple(_exchange(item, names, texts) for item in view.exchanges),
    )


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
