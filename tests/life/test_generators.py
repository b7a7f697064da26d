import asyncio
import contextvars
import gc

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableGenerator
from opentelemetry import trace

from tests.life.waiting import exported
from tests.support.models import ScriptedChat, usage
from tests.support.programs import graph
from tests.support.recorded_spans import RecordedSpans
from tests.support.threads import in_threads

CHUNKS = [AIMessageChunk("a", usage_metadata=usage(3, 1)), AIMessageChunk(" b"), AIMessageChunk(" c")]


def model():
    """Make a model that streams three chunks, of which the first reports usage."""
    return ScriptedChat(script=[CHUNKS])


def chain():
    """Build a sequence of a prompt, that model and a parser."""
    return ChatPromptTemplate.from_template("{q}") | model() | StrOutputParser()


def program():
    """Build a graph whose first node streams that model."""

    def talk(state):
        return {"seen": ["".join(chunk.content for chunk in model().stream("x"))]}

    return graph("g", talk=talk, rest=lambda state: {"seen": ["rest"]})


PROGRAMS = {
    "chat": (model, "x", "chat [cancelled]"),
    "chain": (chain, {"q": "x"}, "invoke_workflow\n    chat"),  # LangChain reads a closed chain to its end
}


def assert_partial_answer_is_recorded(telemetry: RecordedSpans) -> None:
    """Assert that the one chat span has what the stream yielded until it stopped, and that there is one duration."""
    span = telemetry.span("chat")
    assert span.attributes["otel_callbacks.outcome"] == "cancelled"
    assert span.attributes["otel_callbacks.stream.partial_length"] == 1
    assert span.attributes["gen_ai.response.time_to_first_chunk"] > 0
    assert span.attributes["gen_ai.usage.input_tokens"] == 3
    assert span.status.is_unset
    assert telemetry.count("gen_ai.client.operation.duration", otel_callbacks__outcome="cancelled") == 1


@pytest.mark.parametrize("kind", PROGRAMS)
@pytest.mark.parametrize("how", ["break", "close", "collected"])
def test_stream_that_is_left(telemetry: RecordedSpans, kind, how):
    """A stream left after one chunk, by break, close or dropping it, ends its spans; the caller's is current again."""
    build, value, expected = PROGRAMS[kind]
    handler = telemetry.new_handler()
    with telemetry.tracer.start_as_current_span("req") as request:
        stream = build().stream(value, {"callbacks": [handler]})
        if how == "break":
            for _ in stream:
                break
            del stream
        elif how == "close":
            next(stream)
            stream.close()
        else:
            next(stream)
            stream = None
            gc.collect()
        assert trace.get_current_span().get_span_context() == request.get_span_context()
        telemetry.tracer.start_span("after").end()
    assert telemetry.tree() == f"req\n  {expected}\n  after"
    if kind == "chat":
        assert_partial_answer_is_recorded(telemetry)
    assert handler.open_runs == 0


@pytest.mark.parametrize("kind", PROGRAMS)
@pytest.mark.parametrize("how", ["aclose", "collected", "left to the loop"])
def test_async_stream_that_is_left(telemetry: RecordedSpans, kind, how):
    """An async stream left after one chunk ends as cancelled, even where only the loop's shutdown closes it."""
    build, value, _ = PROGRAMS[kind]
    handler = telemetry.new_handler()
    kept = []

    async def consume():
        with telemetry.tracer.start_as_current_span("req") as request:
            stream = build().astream(value, {"callbacks": [handler]})
            await stream.__anext__()
            if how == "aclose":
                await stream.aclose()
            elif how == "left to the loop":
                kept.append(stream)
            else:
                del stream
                gc.collect()
            telemetry.tracer.start_span("after").end()
            return request

    asyncio.run(consume())
    kept.clear()
    gc.collect()
    assert telemetry.parent_name(telemetry.span("after")) == "req"
    assert telemetry.span("chat").attributes["otel_callbacks.outcome"] == "cancelled"
    assert telemetry.span("chat").status.is_unset
    assert telemetry.count("gen_ai.client.operation.duration", otel_callbacks__outcome="cancelled") == 1
    assert handler.open_runs == 0


