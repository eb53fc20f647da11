"""Responses: plain, streamed with the helper, tools and the tool runner, structured output, errors."""

import openai
import pytest
from openai.lib.responses_tool_runner import RegisteredFunction, ResponsesToolRunner
from pydantic import BaseModel

from test_chat import GREETING, GetWeather, Programmer, ToFahrenheit


def ask(client, model, text, **options):
    return client.responses.create(model="auto", instructions="Be brief.", input=f"{model}, {text}", **options)


def runner(done, **options):
    """Runs the tools of these tests and notes what was asked in `done`."""

    def get_weather(arguments: GetWeather) -> str:
        done.append(arguments.city)
        degrees = {"Oslo": 21, "Rome": 30, "Oslo, Norway": 12, "Bergen": 9}
        return f"{degrees[arguments.city]} degrees"

    def to_fahrenheit(arguments: ToFahrenheit) -> str:
        done.append(arguments.celsius)
        return "86 fahrenheit"

    tool = openai.pydantic_responses_function_tool
    return ResponsesToolRunner(
        functions=[
            RegisteredFunction.from_tool(tool(GetWeather, name="get_weather"), execute=get_weather, **options),
            RegisteredFunction.from_tool(tool(ToFahrenheit, name="to_fahrenheit"), execute=to_fahrenheit, **options),
        ]
    )


def test_a_question_is_answered_with_usage(client, model):
    answer = ask(client, model, "please say hello", max_output_tokens=16)
    assert answer.output_text
    assert answer.status in ("completed", "incomplete")
    assert answer.usage.input_tokens and answer.usage.output_tokens
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens
    assert answer.instructions == "Be brief."


def test_the_streaming_helper_gathers_the_whole_answer(client, simulated):
    with client.responses.stream(model="auto", input=f"{simulated}, please say hello") as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert [event.sequence_number for event in events] == list(range(len(events)))
    types = [event.type for event in events]
    assert types[:2] == ["response.created", "response.in_progress"]
    assert types[-1] == "response.completed"
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert len(deltas) > 5
    assert "".join(deltas) == final.output_text == GREETING
    assert final.usage.output_tokens == 20


def test_a_real_engines_stream_is_gathered_to_its_end(client, real):
    with client.responses.stream(model="auto", input=f"{real}, count", max_output_tokens=16) as stream:
        last = list(stream)[-1]
    assert last.type in ("response.completed", "response.incomplete")
    assert last.response.output_text


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_the_tool_runner_comes_to_an_answer_in_two_steps(client, simulated, streamed):
    done = []
    question = f"{simulated}, tell me the weather in Rome in fahrenheit"
    final = runner(done).run(client, {"model": "auto", "input": question}, max_steps=4, stream=streamed)
    assert done == ["Rome", 30]
    assert final.output_text == "It is 86 fahrenheit in Rome."


@pytest.mark.parametrize("eager", [False, True], ids=["in turn", "eager"])
def test_the_tool_runner_answers_parallel_calls_together(client, simulated, eager):
    done = []
    params = {"model": "auto", "input": f"{simulated}, compare Oslo and Bergen"}
    final = runner(done).run(client, params, max_steps=3, stream=True, eager=eager)
    assert done == ["Oslo, Norway", "Bergen"]
    assert final.output_text == "Oslo has 12 degrees, Bergen 9."


def test_the_items_of_an_answer_are_the_next_input(client, simulated):
    tools = [openai.pydantic_responses_function_tool(GetWeather, name="get_weather")]
    history = [{"role": "user", "content": f"{simulated}, tell me the weather in Oslo"}]
    first = client.responses.create(model="auto", input=history, tools=tools, store=False)
    (call,) = [item for item in first.output if item.type == "function_call"]
    assert (call.call_id, call.name, call.arguments) == ("call_oslo", "get_weather", '{"city":"Oslo"}')
    history += [*first.output, {"type": "function_call_output", "call_id": call.call_id, "output": "21 degrees"}]
    second = client.responses.create(model="auto", input=history, tools=tools, store=False)
    assert second.output_text == "It is 21 degrees in Oslo."


def test_structured_output_is_parsed(client, simulated):
    question = f"{simulated}, who wrote the first program"
    ada = Programmer(name="Ada Lovelace", born=1815)
    assert client.responses.parse(model="auto", input=question, text_format=Programmer).output_parsed == ada
    with client.responses.stream(model="auto", input=question, text_format=Programmer) as stream:
        assert stream.get_final_response().output_parsed == ada


def test_a_real_engine_obeys_the_schema_it_was_given(client):
    class Answer(BaseModel):
        yes: bool

    answer = client.responses.parse(
        model="auto", input="llama-chat, is snow white?", text_format=Answer, max_output_tokens=96, temperature=0
    )
    assert answer.output_parsed.yes in (True, False)


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_reasoning_is_an_item_before_the_message(client, simulated, streamed):
    request = {"model": "auto", "input": f"{simulated}, think aloud", "reasoning": {"effort": "low", "summary": "auto"}}
    if streamed:
        with client.responses.stream(**request) as stream:
            answer = stream.get_final_response()
    else:
        answer = client.responses.create(**request)
    assert [item.type for item in answer.output] == ["reasoning", "message"]
    assert [part.text for part in answer.output[0].summary] == ["Two and two are four."]
    assert answer.output_text == "Four."


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_reasoning_goes_back_to_the_model_that_wrote_it(client, simulated, streamed):
    """The simulator refuses an Anthropic tool loop whose first step lost its thinking."""
    done = []
    params = {
        "model": "auto", "input": f"{simulated}, think about the weather", "store": False,
        "include": ["reasoning.encrypted_content"], "reasoning": {"effort": "medium"},
    }
    turns = []
    for turn in runner(done).iterate(client, params, max_steps=3, stream=streamed):
        turns.append([item.type for item in turn.response.output])
    assert turns == [["reasoning", "function_call"], ["message"]]
    assert done == ["Oslo"]


def test_an_answer_that_was_cut_says_so(client, simulated):
    answer = ask(client, simulated, "be cut short")
    assert (answer.status, answer.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    with client.responses.stream(model="auto", input=f"{simulated}, be cut short") as stream:
        assert list(stream)[-1].type == "response.incomplete"


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_errors_of_the_provider_are_the_clients_own(client, simulated, streamed):
    with pytest.raises(openai.RateLimitError) as caught:
        ask(client, simulated, "be too busy", stream=streamed)
    assert caught.value.response.headers["retry-after"] == "7"
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, simulated, "be wrong", stream=streamed)
    assert caught.value.body["message"] == "this cannot be answered"


def test_a_prompt_beyond_the_context_of_a_real_engine_is_a_bad_request(client, real):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, real, "word " * 9000)
    assert caught.value.code == "context_length_exceeded"
