"""A client of the router that `ROUTER_URL` names. A question names the model that it wants; see ../../configs.py."""

import os

import openai
import pytest

SIMULATED = ["simulated-chat", "simulated-messages"]
REAL = ["llama-chat", "llama-messages"]


@pytest.fixture(scope="session")
def client():
    # Generation is slow on a busy machine.
    with openai.OpenAI(base_url=os.environ["ROUTER_URL"] + "/v1", api_key="k", max_retries=0, timeout=120) as client:
        yield client


@pytest.fixture(params=SIMULATED)
def simulated(request):
    return request.param


@pytest.fixture(params=REAL)
def real(request):
    return request.param


@pytest.fixture(params=SIMULATED + REAL)
def model(request):
    return request.param
