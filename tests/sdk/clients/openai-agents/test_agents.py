"""Agents that use tools, hand over to each other and answer in a schema."""

import asyncio

from agents import Agent, ModelSettings, Runner, function_tool
from openai.types.shared import Reasoning
from pydantic import BaseModel


class Programmer(BaseModel):
    name: str
    born: int


def agent(auto, done=None, **options):
    """An agent with the tools of these tests; they note what was asked in `done`."""

    @function_tool
    def get_weather(city: str) -> str:
        """The weather of a city."""
        done.append(city)
        return f"{ {'Oslo': 21, 'Rome': 30, 'Oslo, Norway': 12, 'Bergen': 9}[city] } degrees"

    @function_tool
    def to_fahrenheit(celsius: float) -> str:
        """Converts a temperature."""
        done.append(celsius)
        return "86 fahrenheit"

    tools = [get_weather, to_fahrenheit] if done is not None else []
    return Agent(name="Guide", instructions="Be brief.", model=auto, tools=tools, **options)


async def streamed(agent, question):
    """The result of a streamed run, and the kinds of its items in order."""
    result = Runner.run_streamed(agent, question)
    kinds = [event.item.type async for event in result.stream_events() if event.type == "run_item_stream_event"]
    return result, kinds


def test_a_tool_loop_of_two_steps_comes_to_an_answer(auto, simulated):
    done = []
    result = Runner.run_sync(agent(auto, done), f"{simulated}, tell me the weather in Rome in fahrenheit")
    assert done == ["Rome", 30]
    assert result.final_output == "It is 86 fahrenheit in Rome."
    assert len(result.raw_responses) == 3


def test_a_streamed_tool_loop_tells_its_items_in_order(auto, simulated):
    done = []
    question = f"{simulated}, tell me the weather in Rome in fahrenheit"
    result, kinds = asyncio.run(streamed(agent(auto, done), question))
    assert done == ["Rome", 30]
    assert kinds == ["tool_call_item", "tool_call_output_item"] * 2 + ["message_output_item"]
    assert result.final_output == "It is 86 fahrenheit in Rome."


def test_parallel_calls_are_answered_together(auto, simulated):
    done = []
    result = Runner.run_sync(agent(auto, done), f"{simulated}, compare Oslo and Bergen")
    assert sorted(done) == ["Bergen", "Oslo, Norway"]
    assert result.final_output == "Oslo has 12 degrees, Bergen 9."


def test_reasoning_is_kept_through_a_tool_loop(auto, simulated):
    """The simulator refuses an Anthropic tool loop whose first step lost its thinking."""
    done = []
    settings = ModelSettings(reasoning=Reasoning(effort="medium"), response_include=["reasoning.encrypted_content"])
    thinker = agent(auto, done, model_settings=settings)
    result, kinds = asyncio.run(streamed(thinker, f"{simulated}, think about the weather"))
    assert done == ["Oslo"]
    assert kinds == ["reasoning_item", "tool_call_item", "tool_call_output_item", "message_output_item"]
    assert result.final_output == "It is 21 degrees in Oslo."


def test_a_second_turn_builds_on_the_first(auto, simulated):
    done = []
    first = Runner.run_sync(agent(auto, done), f"{simulated}, tell me the weather in Oslo")
    question = {"role": "user", "content": f"{simulated}, please say hello"}
    second = Runner.run_sync(agent(auto, done), [*first.to_input_list(), question])
    assert done == ["Oslo"]
    assert second.final_output.startswith("Grüße")


def test_the_output_type_is_parsed(auto, simulated):
    result = Runner.run_sync(agent(auto, output_type=Programmer), f"{simulated}, who wrote the first program")
    assert result.final_output == Programmer(name="Ada Lovelace", born=1815)


def test_a_real_engine_answers_an_agent(auto, real):
    short = agent(auto, model_settings=ModelSettings(max_tokens=256, temperature=0))
    result = Runner.run_sync(short, f"{real}, please say hello")
    assert result.final_output
    assert result.raw_responses[0].usage.output_tokens
