"""The docs page and the schema say what the data says."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from rearguard.catalogue import load, schema
from rearguard.catalogue.page import main, refresh
from rearguard.catalogue.parse import parse
from rearguard.model.errors import InputError


def test_the_page_is_current(project: Path) -> None:
    """Stale? Run `python -m rearguard.catalogue.page docs/catalogue.md`."""
    page = (project / "docs" / "catalogue.md").read_text(encoding="utf-8")
    assert refresh(page, load()) == page


def test_the_page_names_every_interface(project: Path) -> None:
    page = (project / "docs" / "catalogue.md").read_text(encoding="utf-8")
    assert all(f"`{entry.id}`" in page for entry in load().interfaces)


def test_the_example_of_the_page_is_a_sound_entry(project: Path) -> None:
    page = (project / "docs" / "catalogue.md").read_text(encoding="utf-8")
    example = page.split("```yaml\n")[1].split("```")[0]
    jsonschema.Draft202012Validator(schema()).validate(yaml.safe_load(example))
    assert parse(example, "example.yaml", "example")[0].id == "example-setup"


def test_the_schema_is_a_schema_and_refuses_what_the_parser_refuses() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    wrong = [load().get("telnet").to_json() | {"listener": "server"}]
    assert not jsonschema.Draft202012Validator(schema()).is_valid(wrong)


def test_renewing_writes_and_checking_only_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    empty = "".join(f"<!-- {name}: begin -->\n<!-- {name}: end -->\n" for name in ("keys", "interfaces"))
    page.write_text(empty, encoding="utf-8")
    assert main(["--check", str(page)]) == 1
    assert "stale" in capsys.readouterr().err
    assert page.read_text(encoding="utf-8") == empty
    assert main([str(page)]) == 0
    assert main(["--check", str(page)]) == 0


def test_a_page_without_its_markers_is_refused() -> None:
    with pytest.raises(InputError, match="marker"):
        refresh("# A page\n", load())
