#!/usr/bin/env bash
# Runs mixed load for a while (argument: seconds, default 600) and fails if the router's memory grows. See README.md.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/router-binary.sh"
exec python3 "$here/soak.py" "$out/soak" "${1:-600}"
