"""What coding agents send, as far as it is documented: Claude Code before Messages, Codex before Responses.

The bodies are those of the golden grid; see crates/protocol/tests/grid/requests."""

import json
import urllib.request

import pytest
from openai.types.responses import Response

import configs
from harness import DEADLINE_SECONDS, HERE, http_json
from recorder import Recorder
from test_grid import REQUESTS

GRID = HERE.parents[1] / "crates/protocol/tests/grid/requests"
KEY = "upstream-secret"
SESSION = "6f1c2a34-0000-4000-8000-000000000001"

CLAUDE_CODE = {
    "accept": "application/json",
    "authorization": "Bearer clients-own",
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27",
    "anthropic-dangerous-direct-browser-access": "true",
    "user-agent": "claude-cli/2.1.200 (external, cli)",
    "x-app": "cli",
    "x-claude-code-session-id": SESSION,
    "x-stainless-lang": "js",
    "x-stainless-retry-count": "0",
}
CODEX = {
    "accept": "text/event-stream",
    "authorization": "Bearer clients-own",
    "openai-beta": "responses=experimental",
    "originator": "codex_cli_rs",
    "user-agent": "codex_cli_rs/0.120.0 (Debian 12; x86_64) xterm",
    "version": "0.120.0",
    "session-id": SESSION,
    "thread-id": SESSION,
    "x-codex-window-id": f"{SESSION}:0",
    "x-codex-turn-metadata": json.dumps({"turn_id": "1", "sandbox": "read-only"}),
}
OLDER_CODEX = {name: value for name, value in CODEX.items() if not name.endswith("-id")} | {
    "session_id": SESSION, "conversation_id": SESSION,
}
AGENTS = {
    "claude-code": ("/v1/messages?beta=true", CLAUDE_CODE, ["29-claude-code-first-turn", "30-claude-code-tool-loop",
                                                            "31-claude-code-title"]),
    "codex": ("/v1/responses", CODEX, ["28-codex-first-turn", "29-codex-tool-loop"]),
    "codex-older": ("/v1/responses", OLDER_CODEX, ["28-codex-first-turn"]),
}
CASES = [
    pytest.param(agent, name, api_format, id=f"{agent}-{name}-{api_format}")
    for agent, (*_, names) in AGENTS.items()
    for name in names
    for api_format in ("openai", "anthropic")
]
TRANSLATED = [case for case in CASES if case.values[0] != "claude-code" or case.values[2] == "openai"]


@pytest.fixture(scope="module")
def stages(start_router):
    """For each protocol a recorder that speaks it and a router in front of it."""
    stages = {}
    for api_format in ("openai", "anthropic"):
        recorder = Recorder()
        routing = configs.RECORDED_ROUTING.format(api_format=api_format)
        stages[api_format] = recorder, start_router(routing, recorder.port, env={"SDK_TEST_UPSTREAM_KEY": KEY})
    yield stages
    for recorder, _ in stages.values():
        recorder.stop()


def body_of(agent, name):
    folder = "messages" if agent == "claude-code" else "responses"
    return (GRID / folder / f"{name}.json").read_bytes()


