"""An entry that is wrong is told with its file, its line and its key."""

from __future__ import annotations

from pathlib import Path

import pytest

from rearguard.catalogue import load, read_attacks
from rearguard.catalogue.attacks_read import parse_attacks
from rearguard.model.errors import InputError

ENTRY = """\
- id: one
  title: Title
  protocol: http
  severity: high
  certain: true
  interfaces: [cwmp]
  cves: [CVE-2020-1234]
  incidents: []
  mechanisms: [parameter-injection]
  signs:
    - all:
        - {part: path, is: [/A]}
        - {part: header, name: X-Y, like: 'a{1,9}b', longer: 7}
  sources:
    - {title: T, url: 'https://example.com', note: n}
"""


def test_an_entry() -> None:
    (attack,) = parse_attacks(ENTRY, "a.yaml", load())
    assert attack.id == "one"
    assert "cwmp-cr" in attack.interfaces
    assert (attack.bound, attack.outside) == (False, False)
    (sign,) = attack.signs
    assert sign.needs == {"path", "header x-y"}
    path, header = sign.tests
    assert path.equals == {b"/a"}
    assert (header.name, header.longer) == (b"x-y", 7)
    assert header.like is not None
    assert header.like.search(b"xAAb")


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("title: Title", "titel: Title", 2, "unknown key"),
        ("  severity: high\n", "", 1, "severity is missing"),
        ("severity: high", "severity: bad", 4, "severity is 'bad'"),
        ("certain: true", "certain: maybe", 5, "write true or false"),
        ("[cwmp]", "[nonsense]", 6, "nonsense is neither"),
        ("CVE-2020-1234", "CVE-20", 7, "a CVE id"),
        ("[CVE-2020-1234]", "[]", 5, "neither a CVE nor an incident"),
        ("protocol: http", "protocol: telnet", 12, "no part of telnet"),
        ("part: path", "part: paths", 12, "'paths'"),
        ("is: [/A]", "name: x", 12, "and name do not fit"),
        (", is: [/A]", "", 12, "asks for nothing"),
        ("[/A]", "[/Ä]", 12, "not ASCII"),
        ("[/A]", "[]", 12, "no list, or empty"),
        ("name: X-Y, ", "", 13, "and name do not fit"),
        ("name: X-Y", "name: X-*", 13, "named in full"),
        ("a{1,9}b", "a+b", 13, "no pattern of bounded cost"),
        ("longer: 7", "longer: 0", 13, "1 to 65535"),
        ("https://example.com", "example.com", 15, "it has to match"),
        ("- {part: path, is: [/A]}", "- {part: path, is: [/A]", None, "no YAML"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(old: str, new: str, line: int | None, message: str) -> None:
    assert old in ENTRY
    with pytest.raises(InputError) as caught:
        parse_attacks(ENTRY.replace(old, new, 1), "a.yaml", load())
    assert caught.value.place.file == "a.yaml"
    if line is not None:
        assert caught.value.place.line == line
        assert (caught.value.place.key or "").startswith("one")
    assert message in str(caught.value)


def test_a_folder_without_files_and_an_id_twice(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file of attacks"):
        read_attacks(tmp_path, load())
    (tmp_path / "a.yaml").write_text(ENTRY + ENTRY, encoding="utf-8")
    with pytest.raises(InputError, match="used twice"):
        read_attacks(tmp_path, load())
