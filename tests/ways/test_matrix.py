"""Tests of every way of running LangChain, on every kind of runnable, with every kind of ending."""

import asyncio
import gc
import logging
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace

from tests.life.waiting import LIMIT_S, until
from tests.support.recorded_spans import RecordedSpans
from tests.ways.subjects import SUBJECTS, Probe, RunCounter

DOCUMENT = Path(__file__).parents[2] / "docs" / "matrix.md"
STREAMS = {"stream", "astream", "astream_events v2", "astream_events v3"}
SYNC = {"invoke", "stream", "batch"}
WAYS = ["invoke", "ainvoke", "stream", "astream", "batch", "abatch", "astream_events v2", "astream_events v3"]
ENDINGS = ["finished", "failed", "broken off", "cancelled"]


def _cells() -> list[tuple[str, str, str]]:
    return [
        (way, subject, ending)
        for way in WAYS
        for subject in SUBJECTS
        for ending in ENDINGS
        if _exists(way, subject, ending)
    ]


def _exists(way: str, subject: str, ending: str) -> bool:
    if way == "astream_events v3" and subject != "chat":
        return False
    if ending == "broken off":
        return way in STREAMS and SUBJECTS[subject].streams
    return ending != "cancelled" or way not in SYNC


def _run_sync(way: str, runnable: Any, value: Any, config: Any, ending: str) -> None:
    if way == "invoke":
        runnable.invoke(value, config)
    elif way == "batch":
        runnable.batch([value, value], config)
    else:
        for _ in runnable.stream(value, config):
            if ending == "broken off":
                break


async def _run_async(way: str, runnable: Any, value: Any, config: Any, ending: str) -> None:
    if way == "ainvoke":
        await runnable.ainvoke(value, config)
    elif way == "abatch":
        await runnable.abatch([value, value], config)
    else:
        await _consume(_open_stream(way, runnable, value, config), way, ending)


def _open_stream(way: str, runnable: Any, value: Any, config: Any) -> Any:
    if way == "astream":
        return runnable.astream(value, config)
    return runnable.astream_events(value, config, version=way.removeprefix("astream_events "))


async def _consume(stream: Any, way: str, ending: str) -> None:
    stream = await stream if asyncio.iscoroutine(stream) else stream
    async for event in stream:
        if ending == "broken off" and (way == "astream" or "stream" in str(event.get("event", "delta"))):
            break
    if ending == "broken off" and hasattr(stream, "aclose"):
        await stream.aclose()


async def _cancel(work: Any, probe: Probe) -> None:
    task = asyncio.ensure_future(work)
    await asyncio.wait_for(probe.hanging.wait(), LIMIT_S)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.filterwarnings("ignore:.*is in beta")
