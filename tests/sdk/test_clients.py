"""The vendors' own clients, each in an environment of its own, through `auto`; their tests are in clients/."""

import os
import subprocess

import pytest

from harness import HERE, environment, node

SUITES = sorted(path for path in (HERE / "clients").iterdir() if path.is_dir() and path.name != "simulator")


@pytest.mark.parametrize("suite", [pytest.param(suite, id=suite.name) for suite in SUITES])
def test_a_client_works_through_auto(suite, clients_router, capsys):
    place = environment(suite)
    env = os.environ | {"ROUTER_URL": clients_router.url}
    if place.name == "node_modules":
        reporter = HERE / "clients" / "reporter.js"
        command = [node(), "--test", f"--test-reporter={reporter}", *sorted(suite.glob("*.test.js"))]
        env["NODE_PATH"] = str(place)
    else:
        command = [place, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rsx", "--tb=short", "."]
    with capsys.disabled():
        print(f"\n--- {suite.name}", flush=True)
        status = subprocess.run(command, cwd=suite, env=env).returncode
    assert status == 0, f"the tests of clients/{suite.name} failed; see above"
