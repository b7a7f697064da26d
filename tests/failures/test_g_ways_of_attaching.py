import subprocess
import sys
import textwrap

import pytest
from langchain_core.language_models import BaseChatModel

from tests.support.models import ScriptedChat
from tests.support.programs import graph, needs_contexts_of_tasks
from tests.support.recorded_spans import RecordedSpans

STATE = {"seen": []}


def _program(model: BaseChatModel):
    return graph("g", talk=lambda state: {"seen": [model.invoke("x").content]})


def _by_invoke(handler):
    _program(ScriptedChat(script=["hi"])).invoke(STATE, {"callbacks": [handler]})


def _by_with_config(handler):
    _program(ScriptedChat(script=["hi"])).with_config(callbacks=[handler]).invoke(STATE)


def _by_with_config_beside_others(handler):
    program = _program(ScriptedChat(script=["hi"])).with_config(callbacks=[handler])
    program.invoke(STATE, {"callbacks": [], "tags": ["mine"]})


def _everywhere(handler):
    model = ScriptedChat(script=["hi"], callbacks=[handler])
    _program(model).with_config(callbacks=[handler]).invoke(STATE, {"callbacks": [handler]})


@pytest.mark.parametrize("attach", [_by_invoke, _by_with_config, _by_with_config_beside_others, _everywhere])
def test_every_place_that_reaches_the_whole_program_gives_the_same_tree(telemetry: RecordedSpans, attach):
    """lg#7424: a handler in `config`, in `with_config` or in both gives one tree, with each run once."""
    attach(telemetry.new_handler())
    assert telemetry.tree() == "invoke_workflow g\n  node talk\n    chat"


def test_a_models_constructor_reaches_that_models_runs_only(telemetry: RecordedSpans):
    """A handler in a model's constructor sees only that model's runs, as LangChain does not pass it on."""
    _program(ScriptedChat(script=["hi"], callbacks=[telemetry.new_handler()])).invoke(STATE)
    assert telemetry.tree() == "chat"


@needs_contexts_of_tasks
async def test_event_streams_take_the_handler_like_other_calls(telemetry: RecordedSpans):
    """`astream_events` with the handler in its configuration gives the same tree as `invoke`."""
    program = _program(ScriptedChat(script=["hi"]))
    config = {"callbacks": [telemetry.new_handler()]}
    _ = [event async for event in program.astream_events(STATE, config, version="v2")]
    assert telemetry.tree() == "invoke_workflow g\n  node talk\n    chat"


PROGRAM = """
    import logging, os
    from opentelemetry import _logs, metrics, propagate, trace
    import otel_callbacks
    from otel_callbacks import OTelCallbackHandler
    from langchain_core.language_models import FakeListChatModel

    def globals_now():
        return (trace._TRACER_PROVIDER, metrics._internal._METER_PROVIDER, _logs._internal._LOGGER_PROVIDER,
                logging.root.handlers[:], dict(os.environ), propagate.get_global_textmap())

    before = globals_now()
    handler = OTelCallbackHandler()
    model = FakeListChatModel(responses=["hi"])
    assert model.invoke("x", {"callbacks": [handler]}).content == "hi"
    assert globals_now() == before

    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider([reader]))
    model.invoke("x", {"callbacks": [handler]})
    assert [span.name for span in exporter.get_finished_spans()] == ["chat"]
    scopes = reader.get_metrics_data().resource_metrics[0].scope_metrics
    assert [scope.scope.name for scope in scopes] == ["otel_callbacks"]
    assert handler.open_runs == 0
"""


def test_handler_leaves_the_globals_alone_and_finds_a_provider_set_later():
    """lcaz#310: importing, making and using a handler sets up nothing; a provider set later gets all further runs."""
    program = [sys.executable, "-c", textwrap.dedent(PROGRAM)]
    process = subprocess.run(program, capture_output=True, text=True, check=False)
    assert (process.returncode, process.stderr) == (0, "")
