"""The unit that loads the confirmed filter when the machine starts; it is written, never enabled."""

from __future__ import annotations

import re
from pathlib import Path

from rearguard.filters.apply.state import BOOT_FILE
from rearguard.model.errors import Place, UsageError

__all__ = ["NAME", "unit_text"]

NAME = "rearguard-filter.service"
_PLAIN = re.compile(r"/[A-Za-z0-9/._-]*")


def unit_text(folder: str, nft: str) -> str:
    """A unit for systemd (systemd.unit(5), systemd.service(5)).

    It loads before the network is up, after ``nftables.service``, whose usual rules begin with ``flush ruleset``,
    and again whenever that is reloaded or restarted. Stopping it leaves the filter in force.
    ``UsageError``: the folder's name would mean something else in a unit.
    """
    place = str(Path(folder).absolute())
    if not _PLAIN.fullmatch(place):
        raise UsageError(
            "the folder's name cannot stand in a unit file",
            remedy="name one of letters, digits, dots and dashes",
            place=Place(file=place),
        )
    load = f"{nft} -f {place}/{BOOT_FILE}"
    return f"""\
# {NAME}: the filter that was confirmed last, in force before the network is.
#
#   put it    /etc/systemd/system/{NAME}
#   enable    systemctl daemon-reload && systemctl enable {NAME}
#   check     systemd-analyze verify /etc/systemd/system/{NAME}
[Unit]
Description=Rearguard: the filter of the border
Documentation=man:nft(8)
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
Conflicts=shutdown.target
After=local-fs.target nftables.service
PartOf=nftables.service
ReloadPropagatedFrom=nftables.service
RequiresMountsFor={place}
ConditionPathExists={place}/{BOOT_FILE}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={load}
ExecReload={load}

[Install]
WantedBy=sysinit.target nftables.service
"""