def send(router, path, headers, body):
    """The headers of the answer, by their names in lower case, and its text."""
    request = urllib.request.Request(
        router.url + path, data=body, headers=headers | {"content-type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=DEADLINE_SECONDS) as response:
        return {name.lower(): value for name, value in response.headers.items()}, response.read().decode()


def events_of(text):
    """The data of every event of a stream."""
    datas = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    return [json.loads(data) for data in datas if data != "[DONE]"]


@pytest.mark.parametrize("agent, name, api_format", CASES)
def test_an_agents_request_is_answered_in_its_own_protocol(stages, agent, name, api_format):
    _, router = stages[api_format]
    path, headers, _ = AGENTS[agent]
    answer, text = send(router, path, headers, body_of(agent, name))
    assert answer["content-type"].startswith("text/event-stream")
    assert answer["x-session-id"] == SESSION
    last = events_of(text)[-1]
    if agent == "claude-code":
        assert last == {"type": "message_stop"}
    else:
        assert last["type"] == "response.completed"
        assert Response.model_validate(last["response"]).output_text == "Done."


@pytest.mark.parametrize("agent, name, api_format", CASES)
def test_an_agents_headers_reach_the_backend_but_for_its_key(stages, agent, name, api_format):
    recorder, router = stages[api_format]
    path, headers, _ = AGENTS[agent]
    send(router, path, headers, body_of(agent, name))
    seen = recorder.requests[-1].headers
    assert seen.get("x-api-key" if api_format == "anthropic" else "authorization") in (KEY, f"Bearer {KEY}")
    assert "clients-own" not in str(seen)
    is_same = (agent, api_format) == ("claude-code", "anthropic")
    vendors = ("anthropic-", "openai-")
    for header, value in headers.items():
        if header in ("accept", "authorization", "content-type"):
            continue
        if header.startswith(vendors) and not is_same:
            assert seen.get(header) in (None, "2023-06-01"), header
        else:
            assert seen.get(header) == value, header


@pytest.mark.parametrize("name", AGENTS["claude-code"][2])
def test_claude_codes_body_passes_untouched_to_its_own_vendor(stages, name):
    recorder, router = stages["anthropic"]
    path, headers, _ = AGENTS["claude-code"]
    body = body_of("claude-code", name)
    answer, _ = send(router, path, headers, body)
    assert recorder.requests[-1].body == body.replace(b'"model": "auto"', b'"model": "served"', 1)
    assert "x-vsr-lossiness-warnings" not in answer


@pytest.mark.parametrize("agent, name, api_format", TRANSLATED)
def test_a_translated_body_is_one_that_the_vendors_client_could_send(stages, agent, name, api_format):
    recorder, router = stages[api_format]
    path, headers, _ = AGENTS[agent]
    body = body_of(agent, name)
    answer, _ = send(router, path, headers, body)
    seen = recorder.requests[-1].json
    told = answer.get("x-vsr-lossiness-warnings", "")
    assert seen.pop("stream") is True
    REQUESTS["chat" if api_format == "openai" else "messages"].validate_python(seen)
    asked = json.loads(body)
    own = [tool["name"] for tool in asked["tools"] if tool.get("type") in (None, "function", "custom")]
    names = [tool.get("name") or tool[tool["type"]]["name"] for tool in seen.get("tools", [])]
    assert names == own
    # The search that the vendor itself would run cannot be asked for elsewhere.
    assert (";unsupported_tool;" in told) == (len(own) < len(asked["tools"]))


@pytest.mark.parametrize("api_format", ["openai", "anthropic"])
@pytest.mark.parametrize("agent, name", [("claude-code", "30-claude-code-tool-loop"), ("codex", "29-codex-tool-loop")])
def test_the_calls_and_results_of_a_tool_loop_stay_together(stages, agent, name, api_format):
    recorder, router = stages[api_format]
    path, headers, _ = AGENTS[agent]
    send(router, path, headers, body_of(agent, name))
    messages = recorder.requests[-1].json["messages"]
    if api_format == "openai":
        calls = [call["id"] for message in messages for call in message.get("tool_calls") or []]
        results = [message["tool_call_id"] for message in messages if message["role"] == "tool"]
    else:
        blocks = [block for message in messages if isinstance(message["content"], list) for block in message["content"]]
        calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    assert calls == results == (
        ["call_A1", "call_A2", "call_B1"] if agent == "codex" else ["toolu_01A", "toolu_01B", "toolu_01C"]
    )


@pytest.mark.parametrize("vendor", ["openai", "anthropic"])
def test_claude_code_may_count_its_tokens(stages, vendor):
    _, router = stages[vendor]
    _, headers, _ = AGENTS["claude-code"]
    body = json.loads(body_of("claude-code", "29-claude-code-first-turn"))
    counted = {key: body[key] for key in ("model", "messages", "system", "tools", "thinking")}
    status, answer, count = http_json(
        "POST", f"{router.url}/v1/messages/count_tokens?beta=true", json.dumps(counted).encode(),
        headers | {"content-type": "application/json"},
    )
    assert status == 200
    if vendor == "anthropic":
        assert (answer["x-vsr-token-count"], count["input_tokens"]) == ("counted", 42)
    else:
        assert answer["x-vsr-token-count"] == "estimated"
        assert count["input_tokens"] > 100
    assert answer["x-session-id"] == SESSION
