"""Fuzz the decoders for a bounded time: ``python fuzz/run.py --seconds 60 [--target NAME]``.

Each target runs in a process of its own for its share of the time. The kernels run uncompiled there, so that
atheris sees their branches. A finding is kept as a file in the present folder, named on the terminal, and the
exit code is 1. Needs atheris (``pip install 'rearguard[fuzz]'``).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

MEMORY = 1024
"""MiB; more is a finding."""
SLOWEST = 10
"""Seconds for one input; more is a finding."""
NAMES = ("capture", "packet", "compressed", "dialogue", "exports", "sflow", "text", "nfcapd")
INSTRUMENTED = ("rearguard.sources", "rearguard.model", "rearguard.dialogue")


def one(name: str, seconds: int, folder: Path) -> None:
    """Fuzz one target in this process; atheris ends the process."""
    import atheris

    with atheris.instrument_imports(include=list(INSTRUMENTED)):
        import targets
    seeds = folder / "seeds"
    seeds.mkdir(parents=True)
    for i, seed in enumerate(targets.SEEDS[name]):
        (seeds / str(i)).write_bytes(seed)
    options = [
        f"-max_total_time={seconds}",
        f"-rss_limit_mb={MEMORY}",
        f"-timeout={SLOWEST}",
        "-max_len=20000",
    ]
    found = Path.cwd() / f"fuzz-{name}-"
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={found}", str(seeds)], targets.TARGETS[name])
    atheris.Fuzz()


def main() -> int:
    """Run each target for its share of the time; 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--target", help="only this one")
    parser.add_argument("--in-this-process", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if find_spec("atheris") is None:
        print("atheris is not installed: pip install 'rearguard[fuzz]'", file=sys.stderr)
        return 2
    if arguments.in_this_process:
        one(arguments.target, arguments.seconds, arguments.in_this_process)
    names = [arguments.target] if arguments.target else list(NAMES)
    share = max(arguments.seconds // len(names), 1)
    failed = 0
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, "--target", name, "--seconds", str(share)]
            command += ["--in-this-process", str(Path(folder) / "run")]
            environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "TMPDIR": folder}
            done = subprocess.run(command, env=environment, timeout=share + 60, check=False)
            failed |= done.returncode != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
