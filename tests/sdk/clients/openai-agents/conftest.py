"""The router that `ROUTER_URL` names, through both of OpenAI's protocols. A question names the model that it wants."""

import os

import agents
import openai
import pytest

agents.set_tracing_disabled(True)


@pytest.fixture(params=["simulated-chat", "simulated-messages"])
def simulated(request):
    return request.param


@pytest.fixture(params=["llama-chat", "llama-messages"])
def real(request):
    return request.param


@pytest.fixture(params=["responses", "chat"])
def auto(request):
    """The model `auto`, asked in one of the protocols."""
    client = openai.AsyncOpenAI(base_url=os.environ["ROUTER_URL"] + "/v1", api_key="k", max_retries=0, timeout=120)
    kinds = {"responses": agents.OpenAIResponsesModel, "chat": agents.OpenAIChatCompletionsModel}
    return kinds[request.param](model="auto", openai_client=client)
