"""Backends that misbehave, as the SDK sees them."""

import asyncio

import httpx2
import openai
import pytest

from harness import MOCK_TEXT
from test_chat import HELLO, text_of

# Straight from a broken backend the SDK lets transport errors through; a router turns them into proper API errors.
TRANSPORT = (openai.APIError, httpx2.HTTPError)


def expected_error(front):
    return openai.APIError if front.is_router else TRANSPORT


def ask(front, **options):
    return front.client().chat.completions.create(model=front.model, messages=HELLO, **options)


def assert_still_works(front, mock):
    mock.behave("normal")
    assert ask(front).choices[0].message.content == MOCK_TEXT


def test_429_is_a_rate_limit_error_with_retry_after(front, mock):
    mock.behave("rate-limited")
    for stream in (False, True):
        with pytest.raises(openai.RateLimitError) as caught:
            ask(front, stream=stream)
        assert caught.value.response.headers["retry-after"] == "7"
        assert caught.value.type == "rate_limit_error"
    assert_still_works(front, mock)


def test_500_is_a_server_error_with_a_body(front, mock):
    mock.behave("server-error")
    with pytest.raises(openai.InternalServerError) as caught:
        ask(front)
    assert caught.value.status_code in (500, 502)
    assert caught.value.body["message"]
    assert_still_works(front, mock)


def test_a_connection_closed_before_the_head_is_an_error(front, mock):
    mock.behave("close")
    with pytest.raises(openai.InternalServerError if front.is_router else openai.APIConnectionError):
        ask(front)
    assert_still_works(front, mock)


def test_a_retry_of_the_sdk_succeeds_after_the_fault(front, mock):
    mock.behave("server-error")
    client = front.client(max_retries=3)
    original_sleep = client._sleep_for_retry

    def heal_then_sleep(**arguments):
        mock.behave("normal")
        return original_sleep(**arguments)

    client._sleep_for_retry = heal_then_sleep
    answer = client.chat.completions.create(model=front.model, messages=HELLO)
    assert answer.choices[0].message.content == MOCK_TEXT


@pytest.mark.parametrize("name", ["split-bytes", "split-characters", "split-data-field", "odd-framing", "gzip", "drip"])
def test_odd_but_legal_answers_are_read_in_full(front, mock, name):
    mock.behave(name)
    assert ask(front).choices[0].message.content == MOCK_TEXT
    assert text_of(ask(front, stream=True)) == MOCK_TEXT


def test_huge_headers_are_answered_or_refused_but_never_hang(front, mock):
    mock.behave("huge-headers")
    try:
        assert ask(front).choices[0].message.content == MOCK_TEXT
    except openai.APIError as error:
        if front.is_router:
            assert error.status_code == 502
    assert_still_works(front, mock)


def test_a_stream_without_done_is_complete_when_it_has_a_finish_reason(front, mock):
    mock.behave("end-without-done")
    chunks = list(ask(front, stream=True))
    assert text_of(chunks) == MOCK_TEXT
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_a_stream_that_ends_before_its_finish_reason_is_an_error(router, mock):
    mock.behave("end-without-finish")
    with pytest.raises(openai.APIError):
        list(ask(router, stream=True))
    assert_still_works(router, mock)


@pytest.mark.parametrize("name", ["reset", "truncated", "error-event"])
def test_a_stream_that_breaks_is_an_error(front, mock, name):
    mock.behave(name)
    chunks = []
    with pytest.raises(expected_error(front)):
        for chunk in ask(front, stream=True):
            chunks.append(chunk)
    assert chunks, "what came before the break is delivered"
    assert_still_works(front, mock)


@pytest.mark.parametrize("name", ["reset", "truncated", "error-event"])
def test_a_plain_answer_that_breaks_is_an_error(front, mock, name):
    mock.behave(name)
    with pytest.raises(expected_error(front)):
        ask(front)
    assert_still_works(front, mock)


def test_a_held_answer_is_delivered_when_it_comes(front, mock):
    mock.behave("hold-first-byte")

    async def run() -> str:
        pending = asyncio.create_task(
            front.async_client().chat.completions.create(model=front.model, messages=HELLO)
        )
        await asyncio.to_thread(mock.wait, requests=1)
        assert not pending.done()
        await asyncio.to_thread(mock.release)
        return (await pending).choices[0].message.content

    assert asyncio.run(run()) == MOCK_TEXT


def test_a_client_timeout_cancels_the_backend(front, mock):
    mock.behave("hold-first-byte")
    with pytest.raises(openai.APITimeoutError):
        front.client(timeout=0.5).chat.completions.create(model=front.model, messages=HELLO)
    mock.wait(cancelled=1)


def test_a_backend_that_never_answers_is_a_gateway_timeout(router, mock):
    mock.behave("hold-first-byte")
    with pytest.raises(openai.APIStatusError) as caught:
        ask(router)
    assert caught.value.status_code == 504
    mock.wait(cancelled=1)


def test_a_stalled_stream_is_an_error_after_the_idle_timeout(router, mock):
    mock.behave("stall")
    chunks = []
    with pytest.raises(openai.APIError):
        for chunk in ask(router, stream=True):
            chunks.append(chunk)
    assert chunks
    mock.wait(cancelled=1)


def test_a_stalled_stream_goes_on_when_released(front, mock):
    mock.behave("stall")
    stream = ask(front, stream=True)
    chunks = [next(stream), next(stream)]
    mock.release()
    assert text_of(chunks + list(stream)) == MOCK_TEXT


def test_leaving_a_stream_cancels_the_backend(front, mock):
    mock.behave("endless")
    with ask(front, stream=True) as stream:
        for _ in range(20):
            next(stream)
    mock.wait(cancelled=1)
    assert_still_works(front, mock)


def test_cancelling_a_task_cancels_the_backend(front, mock):
    mock.behave("endless")

    async def run() -> None:
        client = front.async_client()

        async def read() -> None:
            async for _ in await client.chat.completions.create(model=front.model, messages=HELLO, stream=True):
                await asyncio.sleep(0)

        task = asyncio.create_task(read())
        await asyncio.to_thread(mock.wait, requests=1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    mock.wait(cancelled=1)
