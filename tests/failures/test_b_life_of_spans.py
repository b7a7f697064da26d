import asyncio
import gc
import threading
import tracemalloc
import weakref

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessageChunk
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

from otel_callbacks._runs import table as _table
from tests.life.waiting import Hanging, exported
from tests.support.models import ScriptedChat, ScriptedText, usage
from tests.support.programs import broken, graph, weather
from tests.support.recorded_spans import RecordedSpans

CHUNKS = [AIMessageChunk("a", usage_metadata=usage(3, 1)), AIMessageChunk(" b"), AIMessageChunk(" c")]


def mixed_load(handler, rounds):
    """Make about ten runs a round: some succeed, fail, are hidden, are streamed or are broken off."""
    config = {"callbacks": [handler]}
    good = RunnableLambda(str.upper) | ScriptedChat(script=["hi"])
    bad = RunnableLambda(str.upper) | ScriptedChat(script=[ValueError("no")])
    streamed = ScriptedChat(script=[CHUNKS])
    program = graph("g", look=lambda state: {"seen": [weather.invoke({"city": "Oslo"})]})
    for _ in range(rounds):
        good.invoke("x", config)
        with pytest.raises(ValueError, match="no"):
            bad.invoke("x", config)
        for _ in streamed.stream("x", config):
            pass
        for _ in streamed.stream("x", config):
            break
        program.invoke({"seen": []}, config)


@pytest.mark.slow
def test_tables_are_empty_and_memory_flat_after_10_000_runs(monkeypatch):
    """ollm#2790, ls#1979: no run leaves anything behind, whatever its end, sampled or not, visible or not."""
    monkeypatch.setattr(_table, "_REMEMBERED_ENDED", 64)  # what is remembered is bounded, but not yet full after 10 000
    telemetry = RecordedSpans(TraceIdRatioBased(0.5))
    telemetry.exporter.shutdown()
    handler = telemetry.new_handler(detail="operations")
    mixed_load(handler, 900)  # builds what is built once; not yet traced, which makes each round ten times as slow
    gc.collect()
    tracemalloc.start()
    mixed_load(handler, 100)
    gc.collect()
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert telemetry.total("otel_callbacks.runs") >= 10_000
    assert handler.open_runs == 0
    table = handler._recorder._destinations.current().table
    assert not table.open
    assert not table.bodies
    assert not table.awaiting
    assert not table.orphans
    assert not table.collected
    assert grown < 512 * 1024
    telemetry.shutdown()


def test_handlers_leave_no_thread_and_no_object(telemetry: RecordedSpans):
    """langfuse#2974: a thousand handlers that are made, used and dropped, as some applications do, leave nothing."""
    threads = threading.active_count()
    references = []
    for _ in range(1_000):
        handler = telemetry.new_handler()
        ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [handler]})
        references += [weakref.ref(handler), weakref.ref(handler._recorder.closing)]
        del handler
    gc.collect()
    assert [reference for reference in references if reference() is not None] == []
    assert threading.active_count() == threads
    assert telemetry.total("otel_callbacks.runs") == 1_000


@pytest.mark.parametrize("is_in_a_chain", [True, False])
async def test_cancelled_model_call_is_exported(telemetry: RecordedSpans, is_in_a_chain):
    """strands#3609: a cancelled model's span is exported as cancelled although LangChain sends no end."""
    hanging = Hanging()
    model = hanging.chat()
    program = (RunnableLambda(str.upper) | model) if is_in_a_chain else model
    handler = telemetry.new_handler(detail="operations")
    await hanging.cancel(program.ainvoke("x", {"callbacks": [handler]}))
    await exported(telemetry, 2 if is_in_a_chain else 1)
    expected = "invoke_workflow [cancelled]\n  chat [cancelled]" if is_in_a_chain else "chat [cancelled]"
    assert telemetry.tree() == expected
    assert handler.open_runs == 0


async def _break_off(model, way, config):
    if way == "stream":
        for _ in model.stream("x", config):
            break
    else:
        stream = model.astream("x", config)
        async for _ in stream:
            break
        await stream.aclose()