def test_stream_that_is_kept_ends_with_its_generator(telemetry: RecordedSpans):
    """While its generator is kept, a stream's run is open but not current; once that is gone, the run is exported."""
    handler = telemetry.new_handler()
    with telemetry.tracer.start_as_current_span("req"):
        kept = model().stream("x", {"callbacks": [handler]})
        next(kept)
        assert handler.open_runs == 1
        telemetry.tracer.start_span("meanwhile").end()
        ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [handler]})
        del kept
    gc.collect()
    assert telemetry.tree() == "req\n  chat [cancelled]\n  meanwhile\n  chat"


def test_streams_read_in_turns_stay_apart(telemetry: RecordedSpans):
    """Two streams that one thread reads in turns have spans of their own, and both end well."""
    handler = telemetry.new_handler()
    with telemetry.tracer.start_as_current_span("req"):
        first, second = (model().stream("x", {"callbacks": [handler]}) for _ in range(2))
        for _ in zip(first, second, strict=True):
            telemetry.tracer.start_span("between").end()
    chats = [span for span in telemetry.spans if span.name == "chat"]
    assert [span.attributes["otel_callbacks.outcome"] for span in chats] == ["ok", "ok"]
    assert {telemetry.parent_name(span) for span in telemetry.spans if span.name != "req"} == {"req"}


@pytest.mark.parametrize("is_async", [False, True])
def test_stream_that_is_never_read_is_no_run(telemetry: RecordedSpans, is_async):
    """A generator that is created and never iterated leaves no span and no open run."""
    handler = telemetry.new_handler()
    config = {"callbacks": [handler]}
    stream = model().astream("x", config) if is_async else model().stream("x", config)
    assert handler.open_runs == 0
    del stream
    assert telemetry.spans == ()


def test_graph_stream_that_is_left(telemetry: RecordedSpans):
    """In a graph broken off between two nodes, the first is complete, the graph is cancelled, and no other starts."""
    handler = telemetry.new_handler()
    stream = program().stream({"seen": []}, {"callbacks": [handler]})
    next(stream)
    stream.close()
    del stream
    gc.collect()
    assert telemetry.tree() == "invoke_workflow g [cancelled]\n  node talk\n    chat"
    assert handler.open_runs == 0


@pytest.mark.filterwarnings("ignore:.*is in beta")
async def test_events_that_are_left(telemetry: RecordedSpans):
    """When `astream_events` is broken off at the first token, the whole tree is cancelled, not failed."""
    handler = telemetry.new_handler()
    with telemetry.tracer.start_as_current_span("req"):
        events = chain().astream_events({"q": "x"}, {"callbacks": [handler]}, version="v2")
        async for event in events:
            if event["event"] == "on_chat_model_stream":
                break
        await events.aclose()
    await exported(telemetry, 3)
    assert telemetry.tree() == "req\n  invoke_workflow [cancelled]\n    chat [cancelled]"
    assert handler.open_runs == 0


async def test_own_spans_of_a_step_that_runs_in_one_task_after_another(telemetry: RecordedSpans):
    """LangChain makes a task for each chunk of a step, and none is mistaken for an earlier one that is over."""

    async def step(chunks):
        async for chunk in chunks:
            telemetry.tracer.start_span("own").end()
            yield chunk

    answer = ScriptedChat(script=[[AIMessageChunk(letter) for letter in "abcdefghijkl"]])
    steps = answer | RunnableGenerator(step).with_config(run_name="step")
    assert len([chunk async for chunk in steps.astream("x", {"callbacks": [telemetry.new_handler()]})]) >= 12
    parents = {telemetry.parent_name(span) for span in telemetry.spans if span.name == "own"}
    assert parents == {"chain step"}


def test_own_spans_in_a_thread_after_the_one_in_which_the_run_started(telemetry: RecordedSpans):
    """A context copied in a body stands for the run, even in a thread that has the id of one that is over."""
    contexts = []

    def step(chunks):
        contexts.append(contextvars.copy_context())
        yield from chunks

    stream = RunnableGenerator(step).with_config(run_name="step").stream("x", {"callbacks": [telemetry.new_handler()]})
    in_threads(1, lambda: next(stream))
    in_threads(1, lambda: contexts[0].run(lambda: telemetry.tracer.start_span("own").end()))
    stream.close()
    assert telemetry.parent_name(telemetry.span("own")) == "invoke_workflow step"
