#!/usr/bin/env bash
# Measures the router beside nginx, Envoy and Envoy with a no-op ext_proc, and prints the table. See README.md.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/router-binary.sh"
exec python3 "$here/measure.py" "$out"
