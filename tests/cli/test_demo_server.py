"""The demo's model server, called by real clients of the OpenAI API."""

import http.client
import json
import threading

import pytest

openai = pytest.importorskip("openai")

from otel_callbacks.cli._demo import script  # noqa: E402
from otel_callbacks.cli._demo.server import serve  # noqa: E402

TOOLS = [{"type": "function", "function": {"name": "order_status", "parameters": {"type": "object", "properties": {}}}}]
QUESTION = [{"role": "user", "content": "What is the return policy?"}]


@pytest.fixture
def server():
    """Run the server and yield its address."""
    with serve() as address:
        yield address


@pytest.fixture
def client(server):
    """Yield a client of the server that does not retry."""
    with openai.DefaultHttpxClient(trust_env=False) as http_client:
        yield openai.OpenAI(base_url=f"{server}/v1", api_key="demo", max_retries=0, http_client=http_client)


def test_answer_has_text_model_and_usage(client):
    """A chat request gets its scripted answer, a dated model name, and usage that adds up."""
    answer = client.chat.completions.create(model="small", messages=QUESTION)

    assert answer.choices[0].message.content.startswith("You can return unused items")
    assert (answer.choices[0].finish_reason, answer.model) == ("stop", "small-latest")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


def test_answers_are_the_same_every_time(client):
    """Two equal requests get equal answers, usage included."""
    first, second = (client.chat.completions.create(model="small", messages=QUESTION) for _ in range(2))

    assert first == second


def test_unscripted_question_gets_an_answer(client):
    """Any question is answered."""
    answer = client.chat.completions.create(model="small", messages=[{"role": "user", "content": "Why?"}])

    assert answer.choices[0].message.content


@pytest.mark.parametrize("usage", [True, False], ids=["with-usage", "without-usage"])
def test_stream_adds_up_to_the_answer(client, usage):
    """The chunks hold the answer's text word by word, and the usage only on request."""
    options = {"stream_options": {"include_usage": True}} if usage else {}
    chunks = list(client.chat.completions.create(model="small", messages=QUESTION, stream=True, **options))
    answer = client.chat.completions.create(model="small", messages=QUESTION)
    choices = [choice for chunk in chunks for choice in chunk.choices]

    assert "".join(choice.delta.content or "" for choice in choices) == answer.choices[0].message.content
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
    assert [chunk.usage for chunk in chunks if chunk.usage] == ([answer.usage] if usage else [])


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_tools_are_called_in_order_before_the_answer(client, stream):
    """With tools, each turn calls the next scripted one; text follows the last result."""
    messages, names = list(QUESTION), []
    for _ in script.TOOL_CALLS:
        answer = client.chat.completions.create(model="small", messages=messages, tools=TOOLS, stream=stream)
        choices = [choice for chunk in answer for choice in chunk.choices] if stream else answer.choices
        message = next(m for c in choices if (m := c.delta if stream else c.message).tool_calls)
        names.append((message.tool_calls[0].function.name, json.loads(message.tool_calls[0].function.arguments)))
        messages += [
            {"role": "assistant", "tool_calls": [message.tool_calls[0].model_dump(exclude={"index"})]},
            {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "done"},
        ]
    last = client.chat.completions.create(model="small", messages=messages, tools=TOOLS)

    assert names == list(script.TOOL_CALLS)
    assert (last.choices[0].finish_reason, last.choices[0].message.tool_calls) == ("stop", None)
    assert last.usage.prompt_tokens_details.cached_tokens > 0


@pytest.mark.parametrize(("status", "error"), [(429, openai.RateLimitError), (500, openai.InternalServerError)])
def test_failing_paths_answer_as_the_api_fails(server, status, error):
    """Below ``/status/NNN`` every request fails with that status and an error body of the API's form."""
    with openai.DefaultHttpxClient(trust_env=False) as http_client:
        failing = openai.OpenAI(
            base_url=f"{server}/status/{status}/v1", api_key="demo", max_retries=0, http_client=http_client
        )
        with pytest.raises(error) as failure:
            failing.chat.completions.create(model="small", messages=QUESTION)

    assert failure.value.status_code == status
    assert failure.value.body["message"]


def test_embeddings_of_similar_texts_are_close(client):
    """A question's embedding is nearest to that of the text that shares its words."""
    texts = ["return policy for items", "opening hours of lockers", "the return policy"]
    vectors = [entry.embedding for entry in client.embeddings.create(model="vectors", input=texts).data]
    nearness = [sum(a * b for a, b in zip(vectors[2], vector, strict=True)) for vector in vectors[:2]]

    assert nearness[0] > nearness[1]


def test_one_text_can_be_embedded(client):
    """The API's short form, one text instead of a list, also works."""
    assert len(client.embeddings.create(model="vectors", input="a text").data) == 1


def test_client_that_hangs_up_leaves_no_traceback(server, capfd):
    """A client that closes its connection in the middle of a stream is not reported."""
    host, port = server.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port))
    connection.request(
        "POST",
        "/v1/chat/completions",
        json.dumps({"model": "small", "messages": [{"role": "user", "content": "write a slogan"}], "stream": True}),
    )
    connection.getresponse().close()
    connection.close()
    for thread in threading.enumerate():
        if "process_request_thread" in thread.name:
            thread.join()

    assert capfd.readouterr().err == ""
