#!/usr/bin/env bash
# Replaces the configuration again and again under load (argument: times, default 1000); fails if a request fails or
# memory grows. See README.md.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/router-binary.sh"
exec python3 "$here/reload.py" "$out/reload" "${1:-1000}"
