"""Subscribers are told of each run whose span has ended; they harm nobody."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
from langchain_core.messages import AIMessage

from otel_callbacks import Price, RunSummary
from tests.life.test_generators import model
from tests.support.models import ScriptedChat
from tests.support.programs import graph
from tests.support.telemetry import Telemetry


def answer():
    """An answer with usage and a model."""
    usage = {"input_tokens": 10, "output_tokens": 2, "total_tokens": 12}
    return AIMessage("hi", usage_metadata=usage, response_metadata={"model_name": "m"})


def test_summary_says_what_the_span_says(telemetry: Telemetry):
    """Run, operation, outcome, place, duration, tokens and cost; no content."""
    handler = telemetry.handler(prices={"m": Price(1.0, 2.0)})
    told: list[RunSummary] = []
    handler.subscribe(told.append)
    ScriptedChat(script=[answer()]).invoke("secret", {"callbacks": [handler], "tags": ["a"], "metadata": {"k": "v"}})
    [summary] = told
    span = telemetry.span("chat")
    assert (summary.trace_id, summary.span_id) == (f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}")
    assert (summary.operation, summary.span_name, summary.outcome, summary.error_type) == ("chat", "chat", "ok", None)
    assert summary.duration_s == pytest.approx((span.end_time - span.start_time) / 1e9)
    assert summary.usage == {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 2}
    assert summary.cost_usd == pytest.approx(14e-6)
    assert (summary.run.run_type, summary.run.tags, summary.run.metadata["k"]) == ("chat", ("a",), "v")
    assert "secret" not in repr(summary)


def test_subscribers_are_called_in_the_order_in_which_spans_end(telemetry: Telemetry):
    """Children before their parents; runs without a span of their own are not told."""
    handler = telemetry.handler()
    told: list[str] = []
    handler.subscribe(lambda summary: told.append(summary.span_name))
    graph("trip", look=lambda state: {"seen": [1]}).invoke({"seen": []}, {"callbacks": [handler]})
    assert told == ["node look", "invoke_workflow trip"]


@pytest.mark.parametrize(("error", "outcome", "kind"), [(ValueError("no"), "error", "ValueError")])
def test_failed_run_is_told_as_such(telemetry: Telemetry, error, outcome, kind):
    """The error's type, not its message."""
    handler = telemetry.handler()
    told: list[RunSummary] = []
    handler.subscribe(told.append)
    with pytest.raises(ValueError, match="no"):
        ScriptedChat(script=[error]).invoke("x", {"callbacks": [handler]})
    assert (told[0].outcome, told[0].error_type) == (outcome, kind)


def test_runs_without_an_end_event_are_told_too(telemetry: Telemetry):
    """A stream that its consumer leaves is cancelled; a run that `close` ends is abandoned."""
    handler = telemetry.handler()
    told: list[str] = []
    handler.subscribe(lambda summary: told.append(summary.outcome))
    left = model().stream("x", {"callbacks": [handler]})
    next(left)
    left.close()
    kept = model().stream("x", {"callbacks": [handler]})
    next(kept)
    handler.close()
    assert told == ["cancelled", "abandoned"]


def test_subscriber_that_raises_harms_nobody(telemetry: Telemetry, caplog):
    """The answer comes, the other subscriber is called, the failure is counted and logged once."""
    handler = telemetry.handler()
    told: list[RunSummary] = []
    handler.subscribe(lambda summary: summary.missing)  # type: ignore[attr-defined]
    handler.subscribe(told.append)
    with caplog.at_level(logging.WARNING, "otel_callbacks"):
        answers = [ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [handler]}).content for _ in range(3)]
    assert answers == ["hi"] * 3
    assert len(told) == 3
    assert len([record for record in caplog.records if "subscriber" in record.message]) == 1
    [point] = telemetry.points("otel_callbacks.errors")
    assert (point.value, point.attributes["otel_callbacks.error.kind"]) == (3, "subscriber")


def test_subscription_can_be_ended(telemetry: Telemetry):
    """Afterwards nothing is told, and ending it twice is nothing."""
    handler = telemetry.handler()
    told: list[RunSummary] = []
    unsubscribe = handler.subscribe(told.append)
    unsubscribe()
    unsubscribe()
    ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [handler]})
    assert told == []


def test_each_subscription_ends_on_its_own(telemetry: Telemetry):
    """The same callable twice is told twice, and once when one of the two has ended."""
    handler = telemetry.handler()
    told: list[RunSummary] = []
    handler.subscribe(told.append)
    unsubscribe = handler.subscribe(told.append)
    ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [handler]})
    assert len(told) == 2
    unsubscribe()
    ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [handler]})
    assert len(told) == 3


def test_threads_subscribe_without_losing_one(telemetry: Telemetry):
    """Many at once, some of which leave again, while runs end."""
    handler = telemetry.handler()
    told: list[int] = []

    def come_and_go(number: int) -> None:
        handler.subscribe(lambda _: told.append(number))
        handler.subscribe(lambda _: told.append(-1))()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(come_and_go, range(200)))
    told.clear()
    ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [handler]})
    assert sorted(told) == list(range(200))


async def test_async_runs_are_told_in_line(telemetry: Telemetry):
    """The subscriber is called in the run's event loop, before the answer comes."""
    handler = telemetry.handler()
    loops: list[object] = []
    handler.subscribe(lambda _: loops.append(asyncio.get_running_loop()))
    await ScriptedChat(script=["hi"]).ainvoke("x", {"callbacks": [handler]})
    assert loops == [asyncio.get_running_loop()]


def test_what_cannot_be_called_is_told_at_once(telemetry: Telemetry):
    """A mistake in code."""
    with pytest.raises(TypeError, match="RunSummary"):
        telemetry.handler().subscribe("print")  # type: ignore[arg-type]
