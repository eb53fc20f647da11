"""A real engine: llama.cpp with SmolLM2."""

import asyncio

import openai
import pytest

from test_chat import LOOKUP, text_of

# Generation is slow on a busy machine: short answers, patient clients.
PATIENCE_SECONDS = 120
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


def ask(front, **options):
    defaults = {"model": front.model, "messages": QUESTION, "max_tokens": 12, "temperature": 0, "seed": 1}
    return front.client(timeout=PATIENCE_SECONDS).chat.completions.create(**defaults | options)


def test_a_question_is_answered_with_usage(llama_front):
    answer = ask(llama_front)
    assert answer.choices[0].message.content
    assert answer.usage.prompt_tokens > 5
    assert 0 < answer.usage.completion_tokens <= 12


def test_a_stream_says_the_same_as_a_plain_answer(llama_front):
    plain = ask(llama_front).choices[0].message.content
    assert text_of(ask(llama_front, stream=True)) == plain


def test_streamed_usage_comes_when_asked_for(llama_front):
    assert all(chunk.usage is None for chunk in ask(llama_front, stream=True, max_tokens=4))
    last = list(ask(llama_front, stream=True, max_tokens=4, stream_options={"include_usage": True}))[-1]
    assert last.usage.prompt_tokens > 5


def test_tool_definitions_are_accepted(llama_front):
    answer = ask(llama_front, tools=[LOOKUP], tool_choice="auto", max_tokens=8)
    assert answer.choices[0].finish_reason in ("stop", "length", "tool_calls")


def test_a_json_schema_is_obeyed(llama_front):
    schema = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 12}}, "required": ["city"]}
    response_format = {"type": "json_schema", "json_schema": {"name": "city", "schema": schema}}
    answer = ask(llama_front, response_format=response_format, max_tokens=12)
    assert answer.choices[0].message.content.lstrip().startswith("{")


def test_an_error_of_the_engine_reaches_the_client(llama_front):
    with pytest.raises(openai.BadRequestError):
        ask(llama_front, messages=[{"role": "user", "content": "word " * 9000}])


def test_a_stream_can_be_left_and_the_engine_serves_the_next(llama_front):
    with ask(llama_front, stream=True, max_tokens=400) as stream:
        next(stream)
    assert ask(llama_front).choices


def test_two_streams_at_once_stay_apart(llama_front):
    async def one(client, word: str) -> str:
        stream = await client.chat.completions.create(
            model=llama_front.model, messages=[{"role": "user", "content": f"Say {word}."}], max_tokens=8,
            temperature=0, stream=True,
        )
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])

    async def run():
        client = llama_front.async_client(timeout=PATIENCE_SECONDS)
        return await asyncio.gather(one(client, "hello"), one(client, "goodbye"))

    first, second = asyncio.run(run())
    assert first and second and first != second


def test_the_decision_is_told_in_the_headers(llama_router):
    client = openai.OpenAI(base_url=f"{llama_router.url}/v1", api_key="k", max_retries=0, timeout=PATIENCE_SECONDS)
    response = client.chat.completions.with_raw_response.create(model="auto", messages=QUESTION, max_tokens=4)
    assert response.headers["x-vsr-selected-decision"] == "question_route"
    assert response.headers["x-vsr-matched-structure"] == "asks"
