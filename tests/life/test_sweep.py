import gc
from contextvars import Context
from time import perf_counter_ns

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.runnables import RunnableLambda

from otel_callbacks._runs import closing as _closing
from otel_callbacks._runs import end as _end
from otel_callbacks._runs import recorder as _recorder
from otel_callbacks._runs import start as _start
from tests.support.models import ScriptedChat
from tests.support.recorded_spans import RecordedSpans


class Clock:
    """Replaces the package's monotonic clock by one that a test can put ahead of the real one.

    Attributes:
        ahead_s: How far it is ahead, in seconds.
    """

    def __init__(self, monkeypatch):
        self.ahead_s = 0.0
        for module in (_closing, _end, _recorder, _start):
            monkeypatch.setattr(module, "perf_counter_ns", lambda: perf_counter_ns() + int(self.ahead_s * 1e9))


@pytest.fixture
def clock(monkeypatch) -> Clock:
    """Let the test put the package's clock ahead."""
    return Clock(monkeypatch)


def lost(handler):
    """Start a run that never ends by itself, and return the stream that keeps it open."""
    stream = ScriptedChat(script=[[AIMessageChunk("a"), AIMessageChunk("b")]]).stream("x", {"callbacks": [handler]})
    next(stream)
    return stream


def call(handler):
    """Run something that succeeds."""
    RunnableLambda(str.upper).with_config(run_name="call").invoke("x", {"callbacks": [handler]})


def evicted(telemetry: RecordedSpans) -> float:
    """Return how many runs the sweep closed."""
    return telemetry.total("otel_callbacks.errors", otel_callbacks__error__kind="evicted")


def test_tree_without_events_is_abandoned(telemetry: RecordedSpans, clock):
    """The next run after `run_ttl_s` without an event exports an idle tree as abandoned, and counts it."""
    handler = telemetry.new_handler(run_ttl_s=60)
    kept = lost(handler)
    clock.ahead_s = 59
    call(handler)
    assert handler.open_runs == 1
    clock.ahead_s = 130
    call(handler)
    assert handler.open_runs == 0
    assert "chat [abandoned]" in telemetry.tree()
    assert evicted(telemetry) == 1
    assert telemetry.total("otel_callbacks.runs", otel_callbacks__outcome="abandoned") == 1
    assert telemetry.count("gen_ai.client.operation.duration", otel_callbacks__outcome="abandoned") == 1
    assert kept is not None


def test_end_of_an_evicted_run_is_late_and_no_failure(telemetry: RecordedSpans, clock):
    """A stream that is closed after its eviction is neither a failure nor a discrepancy, nor exported twice."""
    handler = telemetry.new_handler(run_ttl_s=60)
    kept = lost(handler)
    for clock.ahead_s in (30, 120):
        call(handler)
    kept.close()
    assert telemetry.total("otel_callbacks.discrepancies") == 0
    assert {point.labels["otel_callbacks.error.kind"] for point in telemetry.metric("otel_callbacks.errors")} == {
        "evicted"
    }
    assert telemetry.tree() == "chat [abandoned]" + "\ninvoke_workflow call" * 2
    assert telemetry.total("otel_callbacks.runs", langchain__run_type="chat") == 1


def test_collecting_metrics_sweeps(telemetry: RecordedSpans, clock):
    """In a process that makes no more calls, collecting metrics closes what is idle."""
    kept = lost(telemetry.new_handler(run_ttl_s=60))
    open_runs = []
    for clock.ahead_s in (30, 59, 80):
        open_runs += [point.value for point in telemetry.points("otel_callbacks.runs.open")]
    assert open_runs == [1, 1, 0]
    assert telemetry.tree() == "chat [abandoned]"
    assert kept is not None


def test_stream_that_gives_chunks_is_alive(telemetry: RecordedSpans, clock):
    """A stream that takes longer than `run_ttl_s` stays open while chunks come more often than that."""
    handler = telemetry.new_handler(run_ttl_s=60)
    chunks = [AIMessageChunk(str(number)) for number in range(6)]
    for _ in ScriptedChat(script=[chunks]).stream("x", {"callbacks": [handler]}):
        call(handler)
        clock.ahead_s += 40
    assert "[" not in telemetry.tree()
    assert evicted(telemetry) == 0


def test_ancestors_of_active_runs_are_kept(telemetry: RecordedSpans, clock):
    """A root older than `run_ttl_s` that still makes calls is not closed, nor are the runs in between."""
    handler = telemetry.new_handler(run_ttl_s=60, detail="operations")

    def work(text):
        for _ in range(5):
            clock.ahead_s += 40
            ScriptedChat(script=["hi"]).invoke(text)

    RunnableLambda(lambda text: RunnableLambda(work).invoke(text)).with_config(run_name="long").invoke(
        "x", {"callbacks": [handler]}
    )
    assert telemetry.tree() == "invoke_workflow long" + "\n  chat" * 5
    assert evicted(telemetry) == 0


def test_too_many_open_runs_cost_the_oldest(telemetry: RecordedSpans):
    """However many runs are lost, `max_open_runs` holds: the newest are kept, the others abandoned and counted."""
    handler = telemetry.new_handler(max_open_runs=20)
    kept = []
    for _ in range(100):
        kept.append(lost(handler))
        assert handler.open_runs <= 21
    assert 100 - evicted(telemetry) == handler.open_runs >= 18
    ended = {span.context.span_id for span in telemetry.spans}
    assert len(ended) == evicted(telemetry)
    assert {span.attributes["otel_callbacks.outcome"] for span in telemetry.spans} == {"abandoned"}
    kept.clear()
    gc.collect()
    assert handler.open_runs == 0
    assert len(telemetry.spans) == 100


def test_the_running_tree_stays_whole_while_there_are_lost_runs(telemetry: RecordedSpans):
    """A running tree as deep as the bound is recorded whole: lost runs make room for it."""
    handler = telemetry.new_handler(max_open_runs=10)
    kept = [lost(handler) for _ in range(8)]

    def nest(depth):
        if depth:
            RunnableLambda(nest).with_config(run_name=f"level {depth}").invoke(depth - 1)
        return depth

    RunnableLambda(nest).with_config(run_name="top").invoke(9, {"callbacks": [handler]})
    spans = [span for span in telemetry.spans if span.name != "chat"]
    assert len(spans) == 10
    assert {span.attributes["otel_callbacks.outcome"] for span in spans} == {"ok"}
    assert len({span.context.trace_id for span in spans}) == 1
    assert evicted(telemetry) == len(kept)
    assert handler.open_runs == 0


def test_idle_trees_go_before_busy_ones(telemetry: RecordedSpans):
    """Of too many open runs, those whose tree has been idle longest are given up, not those of the oldest tree."""
    handler = telemetry.new_handler(max_open_runs=10)
    lost_ones = []

    def work(text):
        stream = ScriptedChat(script=[[AIMessageChunk("a"), AIMessageChunk("b")]]).stream(text)
        next(stream)
        for _ in range(12):
            lost_ones.append(Context().run(lost, handler))
            call(handler)
        return [chunk.content for chunk in stream]

    RunnableLambda(work).with_config(run_name="busy").invoke("x", {"callbacks": [handler]})
    outcomes = [
        span.attributes["otel_callbacks.outcome"] for span in telemetry.spans if telemetry.parent_name(span) is not None
    ]
    assert outcomes == ["ok"] * 13
    assert evicted(telemetry) > 0
