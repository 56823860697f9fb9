"""What is believed of NAPALM's drivers, held against the drivers that are installed.

No vendor's router is here. The drivers are the real ones; below ``eos`` stands a router's end of the eAPI, made for
this test, that keeps configuration sessions and their timers as the EOS manual describes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest
from tests.conftest import absent

from rearguard.filters.apply.devices import DRIVERS, push
from rearguard.model.errors import RearguardError

REFUSING = ("iosxr", "iosxr_netconf", "nxos", "nxos_ssh")
CANDIDATE = "ip access-list RG\n   10 deny ip any any\n"


@pytest.fixture(autouse=True)
def _installed() -> None:
    if find_spec("napalm") is None:
        absent("napalm is not installed: pip install 'rearguard[napalm]'")


def driver_class(name: str) -> Any:
    return import_module("napalm").get_network_driver(name)


def refuses(driver: Any) -> bool:
    """Whether it turns a timer down before it looks at the device; there is none here to look at."""
    try:
        driver.commit_config(revert_in=60)
    except NotImplementedError:
        return True
    except Exception:  # whatever a driver does without its device
        return False
    raise AssertionError("it committed without a device")


@pytest.mark.parametrize("name", [*DRIVERS.values(), *REFUSING])
def test_the_table_has_exactly_the_drivers_that_take_a_timer(name: str) -> None:
    made = driver_class(name)("192.0.2.1", "user", "secret")
    assert refuses(made) == (name not in DRIVERS.values())


@pytest.mark.parametrize("name", DRIVERS.values())
@pytest.mark.parametrize(
    "verb",
    [
        "load_merge_candidate",
        "compare_config",
        "commit_config",
        "has_pending_commit",
        "discard_config",
        "rollback",
    ],
)
def test_each_verb_that_is_used_is_the_drivers_own(name: str, verb: str) -> None:
    base = import_module("napalm.base").NetworkDriver
    assert getattr(driver_class(name), verb) is not getattr(base, verb)


def eos(*, keeps_timer: bool = True) -> tuple[Any, list[str], dict[str, str]]:
    """The real driver, the commands that its router was given, and the state of each of its sessions."""
    client = import_module("pyeapi.eapilib")
    given: list[str] = []
    sessions: dict[str, str] = {}

    class Router(client.EapiConnection):  # type: ignore[misc, name-defined]
        def __init__(self, host: str, username: str, password: str, timeout: int) -> None:
            super().__init__()

        def execute(self, commands: Sequence[Any], encoding: str = "json", **_: Any) -> dict[str, Any]:
            return {"result": [self._answer(str(each)) for each in commands]}

        def _answer(self, command: str) -> dict[str, Any]:
            given.append(command)
            words = command.split()
            if command == "show version":
                return {"version": "4.31.2F", "uptime": 1000.0}
            if command.startswith("show configuration sessions"):
                known = {name: {"state": state, "commitBy": 1300.0} for name, state in sessions.items()}
                return {"sessions": known}
            if words[:3] == ["show", "session-config", "named"]:
                return {"output": "--- a\n+++ b\n+ip access-list RG\n"}
            if words[:2] == ["configure", "session"] and len(words) == 3:
                sessions[words[2]] = "pending"
            elif words[3:5] == ["commit", "timer"]:
                sessions[words[2]] = "pendingCommitTimer" if keeps_timer else "completed"
            elif words[3:] == ["abort"]:
                sessions.pop(words[2])
            elif words[3:] == ["commit"]:
                sessions[words[2]] = "completed"
            return {"output": "", "messages": []}

    made = driver_class("eos")("192.0.2.1", "user", "secret", optional_args={"transport": Router})
    return made, given, sessions


def test_what_waits_on_eos_outlives_the_connection() -> None:
    driver, given, sessions = eos()
    told = push(driver, CANDIDATE, 300, dry_run=False)
    (name,) = sessions
    assert sessions == {name: "pendingCommitTimer"}
    assert f"configure session {name} commit timer 00:05:00" in given
    assert told.splitlines()[-1] == f"confirm it with: configure session {name} commit"


def test_the_driver_itself_would_have_taken_it_back() -> None:
    """The reason for what ``push`` does; when this fails, NAPALM was mended and it can go."""
    driver, given, sessions = eos()
    driver.open()
    driver.load_merge_candidate(config=CANDIDATE)
    driver.commit_config(revert_in=300)
    assert driver.has_pending_commit()
    driver.close()
    assert sessions == {}
    assert given[-1].endswith(" abort")


def test_a_dry_run_on_eos_leaves_no_session() -> None:
    driver, _, sessions = eos()
    assert "+ip access-list RG" in push(driver, CANDIDATE, 300, dry_run=True)
    assert sessions == {}


def test_an_eos_that_forgets_its_timer_is_rolled_back() -> None:
    driver, given, _ = eos(keeps_timer=False)
    with pytest.raises(RearguardError, match="without a timer"):
        push(driver, CANDIDATE, 300, dry_run=False)
    assert "configure replace flash:rollback-0" in given
