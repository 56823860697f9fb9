"""What an nfdump 1.6 printed of a file, kept beside it, and what the reader says of the same file.

Its output is that of ``nfdump -6 -N -q -o 'fmt:'`` with the fields of :data:`FORMAT` (``TZ=UTC``): one line a flow.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections import Counter
from collections.abc import Iterable

from .nfcapd_truth import FLAGS, Seen

__all__ = ["FORMAT", "exporters", "of_line", "told"]

FORMAT = "fmt:%ts,%te,%pr,%sa,%sp,%da,%dp,%flg,%pkt,%byt,%in,%out,%dir,%exp,%ra"
PORTLESS = (1, 58)
"""Of ICMP nfdump prints type and code as destination port."""


def of_line(line: str, record: int) -> Seen:
    """One line of the output as a flow."""
    (first, last, proto, src, sport, dst, dport, flags, packets, octets, ingress, egress, way, _, _) = (
        each.strip() for each in line.split(",")
    )
    began = _milliseconds(first)
    bits = sum(1 << FLAGS.index(letter) for letter in flags.replace(".", ""))
    ported = int(proto) not in PORTLESS
    return Seen(
        record, began, max(began, _milliseconds(last)), str(ipaddress.ip_address(src)),
        str(ipaddress.ip_address(dst)), int(sport) if ported else 0, int(dport) if ported else 0, int(proto), bits,
        int(packets), int(octets), int(ingress), int(egress), way == "E",
    )  # fmt: skip


def told(lines: Iterable[str]) -> list[Seen]:
    """All flows of an output that count anything, numbered as the records of the file are."""
    flows = [of_line(line, number) for number, line in enumerate(lines, 1)]
    return [flow for flow in flows if flow.packets or flow.bytes]


def exporters(lines: Iterable[str]) -> Counter[int]:
    """Records by the number of the exporter in the file."""
    return Counter(int(line.split(",")[13]) for line in lines)


def _milliseconds(text: str) -> int:
    moment = dt.datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=dt.UTC)
    return round(moment.timestamp() * 1000)
