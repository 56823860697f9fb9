#!/usr/bin/env bash
# Install the Debian packages given as arguments when root, else say which are missing (exit 0: tests that need
# them say so themselves, and fail when CI=true).
set -euo pipefail
missing=()
for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -eq 0 ]; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
    echo "not installed, some tests will be skipped: ${missing[*]}"
    echo "  remedy: sudo apt-get install ${missing[*]}"
fi
