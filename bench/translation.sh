#!/usr/bin/env bash
# Measures what translation between protocols adds to passing through, and prints the table. See README.md.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/router-binary.sh"
exec python3 "$here/translation.py" "$out"
