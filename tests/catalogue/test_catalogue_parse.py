"""A wrong entry is refused with file, entry, key and remedy; nothing is guessed."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rearguard.catalogue import load, read
from rearguard.catalogue.parse import parse
from rearguard.model.errors import InputError


def entry(**changes: Any) -> dict[str, Any]:
    """A sound entry with some keys changed; a key set to None is left out."""
    sound: dict[str, Any] = {
        "id": "one",
        "family": "fam",
        "title": "One",
        "listener": "device",
        "ports": [{"transport": "udp", "port": 1, "standing": "default"}],
        "initiators": ["owner-on-lan"],
        "from": "The home network.",
        "lan_only": True,
        "amplifies": True,
        "shared_port": False,
        "collateral": "None.",
        "mechanisms": [],
        "incidents": [],
        "sources": [{"title": "t", "url": "https://example.org/", "note": "n"}],
    }
    return {key: value for key, value in (sound | changes).items() if value is not None}


def read_entry(raw: object) -> Any:
    return parse(yaml.safe_dump([raw]), "fam.yaml", "fam")


PORT = {"transport": "tcp", "port": 1, "standing": "default"}


def test_a_sound_entry_is_read_with_its_defaults() -> None:
    (one,) = read_entry(entry(shared_port=True))
    assert one.primary.shared
    assert not one.primary.opt_in
    assert one.primary.note == ""
    assert one.factor == ""


def test_a_port_may_differ_from_its_entry() -> None:
    (one,) = read_entry(entry(shared_port=True, ports=[PORT | {"shared": False}], amplifies=False))
    assert not one.primary.shared


@pytest.mark.parametrize(
    ("changes", "key", "message"),
    [
        ({"title": None}, "one.title", "missing"),
        ({"colour": "red"}, "one.colour", "unknown key"),
        ({"id": "Not An Id"}, "Not An Id.id", "has to match"),
        ({"title": "  "}, "one.title", "write a text"),
        ({"listener": "server"}, "one.listener", "choose one of device, controller"),
        ({"ports": []}, "one.ports", "empty"),
        ({"ports": [PORT | {"port": 0}]}, "one.ports[0].port", "1 to 65535"),
        ({"ports": [PORT | {"port": 65536}]}, "one.ports[0].port", "1 to 65535"),
        ({"ports": [PORT | {"port": True}]}, "one.ports[0].port", "1 to 65535"),
        ({"ports": [PORT | {"transport": "sctp"}]}, "one.ports[0].transport", "tcp, udp"),
        ({"ports": [PORT | {"standing": "sure"}]}, "one.ports[0].standing", "registered, default, observed"),
        ({"ports": ["tcp/1"]}, "one.ports[0]", "no mapping"),
        ({"ports": [PORT, PORT], "amplifies": False}, "one.ports", "twice"),
        ({"initiators": ["everybody"]}, "one.initiators[0]", "choose one of"),
        ({"initiators": ["nobody", "owner-on-lan"]}, "one.initiators", "nobody and somebody"),
        ({"initiators": ["device"]}, "one.initiators", "does not fit the listener"),
        ({"lan_only": "yes"}, "one.lan_only", "true or false"),
        ({"listener": "controller", "initiators": ["device"]}, "one.lan_only", "controller"),
        ({"ports": [PORT]}, "one.amplifies", "UDP"),
        ({"amplifies": False, "factor": "9"}, "one.factor", "amplifies is false"),
        ({"mechanisms": ["Bad Id"]}, "one.mechanisms[0]", "has to match"),
        ({"mechanisms": ["a", "a"]}, "one.mechanisms", "twice"),
        ({"incidents": "none"}, "one.incidents", "no list"),
        ({"sources": []}, "one.sources", "empty"),
        (
            {"sources": [{"title": "t", "url": "see above", "note": "n"}]},
            "one.sources[0].url",
            "has to match",
        ),
        ({"family": "other"}, "one.family", "but the file is fam"),
    ],
)
def test_a_wrong_key_is_named(changes: dict[str, Any], key: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_entry(entry(**changes))
    assert caught.value.place.file == "fam.yaml"
    assert caught.value.place.key == key
    assert message in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize("text", ["", "id: one", "[]", "just words"])
def test_a_file_that_is_no_list_of_entries_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="list of entries"):
        parse(text, "fam.yaml", "fam")


def test_a_value_that_yaml_cannot_make_is_told_like_a_syntax_error() -> None:
    with pytest.raises(InputError, match="no YAML"):
        parse("- id: 2026-99-99\n", "fam.yaml", "fam")


def test_a_syntax_error_has_its_line() -> None:
    with pytest.raises(InputError, match="no YAML") as caught:
        parse("- id: one\n  title: [\n", "fam.yaml", "fam")
    assert caught.value.place.line is not None


def test_an_entry_that_is_no_mapping_is_numbered() -> None:
    with pytest.raises(InputError) as caught:
        read_entry("cwmp-cr")
    assert caught.value.place.key == "entry 1"


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no catalogue file"):
        read(tmp_path)


def test_what_an_entry_says_of_itself_reads_back_as_the_same_entry() -> None:
    for each in load().interfaces:
        raw = each.to_json()
        if not each.factor:
            del raw["factor"]
        for port in raw["ports"]:
            if not port["note"]:
                del port["note"]
        assert parse(yaml.safe_dump([raw]), "x", each.family) == (each,)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(key=st.sampled_from(sorted(entry())), value=values)
def test_any_value_at_any_key_is_taken_or_refused_but_never_a_crash(key: str, value: object) -> None:
    with suppress(InputError):
        read_entry(entry() | {key: value})
