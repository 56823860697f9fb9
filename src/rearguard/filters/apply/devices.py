"""A change loaded into a router with NAPALM, and only where its driver really takes it back by itself.

What drivers do with ``revert_in`` was read in napalm 5.2.0: ``junos`` (whole minutes), ``ios`` (1 to 120 whole
minutes, with the archive enabled) and ``eos`` hand it to the router's own timer; ``iosxr``, ``iosxr_netconf``,
``nxos`` and ``nxos_ssh`` raise NotImplementedError. What a driver says is not believed: a timer that does not run
after the commit means that the change is taken back at once.

The driver ``eos`` aborts its configuration session when it is closed, and a change that waits for its confirmation
in that session is taken back with it; so after the commit it is made to forget the session, which the router keeps.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol

from rearguard.model.errors import RearguardError, UsageError

__all__ = ["DRIVERS", "Driver", "driver_for", "push"]

DRIVERS: Mapping[str, str] = {"junos": "junos", "cisco-ios": "ios", "arista-eos": "eos"}
"""NAPALM's name of each platform whose driver keeps ``revert_in``."""


class Driver(Protocol):
    """What is used of ``napalm.base.NetworkDriver``."""

    def open(self) -> None: ...
    def close(self) -> None: ...
    def load_merge_candidate(self, *, config: str) -> None: ...
    def compare_config(self) -> str: ...
    def commit_config(self, *, revert_in: int) -> None: ...
    def has_pending_commit(self) -> bool: ...
    def discard_config(self) -> None: ...
    def rollback(self) -> None: ...


def driver_for(platform: str, host: str, user: str, password: str) -> Driver:
    """A driver that is not connected yet. ``UsageError``: NAPALM is missing, or would not take the change back."""
    if platform not in DRIVERS:
        raise UsageError(
            f"NAPALM has no driver for {platform} that takes a change back by itself",
            remedy="leave out --device and use the commands that are written to --output",
        )
    try:
        napalm = import_module("napalm")
    except ImportError as error:
        raise UsageError(
            "NAPALM is not installed", remedy="install the extra: pip install 'rearguard[napalm]'"
        ) from error
    made: Any = napalm.get_network_driver(DRIVERS[platform])(host, user, password)
    driver: Driver = made
    return driver


def push(driver: Driver, candidate: str, seconds: int, *, dry_run: bool) -> str:
    """Load, compare, and commit on probation; the router's own difference, empty when nothing changes.

    Where the driver chose a name for the session, the difference ends with the command that confirms it.
    ``RearguardError``: a change already waits there, the router refuses, or no timer runs after the commit.
    """
    with _Session(driver):
        if driver.has_pending_commit():
            raise RearguardError(
                "a change waits for its confirmation on the router already",
                remedy="confirm it there, or wait until it is taken back",
            )
        driver.load_merge_candidate(config=candidate)
        difference = driver.compare_config()
        if dry_run or not difference.strip():
            driver.discard_config()
            return difference
        driver.commit_config(revert_in=seconds)
        if not driver.has_pending_commit():
            driver.rollback()
            raise RearguardError(
                "the router committed the change without a timer, so it was taken back",
                remedy="use the commands that are written to --output",
            )
        session = _left_waiting(driver)
        return f"{difference}\nconfirm it with: configure session {session} commit" if session else difference


def _left_waiting(driver: Driver) -> str | None:
    """Closing must not end what waits; the session's name, where the driver has one."""
    held: str | None = vars(driver).get("config_session")
    if held is not None:
        vars(driver)["config_session"] = None
    return held


class _Session:
    """Open and closed; what NAPALM and its libraries raise becomes an error of ours."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def __enter__(self) -> None:
        try:
            self._driver.open()
        except Exception as error:
            raise RearguardError(
                f"the router cannot be reached: {error}", remedy="look at --device and --user"
            ) from error

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        try:
            self._driver.close()
        except Exception as failed:
            # What went wrong before is what is told; a connection that is gone closes no better a second time.
            if error is None:
                raise RearguardError(
                    f"the connection did not close as it should: {failed}",
                    remedy="look at the router whether the change waits there",
                ) from failed
        if error is not None and isinstance(error, Exception) and not isinstance(error, RearguardError):
            raise RearguardError(f"the router refused the change: {error}") from error
