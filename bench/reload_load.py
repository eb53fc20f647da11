"""Runs a load command again and again until it is interrupted, and prints the sums. reload.py starts it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

ended = False


def end(*_: object) -> None:
    global ended
    ended = True


signal.signal(signal.SIGINT, end)
total = {"ok": 0, "err": 0, "first_err": ""}
while not ended:
    # In a group of its own: the interrupt ends the repetition and not the load.
    output = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, text=True, start_new_session=True, check=True).stdout
    result = json.loads(output)
    total["ok"] += result["ok"]
    total["err"] += result["err"]
    total["first_err"] = total["first_err"] or result["first_err"]
print(json.dumps(total))
