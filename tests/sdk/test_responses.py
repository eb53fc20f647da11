"""Stored responses and conversations through the SDK."""

import openai
import pytest

from harness import MOCK_TEXT


@pytest.fixture
def client(mock_router, mock):
    return openai.OpenAI(base_url=f"{mock_router.url}/v1", api_key="client-key", max_retries=0, timeout=20)


def test_a_response_is_stored_retrieved_and_deleted(client):
    made = client.responses.create(model="auto", input="hello there", metadata={"topic": "x"})
    assert (made.output_text, made.status, made.metadata) == (MOCK_TEXT, "completed", {"topic": "x"})
    assert client.responses.retrieve(made.id) == made
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.delete(made.id)


def test_turns_are_chained_and_their_items_listed(client):
    first = client.responses.create(model="auto", input="one")
    second = client.responses.create(
        model="auto", previous_response_id=first.id, input=[{"role": "user", "content": str(n)} for n in range(5)]
    )
    assert second.previous_response_id == first.id
    listed = client.responses.input_items.list(second.id, limit=2, order="asc")
    assert [item.content[0].text for item in listed] == ["0", "1", "2", "3", "4"]
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model="auto", input="x", previous_response_id="resp_" + "0" * 48)
    assert refused.value.code == "previous_response_not_found"
    with pytest.raises(openai.BadRequestError):
        client.responses.cancel(second.id)


def test_a_stream_is_stored(client):
    first = client.responses.create(model="auto", input="one")
    with client.responses.stream(model="auto", input="two", previous_response_id=first.id) as stream:
        said = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        final = stream.get_final_response()
    assert (said, final.output_text, final.previous_response_id) == (MOCK_TEXT, MOCK_TEXT, first.id)
    assert client.responses.retrieve(final.id).output_text == MOCK_TEXT


def test_a_conversation_holds_its_turns(client):
    conversation = client.conversations.create(
        metadata={"topic": "x"}, items=[{"type": "message", "role": "user", "content": "zero"}]
    )
    answer = client.responses.create(model="auto", input="one", conversation=conversation.id)
    assert answer.conversation.id == conversation.id
    items = client.conversations.items.list(conversation.id, order="asc", limit=1)
    assert [item.content[0].text for item in items] == ["zero", "one", MOCK_TEXT]
    added = client.conversations.items.create(
        conversation.id, items=[{"type": "message", "role": "user", "content": "two"}]
    )
    item = client.conversations.items.retrieve(added.data[0].id, conversation_id=conversation.id)
    assert item.content[0].text == "two"
    assert client.conversations.update(conversation.id, metadata={"topic": "y"}).metadata == {"topic": "y"}
    assert client.conversations.delete(conversation.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.conversations.retrieve(conversation.id)
