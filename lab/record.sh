#!/bin/sh
# Play the incident and write OUT/incident.pcapng, OUT/truth.json and OUT/rearguard.yaml. Needs root.
set -eu
if [ "$#" -ne 1 ]; then
    echo "usage: sudo lab/record.sh OUT" >&2
    exit 2
fi
mkdir -p -- "$1"
out=$(cd -- "$1" && pwd)
cd -- "$(dirname -- "$0")/.."
# Debian's own interpreter: root need not have the project's environment, and the lab needs nothing else.
exec /usr/bin/python3 -B -m lab.record "$out"
