"""Chat through the SDK with a backend that behaves."""

import asyncio

from harness import MOCK_TEXT

HELLO = [{"role": "user", "content": "hello there"}]
PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
LOOKUP = {
    "type": "function",
    "function": {
        "name": "lookup",
        "description": "Looks something up",
        "parameters": {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]},
    },
}


def text_of(stream) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def test_a_plain_answer_is_complete(front):
    answer = front.client().chat.completions.create(model=front.model, messages=HELLO)
    assert answer.choices[0].message.content == MOCK_TEXT
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (2, 9)


def test_a_stream_adds_up_to_the_same_text(front):
    stream = front.client().chat.completions.create(model=front.model, messages=HELLO, stream=True)
    chunks = list(stream)
    assert text_of(chunks) == MOCK_TEXT
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "stop"


def test_usage_is_streamed_only_to_those_who_ask(front):
    create = front.client().chat.completions.create
    without = list(create(model=front.model, messages=HELLO, stream=True))
    assert all(chunk.usage is None and chunk.choices for chunk in without)
    asked = list(create(model=front.model, messages=HELLO, stream=True, stream_options={"include_usage": True}))
    assert asked[-1].choices == []
    assert asked[-1].usage.total_tokens == 11


def test_an_async_client_streams(front):
    async def run() -> str:
        client = front.async_client()
        stream = await client.chat.completions.create(model=front.model, messages=HELLO, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert asyncio.run(run()) == MOCK_TEXT


def test_concurrent_requests_do_not_mix(front):
    async def run() -> list:
        client = front.async_client()

        async def one(number: int):
            messages = [{"role": "user", "content": "word " * number}]
            answer = await client.chat.completions.create(model=front.model, messages=messages)
            return answer.usage.prompt_tokens

        return await asyncio.gather(*(one(number) for number in range(1, 41)))

    assert asyncio.run(run()) == list(range(1, 41))


def test_tools_pass_through_both_ways(front, mock):
    messages = [{"role": "user", "content": "please use tool"}]
    create = front.client().chat.completions.create
    answer = create(model=front.model, messages=messages, tools=[LOOKUP], tool_choice="auto")
    call = answer.choices[0].message.tool_calls[0]
    assert (answer.choices[0].finish_reason, call.function.name) == ("tool_calls", "lookup")
    assert mock.chat_requests()[0]["json"]["tools"] == [LOOKUP]

    chunks = list(create(model=front.model, messages=messages, tools=[LOOKUP], stream=True))
    deltas = [delta for chunk in chunks for delta in chunk.choices[0].delta.tool_calls or []]
    assert "".join(delta.function.arguments for delta in deltas) == call.function.arguments

    follow_up = messages + [
        {"role": "assistant", "tool_calls": [call.model_dump()]},
        {"role": "tool", "tool_call_id": call.id, "content": "the result"},
        {"role": "user", "content": "thanks"},
    ]
    create(model=front.model, messages=follow_up, tools=[LOOKUP])
    assert mock.chat_requests()[2]["json"]["messages"] == follow_up


def test_parameters_arrive_as_they_were_sent(front, mock):
    front.client().chat.completions.create(
        model=front.model, messages=HELLO, temperature=0.25, max_completion_tokens=7, seed=9007199254740993,
        response_format={"type": "json_object"}, extra_body={"vendor_key": {"deep": [1.10, None, "ä"]}},
    )
    body = mock.chat_requests()[0]["json"]
    assert (body["temperature"], body["max_completion_tokens"], body["seed"]) == (0.25, 7, 9007199254740993)
    assert body["vendor_key"] == {"deep": [1.10, None, "ä"]}


def test_an_image_without_text_is_answered(front, mock):
    messages = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PNG}}]}]
    answer = front.client().chat.completions.create(model=front.model, messages=messages)
    assert answer.choices[0].message.content == MOCK_TEXT
    body = mock.chat_requests()[0]["json"]
    assert (body["model"], body["messages"]) == ("upstream-small", messages)


def test_models_are_listed(front):
    names = [model.id for model in front.client().models.list()]
    assert names == (["MoM", "large", "small"] if front.is_router else ["testkit-small", "testkit-large"])
