"""What the router adds: the choice of a model, the headers that tell of it, and errors of its own."""

import openai
import pytest

import configs
from harness import http_json
from test_chat import HELLO, LOOKUP

CODE = [{"role": "user", "content": "please debug this function"}]


def raw(front, **arguments):
    client = front.client()
    return client.chat.completions.with_raw_response.create(**{"model": "auto", "messages": HELLO} | arguments)


def test_a_keyword_chooses_the_large_model(router, mock):
    response = raw(router, messages=CODE)
    assert response.headers["x-vsr-selected-model"] == "large"
    assert response.headers["x-vsr-selected-decision"] == "code_route"
    assert response.headers["x-vsr-matched-keywords"] == "code_words"
    sent = mock.chat_requests()[0]
    assert sent["json"]["model"] == "upstream-large"
    assert sent["json"]["messages"] == CODE


def test_nothing_matched_means_the_default_model_and_no_decision(router, mock):
    response = raw(router)
    assert response.headers["x-vsr-selected-model"] == "small"
    assert "x-vsr-selected-decision" not in response.headers
    assert mock.chat_requests()[0]["json"]["model"] == "upstream-small"


def test_tools_in_the_request_are_a_signal(router):
    assert raw(router, tools=[LOOKUP]).headers["x-vsr-selected-decision"] == "tool_route"
    assert raw(router, tools=[LOOKUP], messages=CODE).headers["x-vsr-selected-decision"] == "code_route"


def test_streams_carry_the_routing_headers_too(router):
    response = raw(router, messages=CODE, stream=True)
    assert response.headers["x-vsr-selected-model"] == "large"
    assert response.headers["content-type"].startswith("text/event-stream")
    assert len(list(response.parse())) > 3


@pytest.mark.parametrize("name", ["auto", "MoM"])
def test_both_automatic_names_are_routed(router, name):
    assert raw(router, model=name, messages=CODE).headers["x-vsr-selected-model"] == "large"


def test_a_named_model_is_kept(router, mock):
    response = raw(router, model="small", messages=CODE)
    assert response.headers["x-vsr-selected-model"] == "small"
    assert mock.chat_requests()[0]["json"]["model"] == "upstream-small"


def test_an_unknown_model_is_not_found(router, mock):
    with pytest.raises(openai.NotFoundError) as caught:
        raw(router, model="no-such-model")
    assert caught.value.code == "model_not_found"
    assert "no-such-model" in caught.value.body["message"]
    assert mock.chat_requests() == []


def test_bad_requests_are_refused_in_openai_shape(router, mock):
    with pytest.raises(openai.BadRequestError) as caught:
        raw(router, messages="not a list")
    assert caught.value.type == "invalid_request_error"
    for body in (b"{broken", b"", b"[]", b'{"model":"auto"}', b'{"messages":[]}', b'{"model":"auto","model":"x","messages":[]}'):
        status, _, answer = http_json(
            "POST", f"{router.url}/v1/chat/completions", body, {"content-type": "application/json"}
        )
        assert (status, answer["error"]["type"]) == (400, "invalid_request_error"), body
    assert mock.chat_requests() == []


def test_unknown_paths_and_methods_are_refused_in_openai_shape(router):
    status, _, answer = http_json("POST", f"{router.url}/v1/nothing", b"{}")
    assert (status, bool(answer["error"]["message"])) == (404, True)
    status, _, answer = http_json("GET", f"{router.url}/v1/chat/completions")
    assert (status, bool(answer["error"]["message"])) == (405, True)


def test_the_backend_gets_its_own_key_and_no_internal_headers(router, mock):
    raw(router, messages=CODE, extra_headers={"x-vsr-selected-model": "small", "x-authz-user-id": "root", "cookie": "a=b"})
    headers = mock.chat_requests()[0]["headers"]
    assert headers["authorization"] == "Bearer upstream-secret"
    assert not [name for name in headers if name.startswith(("x-vsr-", "x-authz-")) or name == "cookie"]
    assert headers["accept-encoding"] == "identity"


def test_each_stage_has_a_server_timing_entry(router):
    assert raw(router).headers["server-timing"]


def test_a_listener_with_keys_refuses_others(start_router, mock):
    keys = '    api_keys: ["client-key"]\n'
    guarded = start_router(configs.MOCK_ROUTING, mock.port, keys, {"SDK_TEST_UPSTREAM_KEY": "k"})
    good = openai.OpenAI(base_url=f"{guarded.url}/v1", api_key="client-key", max_retries=0)
    assert good.chat.completions.create(model="auto", messages=HELLO).choices
    bad = openai.OpenAI(base_url=f"{guarded.url}/v1", api_key="other-key", max_retries=0)
    with pytest.raises(openai.AuthenticationError) as caught:
        bad.chat.completions.create(model="auto", messages=HELLO)
    assert caught.value.code == "invalid_api_key"


def test_health_and_readiness_are_served_beside_the_traffic(router):
    for path in ("/health", "/ready", "/startup-status"):
        status, _, _ = http_json("GET", f"{router.url}{path}")
        assert status == 200, path
