"""Chat Completions: plain, streamed with the helper, tools, structured output, errors."""

import json

import openai
import pytest
from pydantic import BaseModel

GREETING = "Grüße aus dem Simulator: 你好 🌍, and a good day to everybody who reads this."


class GetWeather(BaseModel):
    """The weather of a city."""

    city: str


class ToFahrenheit(BaseModel):
    """Converts a temperature."""

    celsius: float


class Programmer(BaseModel):
    name: str
    born: int


WEATHER = openai.pydantic_function_tool(GetWeather, name="get_weather")
FAHRENHEIT = openai.pydantic_function_tool(ToFahrenheit, name="to_fahrenheit")


def asked(model, text):
    return [{"role": "system", "content": "Be brief."}, {"role": "user", "content": f"{model}, {text}"}]


def run(call):
    """What the tools of these tests answer."""
    if call.function.name == "to_fahrenheit":
        return "86 fahrenheit"
    city = json.loads(call.function.arguments)["city"]
    return {"Oslo": "21 degrees", "Rome": "30 degrees", "Oslo, Norway": "12 degrees", "Bergen": "9 degrees"}[city]


def test_a_question_is_answered_with_usage(client, model):
    answer = client.chat.completions.create(model="auto", messages=asked(model, "please say hello"), max_tokens=12)
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage.prompt_tokens and answer.usage.completion_tokens
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_the_streaming_helper_gathers_the_whole_answer(client, simulated):
    messages = asked(simulated, "please say hello")
    options = {"include_usage": True}
    with client.chat.completions.stream(model="auto", messages=messages, stream_options=options) as stream:
        deltas = [event.delta for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion()
    assert len(deltas) > 5
    assert "".join(deltas) == final.choices[0].message.content == GREETING
    assert final.choices[0].finish_reason == "stop"
    assert final.usage.completion_tokens == 20


def test_a_real_engines_stream_is_gathered_to_its_end(client, real):
    with client.chat.completions.stream(model="auto", messages=asked(real, "count"), max_tokens=8) as stream:
        done = [event.content for event in stream if event.type == "content.done"]
        (choice,) = stream.current_completion_snapshot.choices
    assert done == [choice.message.content] != [""]
    assert choice.finish_reason in ("stop", "length")


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_a_tool_loop_of_two_steps_comes_to_an_answer(client, simulated, streamed):
    messages = asked(simulated, "tell me the weather in Rome in fahrenheit")
    steps = []
    while len(steps) < 3:
        request = {"model": "auto", "messages": messages, "tools": [WEATHER, FAHRENHEIT]}
        if streamed:
            with client.chat.completions.stream(**request) as stream:
                choice = stream.get_final_completion().choices[0]
        else:
            choice = client.chat.completions.create(**request).choices[0]
        calls = choice.message.tool_calls or []
        steps.append((choice.finish_reason, [(call.id, call.function.name) for call in calls]))
        if not calls:
            break
        message = choice.message.model_dump(include={"role", "content", "tool_calls"}, exclude_none=True)
        for call in message["tool_calls"]:
            call["function"].pop("parsed_arguments", None)
        messages += [message, *({"role": "tool", "tool_call_id": call.id, "content": run(call)} for call in calls)]
    assert steps == [
        ("tool_calls", [("call_rome", "get_weather")]),
        ("tool_calls", [("call_rome_2", "to_fahrenheit")]),
        ("stop", []),
    ]
    assert choice.message.content == "It is 86 fahrenheit in Rome."


def test_parallel_calls_are_parsed_and_answered_together(client, simulated):
    messages = asked(simulated, "compare Oslo and Bergen")
    with client.chat.completions.stream(model="auto", messages=messages, tools=[WEATHER]) as stream:
        done = [event.parsed_arguments for event in stream if event.type == "tool_calls.function.arguments.done"]
        message = stream.get_final_completion().choices[0].message
    assert [call.city for call in done] == ["Oslo, Norway", "Bergen"]
    assert message.content == "I look at both."
    assert [call.id for call in message.tool_calls] == ["call_1", "call_2"]
    plain = client.chat.completions.parse(model="auto", messages=messages, tools=[WEATHER]).choices[0].message
    assert [call.function.parsed_arguments for call in plain.tool_calls] == done
    calls = [{"id": c.id, "type": "function", "function": {"name": c.function.name, "arguments": c.function.arguments}}
             for c in plain.tool_calls]
    messages.append({"role": "assistant", "content": plain.content, "tool_calls": calls})
    messages += [{"role": "tool", "tool_call_id": call.id, "content": run(call)} for call in plain.tool_calls]
    answer = client.chat.completions.create(model="auto", messages=messages, tools=[WEATHER])
    assert answer.choices[0].message.content == "Oslo has 12 degrees, Bergen 9."


def test_structured_output_is_parsed(client, simulated):
    messages = asked(simulated, "who wrote the first program")
    ada = Programmer(name="Ada Lovelace", born=1815)
    answer = client.chat.completions.parse(model="auto", messages=messages, response_format=Programmer)
    assert answer.choices[0].message.parsed == ada
    with client.chat.completions.stream(model="auto", messages=messages, response_format=Programmer) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == ada


def test_a_real_engine_obeys_the_schema_it_was_given(client):
    class Answer(BaseModel):
        yes: bool

    messages = asked("llama-chat", "is snow white?")
    answer = client.chat.completions.parse(
        model="auto", messages=messages, response_format=Answer, max_tokens=96, temperature=0, seed=1
    )
    assert answer.choices[0].message.parsed.yes in (True, False)


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_reasoning_is_told_beside_the_answer(client, simulated, streamed):
    request = {"model": "auto", "messages": asked(simulated, "think aloud"), "reasoning_effort": "low"}
    if streamed:
        deltas = [chunk.choices[0].delta for chunk in client.chat.completions.create(**request, stream=True)]
        reasoning = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
        content = "".join(delta.content or "" for delta in deltas)
    else:
        message = client.chat.completions.create(**request).choices[0].message
        reasoning, content = message.reasoning_content, message.content
    assert (reasoning, content) == ("Two and two are four.", "Four.")


def test_an_answer_that_was_cut_says_so(client, simulated):
    answer = client.chat.completions.create(model="auto", messages=asked(simulated, "be cut short"))
    assert answer.choices[0].finish_reason == "length"
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(
            model="auto", messages=asked(simulated, "be cut short"), response_format=Programmer
        )


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_errors_of_the_provider_are_the_clients_own(client, simulated, streamed):
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="auto", messages=asked(simulated, "be too busy"), stream=streamed)
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.body["message"] == "too many requests at once"
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="auto", messages=asked(simulated, "be wrong"), stream=streamed)
    assert caught.value.body["message"] == "this cannot be answered"


def test_a_prompt_beyond_the_context_of_a_real_engine_is_a_bad_request(client, real):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="auto", messages=asked(real, "word " * 9000))
    assert "context size" in caught.value.body["message"]
    # What speaks the client's protocol passes as it is, and this engine has a code of its own.
    assert caught.value.code == ("400" if real == "llama-chat" else "context_length_exceeded")
