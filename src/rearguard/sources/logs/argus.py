"""Argus's own files: said by their name, with the command that turns them into a table that is read.

Their layout is that of the argus clients' library and changes with its versions, so ``ra`` itself reads them.
"""

from __future__ import annotations

from typing import NoReturn

from rearguard.model.errors import InputError, Place
from rearguard.sources.inputs import STDIN, Input
from rearguard.sources.opening import Options
from rearguard.sources.window import Window

__all__ = ["FIELDS", "refuse_argus"]

FIELDS = "stime,ltime,proto,saddr,sport,dir,daddr,dport,spkts,dpkts,sbytes,dbytes,state"


def refuse_argus(inflow: Input, window: Window, uri: str, number: int, options: Options) -> NoReturn:
    """Raises InputError: what to run."""
    del inflow, window, number, options
    file = "-" if uri == STDIN else uri
    raise InputError(
        "a file of argus, which only its own clients can read",
        remedy=f"run: ra -n -u -Z b -c , -r {file} -s {FIELDS} | rearguard analyze - …",
        place=Place(file="standard input" if uri == STDIN else uri),
    )
