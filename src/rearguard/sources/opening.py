"""Open an input by what its first bytes are, not by what its file is called.

Packets (pcap, pcapng) are tried last, because their error message is the one for everything unknown. A format of
flows is one entry in :data:`FORMATS`: how its beginning is recognised (a cheap function of bytes in
:mod:`rearguard.sources.signs`), and the function that opens it, imported when it is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from rearguard.sources import signs
from rearguard.sources.inputs import Input, open_input
from rearguard.sources.probe import open_container
from rearguard.sources.reader import Reader, Span
from rearguard.sources.source import PacketSource
from rearguard.sources.window import SIZE, Window

if TYPE_CHECKING:
    from rearguard.policy.columns import ColumnRule
    from rearguard.sources.exports.carried import Carried

__all__ = ["FORMATS", "HEAD", "Format", "Options", "open_packets", "open_source"]

HEAD = 4_096
"""Bytes that are looked at to recognise a format."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the user said about the inputs that their bytes do not tell."""

    exports: bool = False
    """The UDP payloads of captures are flow exports (NetFlow, IPFIX, sFlow)."""
    columns: tuple[tuple[str, ColumnRule], ...] = ()
    """What the policy says about the columns of flow files: rules with their names."""
    carried: Carried | None = None
    """Where captures of exports that are read one after the other leave their templates for the next; None: each
    stands for itself."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format of flow records. ``function`` of ``module`` is called with (inflow, window, uri, number, options)
    and returns a :class:`~rearguard.sources.reader.Reader`, which closes ``inflow``."""

    name: str
    recognises: Callable[[bytes], bool]
    module: str
    function: str


FORMATS: tuple[Format, ...] = (
    Format("nfcapd", signs.is_nfcapd, "rearguard.sources.nfcapd.reader", "open_nfcapd"),
    Format("ipfix", signs.is_ipfix, "rearguard.sources.ipfix_file", "open_ipfix"),
    Format("zeek", signs.is_zeek, "rearguard.sources.logs.zeek", "open_zeek"),
    Format("zeek json", signs.is_zeek_json, "rearguard.sources.logs.zeek", "open_zeek_json"),
    Format("eve", signs.is_eve, "rearguard.sources.logs.eve", "open_eve"),
    Format("parquet", signs.is_parquet, "rearguard.sources.logs.parquet", "open_parquet"),
    Format("argus", signs.is_argus, "rearguard.sources.logs.argus", "refuse_argus"),
    Format("json lines", signs.is_json, "rearguard.sources.logs.ndjson", "open_json_lines"),
    Format("csv", signs.is_table, "rearguard.sources.logs.delimited", "open_delimited"),
)


def open_source(
    uri: str,
    *,
    number: int = 0,
    span: Span | None = None,
    window: int = SIZE,
    options: Options | None = None,
) -> Reader:
    """Open an input ("-" is standard input) and look at its beginning.

    ``window`` is the size of the buffer in bytes. With ``span``, only the records of a capture that begin in it are
    read, and their numbers count from 1. Raises :class:`~rearguard.model.errors.InputError` for what nothing here
    can read.
    """
    options = options or Options()
    inflow = open_input(uri)
    try:
        view = Window(inflow, size=window)
        head = view.take(HEAD)
        for form in FORMATS:
            if form.recognises(head):
                opened: Reader = getattr(import_module(form.module), form.function)(
                    inflow, view, uri, number, options
                )
                return opened
        capture = _packets(inflow, view, uri, number, None if options.exports else span)
        return _exports(capture, options) if options.exports else capture
    except BaseException:
        inflow.close()
        raise


def open_packets(uri: str, *, number: int = 0, span: Span | None = None, window: int = SIZE) -> PacketSource:
    """Open a capture as packets. Raises InputError for what is no capture."""
    inflow = open_input(uri)
    try:
        return _packets(inflow, Window(inflow, size=window), uri, number, span)
    except BaseException:
        inflow.close()
        raise


def _exports(capture: PacketSource, options: Options) -> Reader:
    """The flows whose exports a capture carries; imported when it is needed."""
    from rearguard.sources.exports_capture import ExportsSource

    return ExportsSource(capture, options.carried)


def _packets(inflow: Input, view: Window, uri: str, number: int, span: Span | None) -> PacketSource:
    source = PacketSource(uri, number, inflow, view, open_container(view, uri))
    if span is not None:
        source.seek(span)
    return source
