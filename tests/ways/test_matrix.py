"""Every way of running LangChain, on every kind of runnable, with every kind of ending."""

import asyncio
import gc
import logging
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace

from tests.support.telemetry import Telemetry
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


def _run_sync(way: str, runnable: Any, given: Any, config: Any, ending: str) -> None:
    if way == "invoke":
        runnable.invoke(given, config)
    elif way == "batch":
        runnable.batch([given, given], config)
    else:
        for _ in runnable.stream(given, config):
            if ending == "broken off":
                break


async def _run_async(way: str, runnable: Any, given: Any, config: Any, ending: str) -> None:
    if way == "ainvoke":
        await runnable.ainvoke(given, config)
    elif way == "abatch":
        await runnable.abatch([given, given], config)
    else:
        await _consume(_open_stream(way, runnable, given, config), way, ending)


def _open_stream(way: str, runnable: Any, given: Any, config: Any) -> Any:
    if way == "astream":
        return runnable.astream(given, config)
    if way == "astream_events v2":
        return runnable.astream_events(given, config, version="v2")
    return runnable.astream_events(given, config, version="v3")


async def _consume(stream: Any, way: str, ending: str) -> None:
    stream = await stream if asyncio.iscoroutine(stream) else stream
    async for event in stream:
        if ending == "broken off" and (way == "astream" or "stream" in str(event.get("event", "delta"))):
            break
    if ending == "broken off" and hasattr(stream, "aclose"):
        await stream.aclose()


async def _cancel(work: Any, probe: Probe) -> None:
    task = asyncio.ensure_future(work)
    await asyncio.wait_for(probe.hanging.wait(), 30)
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
    telemetry: Telemetry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One trace below the caller's span, own spans inside, the caller's span current afterwards, every run ended."""
    caplog.set_level(logging.DEBUG, "opentelemetry.context")
    kind = SUBJECTS[subject]
    probe = Probe(telemetry.tracer, ending)
    # Another inline handler would be one more victim of LangChain's way with text models.
    counter = RunCounter(run_inline=subject != "text model")
    handler = telemetry.handler(detail="all")
    runnable = kind.build(probe)
    if way == "astream_events v3" and not hasattr(runnable, "stream_events"):
        pytest.skip("this LangChain has no event streaming v3")
    config = {"callbacks": [handler, counter]}
    with telemetry.tracer.start_as_current_span("request") as request:
        if way in SYNC:
            with _expected(ending):
                _run_sync(way, runnable, kind.given, config, ending)
            after = trace.get_current_span().get_span_context()
        else:
            after = asyncio.run(_in_loop(way, runnable, kind.given, config, ending, probe, telemetry, handler))
    gc.collect()

    assert after == request.get_span_context(), "the caller's own span is current again"
    assert handler.open_runs == 0
    # Not those of exporters: these providers have none, but another test's may still be giving up in its thread.
    loggers = ("opentelemetry.context", "opentelemetry.sdk", "opentelemetry.attributes", "otel_callbacks")
    assert [record for record in caplog.records if record.name.startswith(loggers)] == []
    _check_tree(telemetry, counter, kind, way, ending, subject)


async def _in_loop(
    way: str, runnable: Any, given: Any, config: Any, ending: str, probe: Probe, telemetry: Telemetry, handler: Any
) -> Any:
    probe.hanging = asyncio.Event()
    work = _run_async(way, runnable, given, config, ending)
    if ending == "cancelled":
        await _cancel(work, probe)
    else:
        with _expected(ending):
            await work
    after = trace.get_current_span().get_span_context()
    with telemetry.tracer.start_as_current_span("after"):
        pass
    for _ in range(200):
        if not handler.open_runs:
            break
        gc.collect()
        await asyncio.sleep(0.01)
    return after


def _expected(ending: str) -> Any:
    return pytest.raises((ValueError, RuntimeError), match=r"no|down") if ending == "failed" else _NoError()


class _NoError:
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...


def _check_tree(telemetry: Telemetry, counter: RunCounter, kind: Any, way: str, ending: str, subject: str) -> None:
    shown = telemetry.tree()
    request = telemetry.span("request")
    spans = telemetry.spans
    assert {span.context.trace_id for span in spans} == {request.context.trace_id}, shown
    runs = [span for span in spans if span.instrumentation_scope.name == "otel_callbacks"]
    assert len(runs) == len(counter.runs), shown
    assert telemetry.total("otel_callbacks.runs") == len(counter.runs)
    outermost = [span for span in runs if telemetry.parent_name(span) == "request"]
    # LangChain starts the other branches of a parallel step that was closed after its first chunk only then.
    late = subject == "parallel" and ending == "broken off"
    failed_early = way == "batch" and ending == "failed" and len(outermost) == 1
    assert len(outermost) == (2 if "batch" in way else 1) or late or failed_early, shown
    own = [span for span in spans if span.name == "own"]
    # LangChain starts text models in a task of its own where other handlers listen, and drains the model of a closed
    # stream after the chain's end.
    unreachable = subject == "text model" and way not in SYNC
    drained = ending == "broken off"
    expected = {"request"} if unreachable else {kind.own_parent, "request"} if drained else {kind.own_parent}
    assert {telemetry.parent_name(span) for span in own} <= expected, shown
    assert own or ending == "broken off", shown
    assert all(telemetry.parent_name(span) == "request" for span in spans if span.name == "after"), shown
    outcomes = {span.attributes["otel_callbacks.outcome"] for span in outermost}
    assert outcomes <= _OUTCOMES[ending], shown
    if ending != "failed" and subject != "fallback":
        assert {span.status.status_code.name for span in runs} == {"UNSET"}, shown


_OUTCOMES = {
    "finished": {"ok"},
    "failed": {"error"},
    "broken off": {"ok", "cancelled"},
    "cancelled": {"cancelled"},
}


def test_table_in_the_docs_is_what_is_tested(request: pytest.FixtureRequest) -> None:
    """docs/matrix.md lists the cells above, no more and no less; `--update-goldens` writes it."""
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

Where LangChain leaves no choice: the body of a text model (not a chat model) run in async code cannot see its span
when other handlers listen, too; spans opened there are children of the caller's span. When a chain's stream is
broken off, LangChain goes on to read the rest of the model's answer after it has ended the chain; spans opened then
are the caller's children.

"""
