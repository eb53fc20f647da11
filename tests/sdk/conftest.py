"""Fixtures. Tests with `front` run twice: straight against the backend, then through a router in front of it."""

import os

import openai
import pytest

import configs
from harness import LlamaServer, MockBackend, Router, Simulator, free_port

# Other environments run these; see test_clients.py.
collect_ignore = ["clients"]


@pytest.fixture(scope="session")
def mock_process():
    if "TESTKIT_BACKEND_BIN" not in os.environ:
        pytest.skip("TESTKIT_BACKEND_BIN names no mock backend: use run.sh")
    backend = MockBackend()
    yield backend
    backend.stop()


@pytest.fixture
def mock(mock_process):
    """The mock backend, well-behaved and with an empty memory."""
    mock_process.behave("normal")
    yield mock_process
    mock_process.behave("normal")


@pytest.fixture(scope="session")
def llama():
    server = LlamaServer()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def start_router(tmp_path_factory):
    """Starts routers; all end with the session."""
    if "VLLM_SR_BIN" not in os.environ:
        pytest.skip("VLLM_SR_BIN names no router: use run.sh")
    routers = []

    def start(routing: str, backend_port: int, listener_keys: str = "", env: dict | None = None) -> Router:
        port = free_port()
        text = configs.config(routing, port, backend_port, listener_keys)
        routers.append(Router(tmp_path_factory.mktemp("router"), text, port, env))
        return routers[-1]

    yield start
    for router in routers:
        router.stop()


@pytest.fixture(scope="session")
def mock_router(start_router, mock_process):
    """A router in front of the mock backend."""
    return start_router(configs.MOCK_ROUTING, mock_process.port, env={"SDK_TEST_UPSTREAM_KEY": "upstream-secret"})


@pytest.fixture(scope="session")
def llama_router(start_router, llama):
    """A router in front of the real server."""
    return start_router(configs.LLAMA_ROUTING, llama.port)


@pytest.fixture(scope="session")
def simulator():
    server = Simulator()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def clients_router(start_router, simulator, llama):
    """A router in front of the real server and the simulator, in both protocols; the question names the model."""
    routing = configs.clients_routing(simulator=simulator.port, llama=llama.port)
    return start_router(routing, backend_port=0)


class Front:
    """What a test talks to: the backend itself or the router in front of it."""

    def __init__(self, url: str, model: str, is_router: bool) -> None:
        self.url, self.model, self.is_router = url, model, is_router

    def client(self, **options) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key="client-key", **{"max_retries": 0, "timeout": 20} | options)

    def async_client(self, **options) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(
            base_url=f"{self.url}/v1", api_key="client-key", **{"max_retries": 0, "timeout": 20} | options
        )


@pytest.fixture(params=["direct", "router"])
def front(request, mock):
    if request.param == "direct":
        return Front(mock.url, "upstream-small", is_router=False)
    return Front(request.getfixturevalue("mock_router").url, "auto", is_router=True)


@pytest.fixture
def router(mock_router, mock):
    """The router in front of the mock backend."""
    return Front(mock_router.url, "auto", is_router=True)


@pytest.fixture(params=["direct", "router"])
def llama_front(request, llama):
    if request.param == "direct":
        return Front(llama.url, "smollm2", is_router=False)
    return Front(request.getfixturevalue("llama_router").url, "auto", is_router=True)
