#!/usr/bin/env bash
# Puts the router, nginx and Envoy, with equal settings, before backends that fail in different ways. See README.md.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/router-binary.sh"
exec python3 "$here/chaos.py" "$out"
