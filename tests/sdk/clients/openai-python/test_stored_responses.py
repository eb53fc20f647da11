"""Responses that the router keeps: chains, retrieval, input items, deletion."""

import openai
import pytest

from test_responses import runner


@pytest.fixture(scope="module", autouse=True)
def state(client):
    """Skips where the router keeps no responses."""
    first = client.responses.create(model="auto", input="simulated-chat, please say hello")
    try:
        client.responses.create(model="auto", input="simulated-chat, please say hello", previous_response_id=first.id)
    except openai.BadRequestError as refusal:
        pytest.skip(f"the router refuses `previous_response_id`: {refusal.body['message']}")


def ask(client, text, **options):
    return client.responses.create(model="auto", input=text, **options)


def test_a_chain_goes_on_where_it_was(client, simulated):
    tools = runner([])._tools
    first = ask(client, f"{simulated}, tell me the weather in Oslo", tools=tools)
    (call,) = first.output
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "21 degrees"}
    second = ask(client, [output], tools=tools, previous_response_id=first.id)
    assert second.previous_response_id == first.id
    assert second.output_text == "It is 21 degrees in Oslo."
    third = ask(client, f"{simulated}, please say hello", previous_response_id=second.id)
    items = client.responses.input_items.list(third.id, order="asc", limit=100).data
    assert [item.type for item in items][-1] == "message"


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_a_response_is_read_again_until_it_is_deleted(client, simulated, streamed):
    question = f"{simulated}, please say hello"
    if streamed:
        with client.responses.stream(model="auto", input=question) as stream:
            response = stream.get_final_response()
    else:
        response = ask(client, question)
    again = client.responses.retrieve(response.id)
    assert (again.id, again.status, again.output_text) == (response.id, "completed", response.output_text)
    assert again.usage == response.usage
    (item,) = client.responses.input_items.list(response.id).data
    assert (item.role, item.content[0].text) == ("user", question)
    client.responses.delete(response.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)
    with pytest.raises((openai.NotFoundError, openai.BadRequestError)):
        ask(client, question, previous_response_id=response.id)


def test_a_response_that_shall_not_be_stored_is_not(client, simulated):
    response = ask(client, f"{simulated}, please say hello", store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)


def test_input_items_come_in_pages_and_both_orders(client, simulated):
    words = [{"role": "user", "content": f"{simulated}, word {number}"} for number in range(4)]
    response = ask(client, [*words, {"role": "user", "content": f"{simulated}, please say hello"}])
    newest = [item.content[0].text for item in client.responses.input_items.list(response.id, limit=2)]
    assert len(newest) == 5
    oldest = [item.content[0].text for item in client.responses.input_items.list(response.id, limit=2, order="asc")]
    assert oldest == newest[::-1]
    assert oldest[0].endswith("word 0")
