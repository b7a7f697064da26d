"""Tests of subscribers, which get a summary of each run whose span has ended."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage

from otel_callbacks import Price, RunSummary
from otel_callbacks._runs import end
from tests.life.test_generators import model
from tests.life.waiting import until
from tests.support.models import ScriptedChat, usage
from tests.support.programs import graph
from tests.support.recorded_spans import RecordedSpans


def answer():
    """Return an answer with usage and a model."""
    return AIMessage("hi", usage_metadata=usage(10, 2), response_metadata={"model_name": "m"})


def test_summary_says_what_the_span_says(telemetry: RecordedSpans):
    """A summary has the run, operation, outcome, place, duration, tokens and cost of its span, but no content."""
    handler = telemetry.new_handler(prices={"m": Price(1.0, 2.0)})
    summaries: list[RunSummary] = []
    handler.subscribe(summaries.append)
    ScriptedChat(script=[answer()]).invoke("secret", {"callbacks": [handler], "tags": ["a"], "metadata": {"k": "v"}})
    [summary] = summaries
    span = telemetry.span("chat")
    assert (summary.trace_id, summary.span_id) == (f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}")
    assert (summary.operation, summary.span_name, summary.outcome, summary.error_type) == ("chat", "chat", "ok", None)
    assert summary.duration_s == pytest.approx((span.end_time - span.start_time) / 1e9)
    assert summary.usage == {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 2}
    assert summary.cost_usd == pytest.approx(14e-6)
    assert (summary.run.run_type, summary.run.tags, summary.run.metadata["k"]) == ("chat", ("a",), "v")
    assert "secret" not in repr(summary)


def test_subscribers_are_called_in_the_order_in_which_spans_end(telemetry: RecordedSpans):
    """Subscribers get children before their parents, and no runs without a span of their own."""
    handler = telemetry.new_handler()
    names: list[str] = []
    handler.subscribe(lambda summary: names.append(summary.span_name))
    graph("trip", look=lambda state: {"seen": [1]}).invoke({"seen": []}, {"callbacks": [handler]})
    assert names == ["node look", "invoke_workflow trip"]


def test_summary_of_a_failed_run_has_its_error_type(telemetry: RecordedSpans):
    """The summary of a failed run has its outcome and the error's type."""
    handler = telemetry.new_handler()
    summaries: list[RunSummary] = []
    handler.subscribe(summaries.append)
    with pytest.raises(ValueError, match="no"):
        ScriptedChat(script=[ValueError("no")]).invoke("x", {"callbacks": [handler]})
    assert (summaries[0].outcome, summaries[0].error_type) == ("error", "ValueError")


def test_runs_without_an_end_event_have_summaries(telemetry: RecordedSpans):
    """Subscribers get runs without an end event: a closed stream as cancelled, a run ended by `close` as abandoned."""
    handler = telemetry.new_handler()
    outcomes: list[str] = []
    handler.subscribe(lambda summary: outcomes.append(summary.outcome))
    streams = [model().stream("x", {"callbacks": [handler]}) for _ in range(2)]
    for stream in streams:
        next(stream)
    streams[0].close()
    handler.close()
    assert outcomes == ["cancelled", "abandoned"]


def test_subscriber_that_raises_changes_nothing_else(telemetry: RecordedSpans, caplog):
    """When a subscriber raises, answers and other subscribers are unaffected; failures are counted and logged once."""
    handler = telemetry.new_handler()
    summaries: list[RunSummary] = []
    handler.subscribe(lambda summary: summary.missing)  # type: ignore[attr-defined]
    handler.subscribe(summaries.append)
    with caplog.at_level(logging.WARNING, "otel_callbacks"):
        answers = [ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [handler]}).content for _ in range(3)]
    assert answers == ["hi"] * 3
    assert len(summaries) == 3
    assert len([record for record in caplog.records if "subscriber" in record.message]) == 1
    [point] = telemetry.points("otel_callbacks.errors")
    assert (point.value, point.attributes["otel_callbacks.error.kind"]) == (3, "subscriber")


def test_subscription_can_be_ended(telemetry: RecordedSpans):
    """An ended subscription gets nothing more, and ending it again does nothing."""
    handler = telemetry.new_handler()
    summaries: list[RunSummary] = []
    unsubscribe = handler.subscribe(summaries.append)
    unsubscribe()
    unsubscribe()
    ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [handler]})
    assert summaries == []


def test_each_subscription_ends_on_its_own(telemetry: RecordedSpans):
    """A callable that is subscribed twice is called twice, and once after one of its subscriptions has ended."""
    handler = telemetry.new_handler()
    summaries: list[RunSummary] = []
    handler.subscribe(summaries.append)
    unsubscribe = handler.subscribe(summaries.append)
    ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [handler]})
    assert len(summaries) == 2
    unsubscribe()
    ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [handler]})
    assert len(summaries) == 3


def test_threads_subscribe_without_losing_one(telemetry: RecordedSpans):
    """No subscription is lost when threads subscribe and unsubscribe at the same time."""
    handler = telemetry.new_handler()
    numbers: list[int] = []

    def come_and_go(number: int) -> None:
        handler.subscribe(lambda _: numbers.append(number))
        handler.subscribe(lambda _: numbers.append(-1))()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(come_and_go, range(200)))
    ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [handler]})
    assert sorted(numbers) == list(range(200))


async def test_subscribers_of_async_runs_are_called_inline(telemetry: RecordedSpans):
    """A subscriber of an async run is called in the run's event loop, before the answer is returned."""
    handler = telemetry.new_handler()
    loops: list[object] = []
    handler.subscribe(lambda _: loops.append(asyncio.get_running_loop()))
    await ScriptedChat(script=["hi"]).ainvoke("x", {"callbacks": [handler]})
    assert loops == [asyncio.get_running_loop()]


def test_subscriber_that_cannot_be_called_is_refused(telemetry: RecordedSpans):
    """Subscribing what is not callable raises at once."""
    with pytest.raises(TypeError, match="RunSummary"):
        telemetry.new_handler().subscribe("print")  # type: ignore[arg-type]


async def test_interrupted_subscriber_leaves_no_orphan(telemetry: RecordedSpans, monkeypatch):
    """Ctrl-C inside a subscriber reaches the program, and a run below the failed one is closed all the same."""
    monkeypatch.setattr(end, "GRACE_NS", 1_000_000)
    handler, outer, inner = telemetry.new_handler(), uuid4(), uuid4()
    handler.subscribe(interrupt)
    handler.on_chain_start({}, {}, run_id=outer, name="outer")
    handler.on_chat_model_start({}, [[]], run_id=inner, parent_run_id=outer)
    with pytest.raises(KeyboardInterrupt):
        handler.on_chain_error(ValueError("x"), run_id=outer)
    handler._recorder._owner.subscribers.clear()
    await until(telemetry, lambda: "chat" in {span.name for span in telemetry.spans})


def interrupt(_: RunSummary) -> None:
    """Stand for Ctrl-C at this moment."""
    raise KeyboardInterrupt
