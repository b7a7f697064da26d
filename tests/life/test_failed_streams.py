"""A graph whose step has failed, and whose consumer asks for no more, ends as failed."""

import asyncio
from threading import Event, Thread
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langgraph.graph import START, StateGraph
from langgraph.types import RetryPolicy
from typing_extensions import TypedDict

from otel_callbacks._runs import end as _end
from tests.life.waiting import LIMIT_S, until
from tests.support.programs import needs_contexts_of_tasks
from tests.support.recorded_spans import RecordedSpans

pytestmark = pytest.mark.filterwarnings("ignore:The v3 streaming protocol")
FAILED = """\
invoke_workflow [error] ERROR
  node inner [error] ERROR
    node boom [error] ERROR"""


RETRY = "retry_policy" if "retry_policy" in StateGraph.add_node.__kwdefaults__ else "retry"
"""What this LangGraph calls the option."""


class State(TypedDict):
    """What the graphs pass on."""

    value: str


@pytest.fixture(autouse=True)
def no_grace(monkeypatch):
    """Let the grace period be over as soon as it has begun."""
    monkeypatch.setattr(_end, "GRACE_NS", 0)


def boom(state: State) -> State:
    """Fail."""
    raise RuntimeError("boom")


async def aboom(state: State) -> State:
    """Fail in the event loop."""
    raise RuntimeError("boom")


def graph_of(**nodes: Any):
    """Build a graph in which all nodes follow the start."""
    builder = StateGraph(State)
    for name, node in nodes.items():
        retry = RetryPolicy(initial_interval=0.2, jitter=False, retry_on=ValueError)
        builder.add_node(name, node, **{RETRY: retry}).add_edge(START, name)
    return builder.compile()


def nested(node: Any):
    """Build a graph whose only step is a graph whose only step is `node`."""
    return graph_of(inner=graph_of(boom=node))


def test_a_stream_that_is_left_after_a_failure_is_failed(telemetry: RecordedSpans):
    """The consumer learns of the failure from the sub-graph, and keeps the stream: its graph still ends, as failed."""
    pytest.importorskip("langgraph.stream.run_stream")
    handler = telemetry.new_handler()
    run = nested(boom).stream_events({"value": "x"}, {"callbacks": [handler]}, version="v3")
    subgraph = next(iter(run.subgraphs))
    with pytest.raises(RuntimeError, match="boom"):
        assert subgraph.output
    assert handler.open_runs == 0
    assert telemetry.tree() == FAILED
    root, node = telemetry.span("invoke_workflow"), telemetry.span("node inner")
    assert root.end_time - node.end_time < 50_000_000
    assert root.attributes["error.type"] == "RuntimeError"


@needs_contexts_of_tasks
@pytest.mark.parametrize("node", [boom, aboom])
async def test_the_event_loop_ends_it_without_another_event(telemetry: RecordedSpans, node):
    """In an event loop a timer ends the graph of an async stream that is left after a failure."""
    pytest.importorskip("langgraph.stream.run_stream")
    config = {"callbacks": [telemetry.new_handler()]}
    run = await nested(node).astream_events({"value": "x"}, config, version="v3")
    async for subgraph in run.subgraphs:
        with pytest.raises(RuntimeError, match="boom"):
            await subgraph.output()
        break
    await until(telemetry, lambda: len(telemetry.spans) == 3)
    assert telemetry.tree() == FAILED


def test_a_stream_that_is_read_to_its_failure_ends_once(telemetry: RecordedSpans):
    """A consumer that goes on after the failure is told so by LangChain, and nothing is exported twice."""
    pytest.importorskip("langgraph.stream.run_stream")
    handler = telemetry.new_handler()
    run = nested(boom).stream_events({"value": "x"}, {"callbacks": [handler]}, version="v3")
    with pytest.raises(RuntimeError, match="boom"):
        assert run.output
    assert handler.open_runs == 0
    assert telemetry.tree() == FAILED


@pytest.mark.parametrize("parallel", [False, True])
def test_a_step_that_is_tried_again_does_not_fail_its_graph(telemetry: RecordedSpans, parallel):
    """While ``RetryPolicy`` waits, its graph stays open, whatever closes runs meanwhile."""
    handler = telemetry.new_handler()
    attempts, failed, looked = [], Event(), Event()

    def flaky(state: State) -> State:
        attempts.append(state)
        if len(attempts) == 1:
            raise ValueError("again")
        assert looked.wait(LIMIT_S)
        return state

    def look():
        assert failed.wait(LIMIT_S)
        for _ in range(20):
            assert handler.open_runs > 0
        looked.set()

    def on_end(summary):
        if summary.outcome == "error":
            failed.set()

    handler.subscribe(on_end)
    watcher = Thread(target=look)
    watcher.start()
    steps = {"flaky": flaky, **({"other": lambda state: {}} if parallel else {})}
    for _ in graph_of(**steps).stream({"value": "x"}, {"callbacks": [handler]}):
        assert handler.open_runs > 0
    watcher.join()
    assert looked.is_set()
    assert telemetry.tree().startswith("invoke_workflow\n")
    assert telemetry.total("otel_callbacks.errors") == 0


async def test_an_async_step_that_is_tried_again_does_not_fail_its_graph(telemetry: RecordedSpans):
    """Timers that fire while ``RetryPolicy`` waits close nothing."""
    attempts = []

    async def flaky(state: State) -> State:
        attempts.append(state)
        if len(attempts) == 1:
            raise ValueError("again")
        return state

    await graph_of(flaky=flaky).ainvoke({"value": "x"}, {"callbacks": [telemetry.new_handler()]})
    assert len(attempts) == 2
    assert telemetry.tree() == "invoke_workflow\n  node flaky [error] ERROR\n  node flaky"
    assert telemetry.total("otel_callbacks.errors") == 0


def test_a_failure_that_a_step_handles_is_none_of_its_graph(telemetry: RecordedSpans):
    """A step may catch a graph's failure, fall back, and take its time: the graph around it succeeds."""
    handler = telemetry.new_handler()
    fallback = graph_of(boom=boom).with_fallbacks([RunnableLambda(lambda state: state)])

    def careful(state: State) -> State:
        with pytest.raises(RuntimeError):
            graph_of(boom=boom).invoke(state)
        assert handler.open_runs == 2
        fallback.invoke(state)
        assert handler.open_runs == 2
        return state

    graph_of(careful=careful).invoke({"value": "x"}, {"callbacks": [handler]})
    assert handler.open_runs == 0
    assert telemetry.span("invoke_workflow").attributes["otel_callbacks.outcome"] == "ok"
    assert telemetry.span("node careful").attributes["otel_callbacks.outcome"] == "ok"
    assert telemetry.total("otel_callbacks.errors") == 0


async def test_a_slow_consumer_gets_the_failure_from_langchain(telemetry: RecordedSpans):
    """While the task that reads a stream goes on, no timer ends the graph in its place."""

    async def read():
        async for _ in graph_of(boom=aboom, other=lambda state: {}).astream(
            {"value": "x"}, {"callbacks": [telemetry.new_handler()]}
        ):
            await asyncio.sleep(0.01)

    with pytest.raises(RuntimeError, match="boom"):
        await read()
    assert telemetry.total("otel_callbacks.errors") == 0
    assert telemetry.span("invoke_workflow").attributes["otel_callbacks.outcome"] == "error"
