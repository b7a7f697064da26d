import os
import subprocess
import sys
import textwrap
import threading
from dataclasses import fields
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.runnables import RunnableLambda
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_callbacks import Config, OTelCallbackHandler
from tests.support.exporters import HangingExporter
from tests.support.models import ScriptedChat
from tests.support.recorded_spans import RecordedSpans
from tests.support.threads import in_threads

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
FORK = """
    import contextvars, os, sys, threading, warnings
    from langchain_core.language_models import GenericFakeChatModel
    from langchain_core.runnables import RunnableLambda
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
    from otel_callbacks import Config, OTelCallbackHandler
    warnings.simplefilter("ignore")

    class Printing(SpanExporter):
        def export(self, spans):
            for span in spans:
                line = f"{os.getpid() == parent and 'parent' or 'child'} {self.owner} {span.name}"
                os.write(1, f"{line} {span.attributes['otel_callbacks.outcome']}\\n".encode())
            return SpanExportResult.SUCCESS

    def new_handler(owner):
        exporter = Printing()
        exporter.owner = owner
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        return OTelCallbackHandler(tracer_provider=provider, config=Config())

    def call(handler, name):
        RunnableLambda(str.upper).with_config(run_name=name).invoke("x", {"callbacks": [handler]})

    parent = os.getpid()
    handler = new_handler("inherited")

    def work(text):
        child = os.fork()
        if child == 0:
            in_child()
            sys.stdout.flush()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert status == 0, status
        call(handler, "later")
        return text
"""
INHERITED = """
    def in_child():
        assert handler.open_runs == 0
        call(handler, "in the child")
        assert handler.open_runs == 0
        handler.close()
"""
OWN = """
    def in_child():
        own = new_handler("own")
        contextvars.Context().run(call, own, "in the child")
        assert own.open_runs == handler.open_runs == 0
        own.close()
        handler.close()
"""
UNDER_LOAD = """
    stop = threading.Event()

    def load():
        while not stop.is_set():
            call(handler, "load")

    def hammer(text):
        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(20):
                work(text)
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    RunnableLambda(hammer).with_config(run_name="outer").invoke("x", {"callbacks": [handler]})
"""
ONCE = """
    RunnableLambda(work).with_config(run_name="outer").invoke("x", {"callbacks": [handler]})
"""


def _run(*parts: str) -> list[str]:
    program = [sys.executable, "-c", "".join(map(textwrap.dedent, parts))]
    process = subprocess.run(program, capture_output=True, text=True, check=False, timeout=300)
    assert process.returncode == 0, process.stderr
    return process.stdout.splitlines()


@needs_fork
@pytest.mark.parametrize(("in_child", "owner"), [(INHERITED, "inherited"), (OWN, "own")])
def test_child_exports_its_own_runs_and_the_parent_goes_on(in_child, owner):
    """otel-py#2266: after a fork in the middle of a run, neither process ends or exports the runs of the other."""
    assert _run(FORK, in_child, ONCE) == [
        f"child {owner} invoke_workflow in the child ok",
        "parent inherited chain later ok",
        "parent inherited invoke_workflow outer ok",
    ]


@needs_fork
@pytest.mark.slow
def test_fork_while_other_threads_trace_does_not_hang():
    """otel-py#970: in twenty forks while four threads record runs, every child records and ends."""
    lines = _run(FORK, OWN, UNDER_LOAD)
    assert lines.count("child own invoke_workflow in the child ok") == 20
    assert lines[-1] == "parent inherited invoke_workflow outer ok"


def _batched(exporter: SpanExporter, **options: Any) -> tuple[TracerProvider, OTelCallbackHandler]:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=3_600_000, **options))
    return provider, OTelCallbackHandler(tracer_provider=provider, config=Config())


def test_flush_sends_what_a_batch_processor_would_keep_for_an_hour():
    """lf#3292: even with an hour of batch delay, everything is exported when `flush` returns true."""
    exporter = InMemorySpanExporter()
    provider, handler = _batched(exporter)
    ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [handler]})
    assert exporter.get_finished_spans() == ()
    assert handler.flush(30) is True
    assert [span.name for span in exporter.get_finished_spans()] == ["chat"]
    provider.shutdown()


