# Sourced: sets VLLM_SR_BIN to the release binary, built now unless it is set already, and `out` to the results' folder.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ -z "${VLLM_SR_BIN:-}" ]; then
  VLLM_SR_BIN=$(cd "$root" && cargo build --release --message-format=json-render-diagnostics -p vllm-sr --bin vllm-sr |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
fi
VLLM_SR_BIN=$(realpath "$VLLM_SR_BIN")
export VLLM_SR_BIN PYTHONDONTWRITEBYTECODE=1
out=$(realpath -m "${BENCH_OUT:-$root/target/bench}")
