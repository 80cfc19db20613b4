#!/bin/sh
# Print a Python of at least 3.11 that can make a virtual environment; say what is missing otherwise.
# Usage: find-python.sh [CANDIDATE...]; a candidate is tried by running it (version managers install names that do not run).
set -u
[ $# -gt 0 ] || set -- python3.13 python3.12 python3.11 python3
seen=""
for candidate in "$@"; do
    version=$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    if ! "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        seen="$seen $candidate is $version (too old);"
    elif ! "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
        seen="$seen $candidate lacks venv (Debian: apt install python$version-venv);"
    else
        command -v "$candidate"
        exit 0
    fi
done
echo "iMagine Edge needs Python 3.11 or newer with venv and pip. Tried: $*.${seen:- None of them runs.}" >&2
echo "Name one that fits: make PYTHON=/path/to/python3.12 run" >&2
exit 1