def test_flush_returns_false_while_the_exporter_hangs():
    """weave#4965: `flush` returns false while the exporter hangs, and the application can go on tracing."""
    exporter = HangingExporter()
    provider, handler = _batched(exporter)
    ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [handler]})
    patient = threading.Thread(target=handler.flush, args=(60,))
    patient.start()
    assert handler.flush(0.2) is False
    assert patient.is_alive()  # so the other one kept to its own time, although the SDK would wait for the back end
    assert exporter.called.wait(30)
    assert not exporter.answers.is_set()
    assert ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [handler]}).content == "hi"
    exporter.answers.set()
    assert handler.flush(30) is True
    patient.join()
    provider.shutdown()


def test_flush_returns_false_for_an_exporter_that_raises():
    """`flush` returns false when a processor or exporter raises."""

    class Failing(InMemorySpanExporter):
        def export(self, spans):
            raise OSError("no route")

    provider = TracerProvider(shutdown_on_exit=False)

    class Processor(BatchSpanProcessor):
        def force_flush(self, timeout_millis=30_000):
            raise OSError("no route")

    provider.add_span_processor(Processor(Failing()))
    handler = OTelCallbackHandler(tracer_provider=provider, config=Config())
    assert handler.flush(30) is False
    provider.shutdown()


def test_hanging_exporter_does_not_hold_up_the_application():
    """otel-py#4043: behind a batch processor with a full queue, a chain returns its result while the exporter hangs."""
    exporter = HangingExporter()
    provider, handler = _batched(exporter, max_queue_size=8, max_export_batch_size=4)
    chain = RunnableLambda(str.upper) | ScriptedChat(script=["hi"])
    results = [chain.invoke("x", {"callbacks": [handler]}).content for _ in range(20)]
    assert results == ["hi"] * 20
    assert exporter.called.wait(30)
    assert handler.open_runs == 0
    exporter.answers.set()
    provider.shutdown()


def test_what_a_full_queue_loses_can_be_counted(telemetry: RecordedSpans, caplog):
    """otel-py#3152: `otel_callbacks.runs` counts every run, so it shows how many the back end did not get."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    hanging = HangingExporter()

    class Late(InMemorySpanExporter):
        def export(self, spans):
            hanging.export(spans)
            return exporter.export(spans)

    provider.add_span_processor(BatchSpanProcessor(Late(), max_queue_size=8, max_export_batch_size=4))
    handler = OTelCallbackHandler(tracer_provider=provider, meter_provider=telemetry.meter_provider, config=Config())
    for _ in range(100):
        ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [handler]})
    hanging.answers.set()
    provider.shutdown()
    assert telemetry.total("otel_callbacks.runs") == 100
    assert 0 < len(exporter.get_finished_spans()) < 100


WITH_CONTENT = [{"capture": "span_only"}] if "capture" in {option.name for option in fields(Config)} else []


@pytest.mark.parametrize("options", [{}, *WITH_CONTENT])
def test_state_that_another_thread_changes_costs_nothing(telemetry: RecordedSpans, options):
    """litellm#34719, lg#2119: dictionaries that grow and shrink while they are read raise nothing and lose no span."""
    state = {"seen": [], **{str(number): {} for number in range(50)}}
    stop = threading.Event()

    def mutate():
        number = 0
        while not stop.is_set():
            number += 1
            state[f"new {number % 97}"] = {"deep": [number]}
            state.pop(f"new {(number * 31) % 97}", None)
            state["seen"].append(number)
            del state["seen"][:-20]

    handler = telemetry.new_handler(**options)
    tool = RunnableLambda(lambda _: state).with_config(run_name="share")
    mutator = threading.Thread(target=mutate)
    mutator.start()
    try:
        in_threads(8, lambda: [tool.invoke(state, {"callbacks": [handler], "metadata": state}) for _ in range(5)])
    finally:
        stop.set()
        mutator.join()
    assert len(telemetry.spans) == 40
    assert handler.open_runs == 0


def test_chunks_of_a_stream_do_not_pile_up(telemetry: RecordedSpans):
    """opik#8295: nothing of a token is kept while a stream runs, and nothing of the stream afterwards."""
    handler = telemetry.new_handler()
    chunks = [AIMessageChunk(str(number)) for number in range(1_000)]
    table = None
    for _ in ScriptedChat(script=[chunks]).stream("x", {"callbacks": [handler]}):
        table = handler._recorder._destinations.current().table
        assert len(table.open) == 1
        assert len(table.awaiting) <= 1
    assert not table.open
    assert not table.awaiting
