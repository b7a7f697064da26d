"""End events of runs that were closed before."""

import asyncio
import gc
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda

from otel_callbacks import OTelCallbackHandler
from otel_callbacks._runs import end as _end
from otel_callbacks._runs.table import table_of
from tests.life.test_generators import chain
from tests.support.models import ScriptedChat
from tests.support.programs import create_agent, needs_create_agent
from tests.support.recorded_spans import RecordedSpans


@pytest.fixture
def no_grace(monkeypatch):
    """Let the grace period be over as soon as it has begun."""
    monkeypatch.setattr(_end, "GRACE_NS", 0)


def discrepancies(telemetry: RecordedSpans) -> float:
    """Return how many end events disagreed, and check that none counts as a failure."""
    assert telemetry.metric("otel_callbacks.errors") == []
    return telemetry.total("otel_callbacks.discrepancies", otel_callbacks__discrepancy__kind="end")


def roots(telemetry: RecordedSpans) -> list[Any]:
    """Return the ended spans without a parent."""
    return [span for span in telemetry.spans if span.parent is None]


def cancelled_child(handler: OTelCallbackHandler) -> Any:
    """Let a step fail before its child has ended, and return the child, by then closed as cancelled."""
    parent, child = uuid4(), uuid4()
    handler.on_chain_start({}, "x", run_id=parent, name="parent")
    handler.on_chain_start({}, "x", run_id=child, parent_run_id=parent, name="child")
    handler.on_chain_error(ValueError("no"), run_id=parent)
    assert handler.open_runs == 0  # reading it closes what is due
    return child


@pytest.mark.usefixtures("no_grace")
@pytest.mark.parametrize("error", [GeneratorExit, asyncio.CancelledError, KeyboardInterrupt])
def test_late_end_that_agrees_is_nothing(telemetry: RecordedSpans, error, caplog):
    """A cancellation that comes after its run was closed as cancelled is neither counted nor logged."""
    handler = telemetry.new_handler()
    handler.on_chain_error(error(), run_id=cancelled_child(handler))
    assert discrepancies(telemetry) == 0
    assert not caplog.records


@pytest.mark.usefixtures("no_grace")
@pytest.mark.parametrize("hook", ["on_chain_end", "on_chain_error"])
def test_late_end_that_disagrees_is_counted_and_logged_once(telemetry: RecordedSpans, hook, caplog):
    """A success or a failure that comes after its run was closed as cancelled is a discrepancy, each time once."""
    handler = telemetry.new_handler()
    for _ in range(3):
        child = cancelled_child(handler)
        for _ in range(2):
            getattr(handler, hook)(ValueError("secret"), run_id=child)
    assert discrepancies(telemetry) == 3
    (message,) = [record.getMessage() for record in caplog.records]
    assert "otel_callbacks.discrepancies" in message
    assert "secret" not in message


@pytest.mark.parametrize(
    ("closed", "error", "count"),
    [
        ("error", GeneratorExit(), 0),
        ("error", ValueError("no"), 0),
        ("error", None, 1),
        ("abandoned", GeneratorExit(), 0),
        ("abandoned", ValueError("no"), 1),
        ("abandoned", None, 1),
    ],
)
def test_late_end_after_another_outcome(telemetry: RecordedSpans, closed, error, count):
    """What failed or was given up may be thrown away later, which is nothing; another outcome is a discrepancy."""
    handler, run_id = telemetry.new_handler(), uuid4()
    ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [handler]})
    table_of(telemetry.tracer_provider).remember_closed(run_id.int, closed)
    if error is None:
        handler.on_chain_end("x", run_id=run_id)
    else:
        handler.on_chain_error(error, run_id=run_id)
    assert discrepancies(telemetry) == count


@pytest.mark.parametrize("error", [GeneratorExit(), ValueError("no"), None])
def test_events_after_the_last_call_are_ignored(telemetry: RecordedSpans, error):
    """An end event that comes after `close` is compared with nothing, whatever it says."""
    handler, run_id = telemetry.new_handler(), uuid4()
    handler.on_chain_start({}, "x", run_id=run_id, name="r")
    handler.close()
    if error is None:
        handler.on_chain_end("x", run_id=run_id)
    else:
        handler.on_chain_error(error, run_id=run_id)
    assert telemetry.tree() == "invoke_workflow r [abandoned]"
    assert discrepancies(telemetry) == 0


@pytest.mark.usefixtures("no_grace")
@pytest.mark.parametrize("how", ["close", "drop"])
def test_success_of_a_chain_that_is_broken_off_late_is_nothing(telemetry: RecordedSpans, how):
    """LangChain ends a broken-off chain successfully, which is nothing; its model, read to the end, did succeed."""
    kept = []

    def body(text):
        kept.append(chain().stream({"q": text}))
        next(kept[0])
        raise ValueError("no")

    handler = telemetry.new_handler()
    with pytest.raises(ValueError, match="no"):
        RunnableLambda(body).invoke("x", {"callbacks": [handler]})
    assert handler.open_runs == 0
    if how == "close":
        kept[0].close()
    kept.clear()
    assert discrepancies(telemetry) == 1


@pytest.mark.filterwarnings(
    "ignore:The v3 streaming protocol",
    "ignore:coroutine .* was never awaited",  # a generator that is collected cannot await its callbacks
)
@needs_create_agent
@pytest.mark.parametrize("version", ["v2", "v3"])
async def test_clients_that_leave_are_nothing(telemetry: RecordedSpans, version):
    """Streams of events whose reader leaves after the first one end as cancelled, and nothing is counted."""
    handler = telemetry.new_handler()

    async def read_one_event():
        agent = create_agent(ScriptedChat(script=[AIMessage("hello my dear world")]), [])
        if version == "v3" and not hasattr(agent, "stream_events"):
            pytest.skip("this LangGraph has no such stream")
        events = agent.astream_events({"messages": [("user", "hi")]}, {"callbacks": [handler]}, version=version)
        async for _event in await events if version == "v3" else events:
            break

    for _ in range(3):
        await read_one_event()
    while len(roots(telemetry)) < 3:
        for _ in range(50):  # the graph goes on until its buffer is full
            await asyncio.sleep(0)
        gc.collect()  # only this closes the streams of v3
    await asyncio.get_running_loop().shutdown_asyncgens()
    assert {span.attributes["otel_callbacks.outcome"] for span in roots(telemetry)} == {"cancelled"}
    assert discrepancies(telemetry) == 0
