#!/usr/bin/env bash
# Runs the sandbox of docs/sandbox.md with the project's own Python, from any directory: ./sandbox.sh --help
set -euo pipefail
root=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
python=$("$root/scripts/bootstrap")
PYTHONPATH="$root/operator:$root" exec "$python" -m sandbox "$@"
