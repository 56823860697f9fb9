"""Options that several commands below ``rearguard filter`` have, and what their values mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rearguard.model.errors import UsageError

if TYPE_CHECKING:
    from rearguard.filters.platforms import Room

__all__ = ["ENTRIES", "EXISTING", "HARDWARE", "POLICY", "RESIDUALS", "room_of"]

POLICY = click.option(
    "--policy", "policy_file", metavar="FILE", default="rearguard.yaml", show_default=True, help="The policy."
)
RESIDUALS = click.option(
    "--accept-residual",
    "accepted",
    multiple=True,
    metavar="NAME",
    help="Leave out what the platform cannot match; repeatable. PLATFORM:NAME: of one platform only.",
)
EXISTING = click.option(
    "--existing", metavar="FILE", help="The list that is in force: the section is merged into it."
)
HARDWARE = click.option("--hardware", metavar="NAME", help="Refuse what is too large for this router.")
ENTRIES = click.option("--entries", type=click.IntRange(1), help="Entries that the router's table has.")


def room_of(hardware: str | None, entries: int | None) -> Room | None:
    """How many entries the router has room for; None: it is not said.

    ``UsageError``: nothing is known of that hardware.
    """
    from rearguard.filters.budget import BUDGETS
    from rearguard.filters.platforms import Room

    if hardware is not None and entries is not None:
        raise UsageError("--hardware and --entries say the same", remedy="leave out one of them")
    if entries is not None:
        return Room(entries, "the router's table")
    if hardware is None:
        return None
    if hardware not in BUDGETS:
        raise UsageError(
            f"there is no figure for {hardware!r}",
            remedy=f"known are {', '.join(BUDGETS)}; say --entries N for any other",
        )
    known = BUDGETS[hardware]
    return Room(known.entries, f"{known.table} ({known.source})")