@pytest.mark.parametrize("way", ["stream", "astream"])
async def test_stream_that_is_broken_off_keeps_what_it_gave(telemetry: RecordedSpans, way):
    """oinf#3796, openlit#1561: its span is no error and has time to first chunk, usage and the partial length."""
    await _break_off(ScriptedChat(script=[CHUNKS]), way, {"callbacks": [telemetry.new_handler()]})
    span = telemetry.span("chat")
    assert span.status.is_unset
    assert span.attributes["otel_callbacks.outcome"] == "cancelled"
    assert span.attributes["gen_ai.response.time_to_first_chunk"] > 0
    assert span.attributes["gen_ai.usage.input_tokens"] == 3
    assert span.attributes["otel_callbacks.stream.partial_length"] == 1
    assert telemetry.count("gen_ai.client.operation.duration", otel_callbacks__outcome="cancelled") == 1


class _Failing(BaseRetriever):
    def _get_relevant_documents(self, query: str, *, run_manager) -> list[Document]:
        raise self.metadata["raises"]


def _failing(kind, error):
    """Return a runnable of that kind that raises the error, and its input."""
    if kind == "chat":
        return ScriptedChat(script=[error]), "x"
    if kind == "retriever":
        return _Failing(metadata={"raises": error}), "x"
    if kind == "tool":
        return broken, {"city": "Oslo"}

    def fail(_):
        raise error

    if kind == "llm":

        class Text(ScriptedText):
            def _generate(self, *args, **kwargs):
                raise error

        return Text(), "x"
    return RunnableLambda(fail), "x"


@pytest.mark.parametrize("kind", ["chat", "chain"])
@pytest.mark.parametrize("error", [asyncio.CancelledError(), GeneratorExit()])
@pytest.mark.parametrize("cancel_is_error", [False, True])
def test_cancellation_is_no_error_unless_wanted(telemetry: RecordedSpans, kind, error, cancel_is_error):
    """llama-agents#390: a cancelled run of any kind is an error only with the option, on its span and its duration."""
    program, value = _failing(kind, error)
    with pytest.raises(type(error)):
        program.invoke(value, {"callbacks": [telemetry.new_handler(cancel_is_error=cancel_is_error)]})
    (span,) = telemetry.spans
    assert span.attributes["otel_callbacks.outcome"] == "cancelled"
    assert span.status.is_unset is not cancel_is_error
    name = type(error).__name__
    expected = f"asyncio.exceptions.{name}" if name == "CancelledError" else name
    assert span.attributes.get("error.type") == (expected if cancel_is_error else None)
    metric = "gen_ai.invoke_workflow.duration" if kind == "chain" else "gen_ai.client.operation.duration"
    (point,) = telemetry.points(metric)
    assert point.attributes["otel_callbacks.outcome"] == "cancelled"
    assert point.attributes.get("error.type") == span.attributes.get("error.type")


@pytest.mark.parametrize("kind", ["chat", "llm", "chain", "tool", "retriever"])
def test_every_kind_of_run_records_its_failure(telemetry: RecordedSpans, kind):
    """deepeval#3303: a failed run of any kind ends with status ERROR, `error.type` and one exception event."""
    program, value = _failing(kind, ValueError("no"))
    handler = telemetry.new_handler()
    with pytest.raises(ValueError, match="no"):
        program.invoke(value, {"callbacks": [handler]})
    (span,) = telemetry.spans
    assert span.status.status_code.name == "ERROR"
    assert span.attributes["error.type"] == "ValueError"
    assert [event.name for event in span.events] == ["exception"]
    assert handler.open_runs == 0


def test_runs_that_end_well_have_no_status(telemetry: RecordedSpans):
    """lf-py#1388: a successful run's status stays UNSET, as OK is for applications to set."""
    mixed = RunnableLambda(str.upper) | ScriptedChat(script=["hi"])
    mixed.invoke("x", {"callbacks": [telemetry.new_handler()]})
    weather.invoke({"city": "Oslo"}, {"callbacks": [telemetry.new_handler()]})
    assert {span.status.status_code.name for span in telemetry.spans} == {"UNSET"}