# LangChain, with or without handlers, leaves the branches of a cancelled parallel step to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("way", "subject", "ending"), [pytest.param(*cell, id="-".join(cell)) for cell in _cells()])
def test_every_way_keeps_the_tree_right_and_the_context_clean(
    way: str,
    subject: str,
    ending: str,
    telemetry: RecordedSpans,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Every run ends, in one tree below the caller's span with own spans inside; afterwards the caller's is current."""
    caplog.set_level(logging.DEBUG, "opentelemetry.context")
    kind = SUBJECTS[subject]
    probe = Probe(telemetry.tracer, ending)
    # LangChain sends the start of an async text model to inline handlers only, if there are any.
    counter = RunCounter(run_inline=subject != "text model")
    handler = telemetry.new_handler(detail="all")
    runnable = kind.build(probe)
    if way == "astream_events v3" and not hasattr(runnable, "stream_events"):
        pytest.skip("this LangChain has no event streaming v3")
    config = {"callbacks": [handler, counter]}
    with telemetry.tracer.start_as_current_span("request") as request:
        if way in SYNC:
            with _expected(ending):
                _run_sync(way, runnable, kind.value, config, ending)
            after = trace.get_current_span().get_span_context()
        else:
            after = asyncio.run(_in_loop(way, runnable, kind.value, config, ending, probe, telemetry, handler))
    gc.collect()

    assert after == request.get_span_context(), "the caller's own span is current again"
    assert handler.open_runs == 0
    # Without those of exporters: there are none here, but another test's may still log from its thread.
    loggers = ("opentelemetry.context", "opentelemetry.sdk", "opentelemetry.attributes", "otel_callbacks")
    assert [record for record in caplog.records if record.name.startswith(loggers)] == []
    _check_tree(telemetry, counter, kind, way, ending, subject)


async def _in_loop(
    way: str, runnable: Any, value: Any, config: Any, ending: str, probe: Probe, telemetry: RecordedSpans, handler: Any
) -> Any:
    probe.hanging = asyncio.Event()
    work = _run_async(way, runnable, value, config, ending)
    if ending == "cancelled":
        await _cancel(work, probe)
    else:
        with _expected(ending):
            await work
    after = trace.get_current_span().get_span_context()
    with telemetry.tracer.start_as_current_span("after"):
        pass
    for _ in range(10):  # turns of the loop, in which the tasks below a cancelled one end
        await asyncio.sleep(0)
    gc.collect()
    await until(telemetry, lambda: not handler.open_runs)
    return after


def _expected(ending: str) -> Any:
    return pytest.raises((ValueError, RuntimeError), match=r"no|down") if ending == "failed" else nullcontext()


def _check_tree(telemetry: RecordedSpans, counter: RunCounter, kind: Any, way: str, ending: str, subject: str) -> None:
    tree = telemetry.tree()
    request = telemetry.span("request")
    spans = telemetry.spans
    assert {span.context.trace_id for span in spans} == {request.context.trace_id}, tree
    runs = [span for span in spans if span.instrumentation_scope.name == "otel_callbacks"]
    assert len(runs) == len(counter.runs), tree
    assert telemetry.total("otel_callbacks.runs") == len(counter.runs)
    outermost = [span for span in runs if telemetry.parent_name(span) == "request"]
    # When a parallel step is closed after its first chunk, LangChain starts its other branches only then.
    late = subject == "parallel" and ending == "broken off"
    failed_early = way == "batch" and ending == "failed" and len(outermost) == 1
    assert len(outermost) == (2 if "batch" in way else 1) or late or failed_early, tree
    own = [span for span in spans if span.name == "own"]
    # LangChain starts async text models in a task of its own where other handlers listen, and reads on from the model
    # of a closed stream after the chain's end.
    unreachable = subject == "text model" and way not in SYNC
    drained = ending == "broken off"
    expected = {"request"} if unreachable else {kind.own_parent, "request"} if drained else {kind.own_parent}
    assert {telemetry.parent_name(span) for span in own} <= expected, tree
    assert own or ending == "broken off", tree
    assert all(telemetry.parent_name(span) == "request" for span in spans if span.name == "after"), tree
    outcomes = {span.attributes["otel_callbacks.outcome"] for span in outermost}
    assert outcomes <= _OUTCOMES[ending], tree
    if ending != "failed" and subject != "fallback":
        assert {span.status.status_code.name for span in runs} == {"UNSET"}, tree


_OUTCOMES = {
    "finished": {"ok"},
    "failed": {"error"},
    "broken off": {"ok", "cancelled"},
    "cancelled": {"cancelled"},
}


def test_table_in_the_docs_is_what_is_tested(request: pytest.FixtureRequest) -> None:
    """docs/matrix.md lists exactly the cells that are tested; `--update-goldens` writes it."""
    if request.config.getoption("--update-goldens"):
        DOCUMENT.write_text(_document(), encoding="utf-8")
    assert DOCUMENT.read_text(encoding="utf-8") == _document()


def _document() -> str:
    letters = {"finished": "F", "failed": "E", "broken off": "B", "cancelled": "C"}
    cells = set(_cells())
    rows = [["", *SUBJECTS], ["---"] * (len(SUBJECTS) + 1)]
    for way in WAYS:
        row = [" ".join(letters[e] for e in ENDINGS if (way, subject, e) in cells) or "–" for subject in SUBJECTS]
        rows.append([way, *row])
    return _INTRODUCTION + "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


_INTRODUCTION = """# Every way of running LangChain

Each letter is a test that runs with the oldest, the first stable and the newest supported releases. F: the run
finishes. E: it fails. B: the consumer of a stream breaks off. C: the task is cancelled. In each of them

- all spans are in the caller's trace, below the caller's span, and each run has exactly one span and one count;
- a span that the application opens inside the innermost body (model, tool, node, retriever) is a child of that
  run's span;
- afterwards the caller's own span is current again, and a span opened then is its child;
- the outermost run has the right outcome: only failures are errors;
- no run stays open, and nothing is logged.

Two exceptions are due to LangChain. If other handlers listen as well, the body of a text model (not a chat model) in
async code cannot see its span, and spans opened there are children of the caller's span. When a chain's stream is
broken off, LangChain reads the rest of the model's answer after it has ended the chain, and spans opened then are
children of the caller's span.

"""
