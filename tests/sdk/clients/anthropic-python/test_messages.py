"""Messages: plain, streamed with the helper, the tool runner, thinking, structured output, counting, errors."""

import anthropic
import pytest
from anthropic import beta_tool
from pydantic import BaseModel

GREETING = "Grüße aus dem Simulator: 你好 🌍, and a good day to everybody who reads this."
WEATHER = {
    "name": "get_weather",
    "description": "The weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
THINKING = {"type": "enabled", "budget_tokens": 1024}


class Programmer(BaseModel):
    name: str
    born: int


def request(model, text, **options):
    messages = [{"role": "user", "content": f"{model}, {text}"}]
    return {"model": "auto", "max_tokens": 2048, "system": "Be brief.", "messages": messages} | options


def tools(done):
    """The tools of these tests; they note what was asked in `done`."""

    @beta_tool
    def get_weather(city: str) -> str:
        """The weather of a city.

        Args:
            city: The city's name.
        """
        done.append(city)
        if city == "Nowhere":
            raise ValueError("the tool failed")
        return f"{ {'Oslo': 21, 'Rome': 30, 'Oslo, Norway': 12, 'Bergen': 9}[city] } degrees"

    @beta_tool
    def to_fahrenheit(celsius: float) -> str:
        """Converts a temperature.

        Args:
            celsius: Degrees Celsius.
        """
        done.append(celsius)
        return "86 fahrenheit"

    return [get_weather, to_fahrenheit]


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


def test_a_question_is_answered_with_usage(client, model):
    message = client.messages.create(**request(model, "please say hello", max_tokens=12))
    assert (message.type, message.role) == ("message", "assistant")
    assert text_of(message)
    assert message.stop_reason in ("end_turn", "max_tokens")
    assert message.usage.output_tokens
    assert message.usage.input_tokens + (message.usage.cache_read_input_tokens or 0)


def test_the_streaming_helper_gathers_the_whole_answer(client, simulated):
    with client.messages.stream(**request(simulated, "please say hello")) as stream:
        texts = list(stream.text_stream)
        message = stream.get_final_message()
    assert len(texts) > 5
    assert "".join(texts) == text_of(message) == GREETING
    assert message.stop_reason == "end_turn"
    assert message.usage.output_tokens == 20


def test_a_real_engines_stream_is_gathered_to_its_end(client, real):
    with client.messages.stream(**request(real, "count", max_tokens=8)) as stream:
        kinds = [event.type for event in stream]
        message = stream.get_final_message()
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")
    assert text_of(message)
    assert message.stop_reason in ("end_turn", "max_tokens")


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_the_tool_runner_comes_to_an_answer_in_two_steps(client, simulated, streamed):
    done = []
    asked = request(simulated, "tell me the weather in Rome in fahrenheit", tools=tools(done))
    turns = client.beta.messages.tool_runner(**asked, stream=streamed)
    messages = [turn.get_final_message() if streamed else turn for turn in turns]
    assert done == ["Rome", 30]
    assert [message.stop_reason for message in messages] == ["tool_use", "tool_use", "end_turn"]
    assert [block.id for message in messages[:2] for block in message.content] == ["call_rome", "call_rome_2"]
    assert text_of(messages[-1]) == "It is 86 fahrenheit in Rome."


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_the_tool_runner_answers_parallel_calls_together(client, simulated, streamed):
    done = []
    asked = request(simulated, "compare Oslo and Bergen", tools=tools(done))
    final = client.beta.messages.tool_runner(**asked, stream=streamed).until_done()
    assert done == ["Oslo, Norway", "Bergen"]
    assert text_of(final) == "Oslo has 12 degrees, Bergen 9."


def test_a_tool_that_fails_says_so_to_the_model(client, simulated):
    done = []
    asked = request(simulated, "tell me the weather nowhere", tools=tools(done))
    assert text_of(client.beta.messages.tool_runner(**asked).until_done()) == "I could not find out."
    assert done == ["Nowhere"]


def test_the_input_of_a_streamed_call_comes_in_pieces(client, simulated):
    with client.messages.stream(**request(simulated, "tell me the weather in Oslo", tools=[WEATHER])) as stream:
        pieces = [event.partial_json for event in stream if event.type == "input_json"]
        (call,) = stream.get_final_message().content
    assert (call.type, call.id, call.name, call.input) == ("tool_use", "call_oslo", "get_weather", {"city": "Oslo"})
    assert len(pieces) > 1


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_thinking_comes_before_the_answer_and_is_signed(client, simulated, streamed):
    asked = request(simulated, "think aloud", thinking=THINKING)
    if streamed:
        with client.messages.stream(**asked) as stream:
            message = stream.get_final_message()
    else:
        message = client.messages.create(**asked)
    thought, answer = message.content
    assert (thought.type, thought.thinking) == ("thinking", "Two and two are four.")
    assert thought.signature
    assert answer.text == "Four."


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_thinking_goes_back_to_the_model_that_wrote_it(client, simulated, streamed):
    """The simulator refuses a tool loop whose first step lost its thinking."""
    done = []
    asked = request(simulated, "think about the weather", thinking=THINKING, tools=tools(done))
    turns = client.beta.messages.tool_runner(**asked, stream=streamed)
    messages = [turn.get_final_message() if streamed else turn for turn in turns]
    assert [[block.type for block in message.content] for message in messages] == [["thinking", "tool_use"], ["text"]]
    assert done == ["Oslo"]


def test_a_thread_that_the_server_shall_hold_is_refused_by_name(client, simulated):
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.beta.messages.create(**request(simulated, "please say hello", thread={"type": "create"}))
    assert caught.value.body["error"]["details"] == {"error_code": "thread_unsupported_request"}
    options = {"max_tokens": 2048, "model": "auto", "unsupported_request_behavior": "continue_unthreaded"}
    thread = client.beta.messages.thread(**options)
    for _ in range(2):
        reply = thread.send({"role": "user", "content": f"{simulated}, please say hello"})
        assert text_of(reply) == GREETING
    assert len(thread.messages) == 4


def test_structured_output_is_parsed(client, simulated):
    asked = request(simulated, "who wrote the first program", output_format=Programmer)
    assert client.messages.parse(**asked).parsed_output == Programmer(name="Ada Lovelace", born=1815)


def test_a_real_engine_obeys_the_schema_it_was_given(client):
    class Answer(BaseModel):
        yes: bool

    asked = request("llama-chat", "is snow white?", output_format=Answer, max_tokens=96)
    assert client.messages.parse(**asked).parsed_output.yes in (True, False)


def test_an_answer_that_was_cut_says_so(client, simulated):
    assert client.messages.create(**request(simulated, "be cut short")).stop_reason == "max_tokens"


def test_tokens_are_counted_and_grow_with_the_text(client, model):
    count = lambda text: client.messages.count_tokens(
        model="auto", messages=[{"role": "user", "content": f"{model}, {text}"}], tools=[WEATHER]
    ).input_tokens
    assert 0 < count("hello") < count("hello " * 100)


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_errors_of_the_provider_are_the_clients_own(client, simulated, streamed):
    with pytest.raises(anthropic.RateLimitError) as caught:
        client.messages.create(**request(simulated, "be too busy"), stream=streamed)
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.body["error"] == {"type": "rate_limit_error", "message": "too many requests at once"}
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.create(**request(simulated, "be wrong"), stream=streamed)
    assert caught.value.body["error"]["message"] == "this cannot be answered"


def test_a_prompt_beyond_the_context_of_a_real_engine_is_a_bad_request(client, real):
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.create(**request(real, "word " * 9000))
    # What speaks the client's protocol passes as it is; these words tell others to shorten.
    assert caught.value.body["error"]["message"].startswith("prompt is too long") or real == "llama-messages"


def test_models_are_listed_in_anthropics_shape(client):
    names = [model.id for model in client.models.list()]
    assert "auto" in names or "MoM" in names
