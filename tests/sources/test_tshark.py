"""Every record of every shared capture, field by field, against tshark.

Where the two differ, one of the rules below says why; docs/decoding.md explains each under the same name. A
rule that explains nothing any more is an error too.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from rearguard.model.bits import FRAG_FIRST, WHY_QUOTED

from .containers import decode, read
from .rows import read_file
from .tshark import Frame, claimed, frames

Row = dict[str, object]
TUNNELS = {"gre", "vxlan"}
END_OF_TIME = 2**63 - 1
CAPTURES = (".pcap", ".pcapng", ".cap")


def other_link_type(frame: Frame, reason: str) -> bool:
    return reason == "unknown-linktype" and frame.protocols[0] in ("fr", "pktap", "user_dlt", "radiotap")


def half_an_ip_header(frame: Frame, reason: str) -> bool:
    return reason in ("bad-ip-header", "truncated-ip-header") and frame.uneven


def service_function_chaining(frame: Frame, reason: str) -> bool:
    return reason == "not-ip" and frame.protocols[:3] == ["eth", "ethertype", "nsh"]


def datagram_in_fragments(frame: Frame, want: Row, got: Row, keys: set[str]) -> bool:
    return keys == {"pay_wire"} and want["proto"] == 17 and want["frag"] == FRAG_FIRST


def datagram_longer_than_its_packet(frame: Frame, want: Row, got: Row, keys: set[str]) -> bool:
    return keys == {"pay_wire"} and want["proto"] == 17 and got["pay_wire"] == int(str(got["bytes"])) - 28


def source_route(frame: Frame, want: Row, got: Row, keys: set[str]) -> bool:
    return keys == {"dst"} and bool({"131", "137"} & set(frame.options))


def after_2262(frame: Frame, want: Row, got: Row, keys: set[str]) -> bool:
    return keys == {"ts"} and frame.time > END_OF_TIME and END_OF_TIME - int(str(got["ts"])) < 2 * 10**9


def fraction_of_more_than_a_second(frame: Frame, want: Row, got: Row, keys: set[str]) -> bool:
    return keys == {"ts"} and frame.capture.name.startswith("timestamp_invalid_")


def offloaded_datagram(frame: Frame, want: Row, got: Row, keys: set[str]) -> bool:
    return want.get("pay_wire") == -8 and want["dport"] == 4789 and got["proto"] == 6


def cut_extension_header(frame: Frame, want: Row, got: Row, keys: set[str]) -> bool:
    return keys == {"proto"} and want["proto"] == -1 and got["proto"] == 44


def jumbogram(frame: Frame, want: Row, got: Row, keys: set[str]) -> bool:
    return keys == {"bytes"} and want["bytes"] == 40 and int(str(got["bytes"])) > 65_575


def inside_longer_than_outside(frame: Frame, want: Row, got: Row, keys: set[str]) -> bool:
    headers = 20 + 4 * int(str(got["doff"]))
    says = int(str(got["bytes"])) - headers
    return keys == {"pay_wire"} and bool(TUNNELS & set(frame.protocols)) and got["pay_wire"] == says


REASON_RULES: tuple[Callable[[Frame, str], bool], ...] = (
    other_link_type,
    half_an_ip_header,
    service_function_chaining,
)
"""Why there is no row where tshark sees an IP header."""

ROW_RULES: tuple[Callable[[Frame, Row, Row, set[str]], bool], ...] = (
    datagram_in_fragments,
    datagram_longer_than_its_packet,
    source_route,
    after_2262,
    fraction_of_more_than_a_second,
    offloaded_datagram,
    cut_extension_header,
    jumbogram,
    inside_longer_than_outside,
)
"""Why columns of a row differ."""


def comparable(row: dict[str, int | str | bytes]) -> Row:
    """A row with its addresses as text, as tshark writes them."""
    out: Row = dict(row)
    for side in ("src", "dst"):
        address = IPv6Address(int(row[f"{side}_hi"]) << 64 | int(row[f"{side}_lo"]))
        out[side] = f"::ffff:{address.ipv4_mapped}" if address.ipv4_mapped else str(address)
    out["quoted"] = bool(int(row["why"]) & WHY_QUOTED)
    return out


def ours(path: Path) -> list[Row | str]:
    """The row of each record, or the reason why it has none."""
    rows, source = read_file(path)
    by_number = {int(row["record"]): comparable(row) for row in rows}
    reasons = decode(read(path.read_bytes()))
    assert len(reasons) == source.tally.records
    return [by_number.get(i) or str(reason) for i, reason in enumerate(reasons, 1)]


def judge(frame: Frame, got: Row | str) -> str | None:
    """None where both agree, the name of the rule that explains a difference, or a text about it."""
    want = claimed(frame)
    if want is None:
        return None if isinstance(got, str) else f"tshark sees no IP header, we {got}"
    if isinstance(got, str):
        names = [rule.__name__ for rule in REASON_RULES if rule(frame, got)]
        return names[0] if names else f"{got}, but tshark sees {want}"
    keys = {key for key, value in want.items() if got[key] != value}
    if not keys:
        return None
    names = [rule.__name__ for rule in ROW_RULES if rule(frame, want, got, keys)]
    return names[0] if names else f"differ: { {key: (want[key], got[key]) for key in keys} }"


@pytest.mark.corpus
@pytest.mark.slow
def test_agrees_with_tshark(corpus: Path, tool: Callable[[str], str]) -> None:
    program = tool("tshark")
    paths = [path for path in sorted(corpus.rglob("*")) if path.suffix in CAPTURES]
    rules = {rule.__name__ for rule in (*REASON_RULES, *ROW_RULES)}
    used: set[str] = set()
    unexplained = []
    compared = 0
    with ThreadPoolExecutor(2) as pool:
        for path, theirs in zip(
            paths, pool.map(lambda path: list(frames(program, path)), paths), strict=True
        ):
            mine = ours(path)
            assert len(mine) == len(theirs), f"{path}: {len(mine)} records, tshark has {len(theirs)}"
            compared += len(mine)
            for frame, got in zip(theirs, mine, strict=True):
                verdict = judge(frame, got)
                if verdict in rules:
                    used.add(verdict)
                elif verdict is not None:
                    unexplained.append(f"{path.relative_to(corpus)} {frame.number}: {verdict}")
    assert not unexplained, unexplained[:5]
    assert compared > 25_000
    assert used == rules
