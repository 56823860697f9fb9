"""The attacks that are shipped: complete, traceable, each with a request in the tests that shows it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rearguard.catalogue import Attack, load, load_attacks
from rearguard.catalogue.attacks import PARTS
from rearguard.catalogue.attacks_page import main, refresh
from rearguard.catalogue.attacks_read import parse_attacks
from rearguard.lessons import load as load_lessons
from rearguard.model.errors import InputError

ATTACKS = load_attacks().attacks
each_attack = pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.id)


def test_there_are_known_attacks_and_ways_of_attacking() -> None:
    assert sum(attack.certain for attack in ATTACKS) >= 15
    assert sum(not attack.certain for attack in ATTACKS) >= 5


@each_attack
def test_mechanisms_and_incidents_are_in_the_knowledge_base(attack: Attack) -> None:
    knowledge = load_lessons()
    assert attack.mechanisms
    assert set(attack.mechanisms) <= {each.id for each in knowledge.mechanisms}
    assert set(attack.incidents) <= {each.id for each in knowledge.incidents}


@each_attack
def test_every_attack_has_sources_and_interfaces(attack: Attack) -> None:
    assert attack.sources
    assert attack.interfaces
    assert all(load().get(name) for name in attack.interfaces)


@each_attack
def test_every_attack_is_shown_by_a_test(attack: Attack, project: Path) -> None:
    said = "".join(
        path.read_text(encoding="utf-8") for path in (project / "tests" / "dialogue").glob("test_*.py")
    )
    assert f'"{attack.id}"' in said


@each_attack
def test_a_known_attack_names_a_flaw_or_an_incident(attack: Attack) -> None:
    assert not attack.certain or attack.cves or attack.incidents


def test_lookup() -> None:
    assert load_attacks().get("misfortune-cookie").cves == ("CVE-2014-9222",)
    with pytest.raises(InputError, match="no attack nonsense"):
        load_attacks().get("nonsense")
    protocols = {attack.protocol for attack in ATTACKS}
    assert protocols <= set(PARTS)
    found = {
        attack.id for protocol in protocols for _, signs in load_attacks().of(protocol) for attack, _ in signs
    }
    assert found == {attack.id for attack in ATTACKS}
    assert load_attacks().of("nonsense") == ()


def test_the_page_is_current(project: Path) -> None:
    page = project / "docs" / "dialogues.md"
    assert main(["--check", str(page)]) == 0


def test_a_stale_page_is_told_and_renewed(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "dialogues.md"
    text = (project / "docs" / "dialogues.md").read_text(encoding="utf-8")
    page.write_text(text.replace("`misfortune-cookie`", "`other`"), encoding="utf-8")
    assert main(["--check", str(page)]) == 1
    assert "is stale" in capsys.readouterr().err
    assert main([str(page)]) == 0
    assert page.read_text(encoding="utf-8") == refresh(text, load_attacks())


def test_the_example_of_the_page_is_an_attack(project: Path) -> None:
    text = (project / "docs" / "dialogues.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    (attack,) = parse_attacks(example, "docs/dialogues.md", load())
    assert attack.id == "example-ping"
