#!/usr/bin/env bash
# Runs these tests. Arguments go to pytest. Binaries: VLLM_SR_BIN and TESTKIT_BACKEND_BIN, or else they are built.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root="$here/../.."

built() { # path of a binary, built if need be
  (cd "$root" && cargo build --quiet --message-format=json-render-diagnostics -p "$1" --bin "$2") |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1
}

VLLM_SR_BIN=$(realpath "${VLLM_SR_BIN:-$(built vllm-sr vllm-sr)}")
TESTKIT_BACKEND_BIN=$(realpath "${TESTKIT_BACKEND_BIN:-$(built vsr-testkit testkit-backend)}")
export VLLM_SR_BIN TESTKIT_BACKEND_BIN
python=$("$here/setup.sh")
for client in "$here"/clients/*/; do
  "$here/setup.sh" "$client" >/dev/null
done
export PYTHONDONTWRITEBYTECODE=1
cd "$here"
exec "$python" -m pytest -q -p no:cacheprovider "$@"
