"""``rearguard catalogue`` on the terminal."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner, Result

from rearguard.catalogue import load
from rearguard.cli.catalogue import command
from rearguard.model.errors import InputError, UsageError


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments), env={"NO_COLOR": "1", "COLUMNS": "160"})


def test_the_table_shows_every_interface_with_its_ports_and_price() -> None:
    result = run()
    assert result.exit_code == 0
    assert all(entry.id in result.output for entry in load().interfaces)
    assert "tcp/7547" in result.output
    assert "what a border drop breaks" in result.output
    assert "\x1b[" not in result.output


def test_a_family_narrows_the_table() -> None:
    output = run("--family", "upnp").output
    assert "ssdp" in output
    assert "winbox" not in output


def test_one_entry_shows_everything_with_sources() -> None:
    output = run("smart-install").output
    entry = load().get("smart-install")
    for text in (entry.title, "tcp/4786", "operator-controller", "cisco-smi-2018", entry.sources[0].title):
        assert text in output
    assert "LAN only" in output


@pytest.mark.parametrize("name", [entry.id for entry in load().interfaces])
def test_every_entry_can_be_shown(name: str) -> None:
    assert run(name).exit_code == 0


def test_json_of_all_of_a_family_and_of_one() -> None:
    assert [each["id"] for each in json.loads(run("--json").output)] == [e.id for e in load().interfaces]
    assert [each["id"] for each in json.loads(run("--family", "upnp", "--json").output)] == [
        "upnp-soap",
        "ssdp",
    ]
    one = json.loads(run("cwmp-cr", "--json").output)
    assert one == load().get("cwmp-cr").to_json()
    assert one["ports"][0] == {
        "transport": "tcp",
        "port": 7547,
        "standing": "registered",
        "shared": False,
        "opt_in": False,
        "note": "IANA service cwmp; any port may be announced to the ACS",
    }


@pytest.mark.parametrize(
    ("arguments", "error"),
    [(["winbix"], InputError), (["upnp"], InputError), (["--family", "upn"], UsageError)],
)
def test_an_unknown_name_is_our_error_with_a_remedy(arguments: list[str], error: type[Exception]) -> None:
    result = run(*arguments)
    assert isinstance(result.exception, error)
    assert "remedy" in str(result.exception)


def test_an_id_and_a_family_together_are_wrong_usage() -> None:
    assert run("ssdp", "--family", "upnp").exit_code == 2


def test_help_has_an_example() -> None:
    assert "rearguard catalogue cwmp-cr" in " ".join(run("--help").output.split())


def test_the_command_loads_nothing_heavy() -> None:
    code = (
        "import sys, rearguard.cli.catalogue; from rearguard.catalogue import load; load();"
        "print(sorted({'numba', 'numpy', 'pydantic', 'rich', 'duckdb', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
