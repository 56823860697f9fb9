"""The shipped entries: whole, traceable, and true to the knowledge that they refer to."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from rearguard.catalogue import Initiator, Interface, Listener, Standing, load, schema
from rearguard.catalogue.catalogue import INTERFACES

ENTRIES = load().interfaces
FILES = sorted(INTERFACES.glob("*.yaml"))

# What the catalogue may not lose: (id, listener, primary port).
REQUIRED = [
    ("cwmp-cr", "device", "tcp/7547"),
    ("cwmp-acs", "controller", "tcp/7547"),
    ("cwmp-udp-cr", "device", "udp/7547"),
    ("cwmp-xmpp", "controller", "tcp/5222"),
    ("usp-controller", "controller", "tcp/443"),
    ("tr064", "device", "tcp/49000"),
    ("upnp-soap", "device", "tcp/49152"),
    ("ssdp", "device", "udp/1900"),
    ("hnap", "device", "tcp/80"),
    ("wsd", "device", "udp/3702"),
    ("telnet", "device", "tcp/23"),
    ("ssh", "device", "tcp/22"),
    ("http-admin", "device", "tcp/80"),
    ("https-admin", "device", "tcp/443"),
    ("winbox", "device", "tcp/8291"),
    ("mikrotik-api", "device", "tcp/8728"),
    ("smart-install", "device", "tcp/4786"),
    ("snmp", "device", "udp/161"),
    ("adb", "device", "tcp/5555"),
    ("netis", "device", "udp/53413"),
    ("sercomm", "device", "tcp/32764"),
    ("realtek-mp-daemon", "device", "udp/9034"),
    ("xm-console", "device", "tcp/9530"),
    ("ubnt-discovery", "device", "udp/10001"),
    ("dahua", "device", "tcp/37777"),
    ("dahua-discovery", "device", "udp/37810"),
    ("xmeye", "device", "tcp/34567"),
    ("hikvision-sdk", "device", "tcp/8000"),
    ("rtsp", "device", "tcp/554"),
    ("coap", "device", "udp/5683"),
    ("mqtt", "device", "tcp/1883"),
    ("ipmi", "device", "udp/623"),
    ("tftp", "device", "udp/69"),
    ("pcom", "device", "tcp/20256"),
]


@pytest.mark.parametrize(("name", "listener", "primary"), REQUIRED)
def test_the_interface_is_there_with_its_listener_and_primary_port(
    name: str, listener: str, primary: str
) -> None:
    entry = load().get(name)
    assert (str(entry.listener), str(entry.primary)) == (listener, primary)


def test_there_are_at_least_thirty_two_interfaces() -> None:
    assert len(ENTRIES) >= 32


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_file_follows_the_schema_that_editors_get(file: Path) -> None:
    jsonschema.Draft202012Validator(schema()).validate(yaml.safe_load(file.read_text(encoding="utf-8")))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
def test_every_entry_can_be_traced(entry: Interface) -> None:
    assert any(source.url.startswith("https://") for source in entry.sources)
    assert len({source.url for source in entry.sources}) == len(entry.sources)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
def test_every_sentence_is_a_sentence(entry: Interface) -> None:
    for sentence in (entry.origin, entry.collateral):
        assert sentence.endswith(".")
        assert sentence[0].isupper()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
def test_what_stays_at_home_lets_nobody_in_from_anywhere(entry: Interface) -> None:
    if entry.lan_only:
        assert entry.listener is Listener.DEVICE
        assert Initiator.OWNER_FROM_ANYWHERE not in entry.initiators


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
def test_a_registered_port_cites_a_register(entry: Interface) -> None:
    if any(port.standing is Standing.REGISTERED for port in entry.ports):
        text = " ".join(source.url for source in entry.sources)
        assert "www.iana.org/assignments/service-names" in text or "wiki.broadband-forum.org" in text


@pytest.mark.parametrize(
    ("transport", "port"),
    [("tcp", 22), ("tcp", 80), ("tcp", 443), ("tcp", 8080), ("tcp", 5000), ("tcp", 5555), ("tcp", 8000)],
)
def test_a_port_that_customers_use_themselves_is_marked_shared_in_every_entry(
    transport: str, port: int
) -> None:
    marks = [entry.at(transport, port) for entry in load().listening(transport, port)]
    assert marks
    assert all(mark is not None and mark.shared for mark in marks)


def test_watching_controllers_does_not_mean_watching_the_web() -> None:
    assert not load().ports("controller") & {("tcp", 80), ("tcp", 443), ("tcp", 8080), ("udp", 3478)}


@pytest.mark.corpus
@pytest.mark.parametrize("kind", ["mechanisms", "incidents"])
def test_every_mechanism_and_incident_named_is_known(corpus: Path, kind: str) -> None:
    file = corpus.parent / "research" / f"{kind}.yaml"
    known = {each["id"] for each in yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)}
    named = {name for entry in ENTRIES for name in getattr(entry, kind)}
    assert named <= known
