"""Agents that let the router keep their conversation and send only what is new."""

import openai
import pytest
from agents import Runner
from test_agents import agent


def run(agent, question, **options):
    try:
        return Runner.run_sync(agent, question, **options)
    except openai.BadRequestError as refusal:
        if "previous_response_id" not in str(refusal.body):
            raise
        pytest.skip(f"the router refuses `previous_response_id`: {refusal.body['message']}")


@pytest.mark.parametrize("auto", ["responses"], indirect=True)
def test_a_tool_loop_sends_only_what_is_new(auto, simulated):
    done = []
    question = f"{simulated}, tell me the weather in Rome in fahrenheit"
    result = run(agent(auto, done), question, auto_previous_response_id=True)
    assert done == ["Rome", 30]
    assert result.final_output == "It is 86 fahrenheit in Rome."


@pytest.mark.parametrize("auto", ["responses"], indirect=True)
def test_a_second_run_builds_on_the_last_response_of_the_first(auto, simulated):
    first = run(agent(auto, []), f"{simulated}, tell me the weather in Oslo", auto_previous_response_id=True)
    question = f"{simulated}, please say hello"
    second = run(agent(auto, []), question, previous_response_id=first.last_response_id)
    assert second.final_output.startswith("Grüße")
    assert second.last_response_id != first.last_response_id
