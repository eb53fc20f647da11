"""The golden grid of `crates/protocol`, read by the vendors' own clients: what is written for a backend is a request
that its client could have sent, and what is written for a client is an answer that it understands."""

import json
from pathlib import Path

import anthropic
import httpx2
import openai
import pytest
from anthropic.types import Message
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming as MessageRequest
from openai.types.chat import ChatCompletion
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming as ChatRequest
from openai.types.responses import Response
from pydantic import TypeAdapter

GRID = Path(__file__).parents[2] / "crates/protocol/tests/grid-out"
REQUESTS = {"messages": TypeAdapter(MessageRequest), "chat": TypeAdapter(ChatRequest)}
ANSWERS = {"messages": Message, "chat": ChatCompletion, "responses": Response}


def golden(kind):
    paths = sorted(GRID.glob(f"{kind}/*/*.snap"))
    assert len(paths) > 50
    return [pytest.param(path, id="/".join(path.parts[-2:]).removesuffix(".snap")) for path in paths]


def content(path):
    """The snapshot without its head, and the protocol that it is written in."""
    return path.read_text().split("\n---\n", 1)[1], path.name.split(".")[-2]


def document(path):
    text, protocol = content(path)
    return json.loads(text[: text.rindex("\n\nlost:")]), protocol


@pytest.mark.parametrize("path", golden("requests"))
def test_a_request_is_one_that_the_vendors_client_could_send(path):
    request, protocol = document(path)
    request.pop("stream", None)
    REQUESTS[protocol].validate_python(request)


@pytest.mark.parametrize("path", golden("answers"))
def test_an_answer_is_one_that_the_vendors_client_knows(path):
    answer, protocol = document(path)
    ANSWERS[protocol].model_validate(answer)


def read_messages(transport):
    client = anthropic.Anthropic(api_key="k", http_client=transport, max_retries=0)
    messages = [{"role": "user", "content": "x"}]
    with client.messages.stream(model="m", max_tokens=9, messages=messages) as stream:
        assert stream.get_final_message().stop_reason


def read_responses(transport):
    client = openai.OpenAI(api_key="k", http_client=transport, max_retries=0)
    last = None
    for number, event in enumerate(client.responses.create(model="m", input="x", stream=True)):
        assert event.sequence_number == number
        type(event).model_validate(event.model_dump(by_alias=True))
        last = event
    if last.type == "response.failed":
        raise openai.OpenAIError(last.response.error.message)
    assert last.type in ("response.completed", "response.incomplete")


def read_chat(transport):
    client = openai.OpenAI(api_key="k", http_client=transport, max_retries=0)
    finish_reason = usage = None
    options = {"include_usage": True}
    messages = [{"role": "user", "content": "x"}]
    for chunk in client.chat.completions.create(model="m", messages=messages, stream=True, stream_options=options):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            finish_reason = choice.finish_reason or finish_reason
    assert finish_reason and usage


READERS = {"messages": read_messages, "responses": read_responses, "chat": read_chat}


@pytest.mark.parametrize("path", golden("streams"))
def test_a_stream_is_read_to_its_end_or_fails_as_it_should(path):
    text, protocol = content(path)
    at = text.rindex("\nend: ")
    stream, end = text[:at], text[at + len("\nend: ") :].split("\n", 1)[0]
    head = {"content-type": "text/event-stream"}
    respond = lambda _: httpx2.Response(200, headers=head, content=stream.encode())
    transport = httpx2.Client(transport=httpx2.MockTransport(respond))
    if end.startswith("Complete"):
        READERS[protocol](transport)
    else:
        with pytest.raises((openai.OpenAIError, anthropic.AnthropicError)):
            READERS[protocol](transport)
