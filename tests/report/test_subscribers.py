"""Leases: which tables are understood, what is refused and where, and who held an address when."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rearguard.model.errors import InputError
from rearguard.report.cases.table import PROBLEMS, CellError, TableError, read_time
from rearguard.report.subscribers import ALWAYS, COLUMNS, NEVER, Subscribers, load_subscribers

Load = Callable[[str], Subscribers]
NOON = int(datetime(2026, 11, 26, 12, tzinfo=UTC).timestamp()) * 1_000_000_000
HOUR = 3_600_000_000_000


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def read(text: str) -> Subscribers:
        file = tmp_path / "leases.csv"
        file.write_bytes(text.encode("utf-8", "surrogateescape"))
        return load_subscribers(file)

    return read


def who(table: Subscribers, address: str, time: int = NOON, port: int | None = None) -> list[str]:
    return [lease.subscriber for lease in table.at(ip_address(address), port, time)]


@pytest.mark.parametrize(
    "text",
    [
        "address,subscriber\n198.51.100.7,anna\n",
        "\ufeffIP Address;Customer-ID\r\n198.51.100.7;anna\r\n",
        "User-Name\tFramed-IP-Address\tspeed\nanna\t198.51.100.7\tfast\n",
        'prefix,subscriber\n"198.51.100.0/28","anna"\n\n',
        "account_id, ipv4 ,contact\n anna , 198.51.100.7 ,anna@example.net",
        "address,from,to,subscriber\n198.51.100.7,,,anna\n",
    ],
    ids=["plain", "semicolons and BOM", "tabs, RADIUS names", "quotes", "spaces", "empty times"],
)
def test_headers_and_separators_are_understood(load: Load, text: str) -> None:
    table = load(text)
    assert who(table, "198.51.100.7") == ["anna"]
    assert who(table, "198.51.100.77") == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-26T12:00:00Z", 0),
        ("2026-11-26t12:00:00z", 0),
        ("2026-11-26 13:30:00+01:30", 0),
        ("2026-11-26T12:00:00.000000001Z", 1e-9),
        ("1795694400", 0),
        ("1795694400.5", 0.5),
    ],
)
def test_times_are_rfc_3339_or_unix_seconds(text: str, seconds: float) -> None:
    assert read_time(text) == NOON + round(seconds * 1e9)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("2026-11-26T12:00:00", "zone"),
        ("2026-11-26", "2026-11-26T10:00:00Z"),
        ("1795694400000", "divide by 1,000"),
        ("2026-02-30T12:00:00Z", "check day"),
        ("26.11.2026 12:00", "2026-11-26T10:00:00Z"),
        ("²", "2026-11-26T10:00:00Z"),
        ("9" * 400, "divide"),
    ],
)
def test_other_times_are_refused(text: str, remedy: str) -> None:
    with pytest.raises(CellError) as caught:
        read_time(text)
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("address,subscriber\n198.51.100.300,a\n", ":2: column 1 (address)", "no address"),
        ("address,subscriber\n198.51.100.7/24,a\n", ":2: column 1 (address)", "write 198.51.100.0/24"),
        ("address,subscriber\n198.51.100.7,a\nfe80::1%eth0,b\n", ":3: column 1 (address)", "no address"),
        ("address,subscriber\n198.51.100.7, \n", ":2: column 2 (subscriber)", "names no subscriber"),
        ("subscriber,to,address\na,soon,198.51.100.7\n", ":2: column 2 (to)", "no time"),
        ("address,ports,subscriber\n198.51.100.7,9-8,a\n", ":2: column 2 (ports)", "no port range"),
        ("address,ports,subscriber\n198.51.100.7,0-65536,a\n", ":2: column 2 (ports)", "no port range"),
        ("address,port from,port to,subscriber\n192.0.2.1,5,,a\n", ":2: column 2 (first port)", "one end"),
        ("address,from,to,subscriber\n192.0.2.1,20,10,a\n", ":2: column 3 (to)", "before it begins"),
        ("address,subscriber\n192.0.2.1\n", ":2", "1 fields, but the header has 2"),
        ('address,subscriber\n"192.0.2.1"x,a\n', ":2", "no valid CSV"),
        ('address,subscriber\n192.0.2.1,"a\n', ":", "no valid CSV"),
        ("address,name\n192.0.2.1,a\n", ":1", "no column for subscriber"),
        ("", ":1", "no column for address"),
        ("address,ip,subscriber\n", ":1: column 2 (ip)", "so does 'address'"),
        ("address,subscriber\n", "", "has no lease"),
        ("address,subscriber\n192.0.2.1,a\n192.0.2.2,\udcff\n", ":3", "not UTF-8"),
    ],
)
def test_mistakes_are_told_with_file_line_and_column(
    load: Load, tmp_path: Path, text: str, place: str, problem: str
) -> None:
    with pytest.raises(InputError) as caught:
        load(text)
    told = str(caught.value)
    assert told.startswith(f"{tmp_path / 'leases.csv'}{place}")
    assert problem in told
    assert "remedy:" in told


def test_all_mistakes_are_told_up_to_a_limit(load: Load) -> None:
    with pytest.raises(TableError) as caught:
        load("address,subscriber\n" + "x,a\n" * 3)
    assert len(caught.value.problems) == 3
    with pytest.raises(TableError) as caught:
        load("address,subscriber\n" + "x,a\n" * 100)
    assert len(caught.value.problems) == PROBLEMS
    assert "the rest of the file was not checked" in str(caught.value)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_subscribers(tmp_path / "none.csv")


def test_every_name_of_a_column_is_documented(project: Path) -> None:
    page = (project / "docs" / "cases.md").read_text()
    for column in COLUMNS:
        assert f"`{column.name}`" in page
        assert [name for name in column.others if name not in page] == []


def test_more_leases_than_the_limit_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "many.csv"
    file.write_text("address,subscriber\n192.0.2.1,a\n192.0.2.2,b\n192.0.2.3,c\n")
    assert len(load_subscribers(file, limit=3)) == 3
    with pytest.raises(InputError, match="more than 2 leases"):
        load_subscribers(file, limit=2)


def test_the_lease_at_the_time_answers_and_its_end_is_excluded(load: Load) -> None:
    table = load(
        "address,from,to,subscriber\n"
        "198.51.100.7,2026-11-26T10:00:00Z,2026-11-26T12:00:00Z,anna\n"
        "198.51.100.7,2026-11-26T12:00:00Z,2026-11-26T14:00:00Z,bert\n"
    )
    assert who(table, "198.51.100.7", NOON - 1) == ["anna"]
    assert who(table, "198.51.100.7", NOON) == ["bert"]
    assert who(table, "198.51.100.7", NOON + 2 * HOUR) == []
    assert who(table, "198.51.100.7", NOON - 3 * HOUR) == []
    held = table.within(ip_address("198.51.100.7"), NOON - HOUR, NOON + HOUR)
    assert [lease.subscriber for lease in held] == ["anna", "bert"]
    assert table.notes() == ()


def test_behind_shared_addresses_the_port_decides_and_without_it_nobody_is_named(load: Load) -> None:
    table = load(
        "address,ports,subscriber\n203.0.113.1,1024-2047,anna\n203.0.113.1,2048-3071,bert\n"
        "203.0.113.2,,carl\n"
    )
    assert who(table, "203.0.113.1", port=2047) == ["anna"]
    assert who(table, "203.0.113.1", port=2048) == ["bert"]
    assert who(table, "203.0.113.1", port=80) == []
    assert who(table, "203.0.113.1") == ["anna", "bert"]
    assert who(table, "203.0.113.2", port=80) == ["carl"]
    assert table.notes() == ()


def test_the_longest_prefix_answers_at_that_time(load: Load) -> None:
    table = load(
        "address,from,to,subscriber\n"
        "2001:db8:c::/48,,,pool\n2001:db8:c:700::/56,,2026-11-26T12:00:00Z,anna\n198.51.100.0/24,,,pool\n"
    )
    assert who(table, "2001:db8:c:7ff::1", NOON - 1) == ["anna"]
    assert who(table, "2001:db8:c:7ff::1", NOON) == ["pool"]
    assert who(table, "2001:db8:c:800::1") == ["pool"]
    assert who(table, "198.51.100.200") == ["pool"]
    assert who(table, "::ffff:198.51.100.200") == ["pool"], "the same address, written as IPv6 has it"


def test_a_lease_tells_what_its_line_says(load: Load) -> None:
    [lease] = load("contact,ip,port block,start,id\n+49 1,192.0.2.1,5-6,7,x\n").at(
        ip_address("192.0.2.1"), 5, NOON
    )
    assert (lease.prefix, lease.ports, lease.start, lease.end) == ("192.0.2.1", (5, 6), 7_000_000_000, NEVER)
    assert (lease.subscriber, lease.contact, lease.line) == ("x", "+49 1", 2)
    [lease] = load("ip,id\n192.0.2.0/31,x\n").at(ip_address("192.0.2.1"), 5, NOON)
    assert (lease.prefix, lease.ports, lease.start, lease.end) == ("192.0.2.0/31", None, ALWAYS, NEVER)


@pytest.mark.parametrize(
    ("lines", "pairs"),
    [
        (["a,,10,20,x", "a,,19,30,y"], 1),
        (["a,,10,20,x", "a,,20,30,y"], 0),
        (["a,,10,20,x", "a,,19,30,x"], 0),
        (["a,,10,100,x", "a,,11,12,x", "a,,50,60,y"], 1),
        (["a,1-9,10,20,x", "a,10-19,10,20,y"], 0),
        (["a,1-10,10,20,x", "a,10-19,10,20,y"], 1),
        (["a,1-10,10,20,x", "a,10-19,20,30,y"], 0),
        (["a,,10,20,x", "a,10-19,15,30,y"], 1),
        (["a,1-100,1,5,x", "a,1-100,5,9,y", "a,50-60,5,9,z"], 1),
        (["a,,,,x", "b,,,,y"], 0),
    ],
)
def test_leases_that_contradict_each_other_are_named(load: Load, lines: list[str], pairs: int) -> None:
    text = "\n".join(["address,ports,from,to,subscriber", *lines])
    table = load(text.replace("a,", "192.0.2.1,").replace("b,", "192.0.2.2,"))
    assert len(table.overlaps.found) == pairs
    assert len(table.notes()) == (pairs > 0)
    if pairs:
        assert "192.0.2.1 (lines " in table.notes()[0]


def test_where_leases_contradict_each_other_both_are_given(load: Load) -> None:
    table = load("address,subscriber\n192.0.2.1,x\n192.0.2.1,y\n192.0.2.1,x\n")
    assert sorted(who(table, "192.0.2.1")) == ["x", "y"]
    assert "lines 2 and 3" in table.notes()[0]


LEASES = st.lists(
    st.tuples(
        st.sampled_from(["192.0.2.0/30", "192.0.2.1", "192.0.2.2", "2001:db8::/56", "2001:db8::1"]),
        st.sampled_from([(0, 65535), (0, 99), (100, 199), (50, 150)]),
        st.integers(0, 20),
        st.integers(1, 10),
        st.sampled_from("xyz"),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(LEASES, st.sampled_from(["192.0.2.1", "192.0.2.3", "2001:db8::1", "2001:db8::2"]))
def test_look_ups_and_contradictions_agree_with_a_plain_search(
    tmp_path_factory: pytest.TempPathFactory,
    leases: list[tuple[str, tuple[int, int], int, int, str]],
    asked: str,
) -> None:
    from ipaddress import ip_network

    file = tmp_path_factory.mktemp("leases") / "l.csv"
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("address", "ports", "from", "to", "subscriber"))
    for prefix, ports, start, length, name in leases:
        writer.writerow((prefix, f"{ports[0]}-{ports[1]}", start, start + length, name))
    file.write_text(out.getvalue())
    table = load_subscribers(file)
    address = ip_address(asked)
    for time in range(0, 31, 3):
        for port in (None, 60, 120):
            fitting = [
                (ip_network(prefix).prefixlen, name)
                for prefix, (low, high), start, length, name in leases
                if address in ip_network(prefix)
                and start <= time < start + length
                and (port is None or low <= port <= high)
            ]
            longest = max((length for length, _ in fitting), default=0)
            expected = {name for length, name in fitting if length == longest}
            assert set(who(table, asked, time * 1_000_000_000, port)) == expected
    contradictions = sum(
        one[0] == other[0]
        and one[4] != other[4]
        and one[1][0] <= other[1][1]
        and other[1][0] <= one[1][1]
        and one[2] < other[2] + other[3]
        and other[2] < one[2] + one[3]
        for place, one in enumerate(leases)
        for other in leases[:place]
    )
    assert len(table.overlaps.found) == contradictions
