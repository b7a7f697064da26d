"""Tests of the handler as an object: how it is made, closed, disabled and flushed. Copies: `tests/life`."""

import subprocess
import sys
import textwrap
import threading
import uuid

import pytest
from langchain_core.language_models import FakeListChatModel
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from otel_callbacks import OTelCallbackHandler
from tests.support.exporters import HangingExporter
from tests.support.threads import in_threads


def test_configuration_must_be_one():
    """A dictionary as configuration is refused with a message that says what is needed."""
    with pytest.raises(TypeError, match="must be a Config"):
        OTelCallbackHandler(config={"detail": "all"})


def test_closed_handler_ends_what_is_open_and_records_nothing_more(telemetry):
    """`close()` ends open runs as abandoned, and later events change nothing."""
    run_id, later = uuid.uuid4(), uuid.uuid4()
    with telemetry.new_handler() as handler:
        handler.on_chain_start(None, {}, run_id=run_id, name="job")
        assert handler.open_runs == 1
    handler.on_chain_start(None, {}, run_id=later, name="later")
    handler.on_chain_end({}, run_id=run_id)
    FakeListChatModel(responses=["a"]).invoke("q", {"callbacks": [handler]})
    assert handler.open_runs == 0
    assert telemetry.tree() == "invoke_workflow job [abandoned]"


def test_disabled_by_opentelemetrys_own_variable(telemetry, monkeypatch):
    """`OTEL_SDK_DISABLED=true` switches the handler off."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "TRUE")
    handler = telemetry.new_handler()
    FakeListChatModel(responses=["a"]).invoke("q", {"callbacks": [handler]})
    assert telemetry.spans == ()


def test_flush_returns_the_truth_within_its_time():
    """`flush` returns true once all is exported, and false within its time while the exporter hangs."""
    exporter = HangingExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    handler = OTelCallbackHandler(tracer_provider=provider)
    FakeListChatModel(responses=["a"]).invoke("q", {"callbacks": [handler]})
    assert handler.flush(0.05) is False
    exporter.answers.set()
    assert handler.flush(30.0) is True
    provider.shutdown()


def test_first_runs_at_the_same_time_share_one_set_of_instruments(telemetry):
    """Threads that start a handler's first runs at the same time lose no count."""
    handler = telemetry.new_handler()
    model = FakeListChatModel(responses=["a"])
    together = threading.Barrier(16)

    def work() -> None:
        together.wait()
        model.invoke("q", {"callbacks": [handler]})

    in_threads(16, work)
    assert telemetry.total("otel_callbacks.runs") == 16


@pytest.mark.parametrize(
    "options", [{}, {"capture": "span_only"}, {"capture": "event_only"}, {"cost": True}, {"metadata_keys": ("tenant",)}]
)
def test_nothing_is_loaded_by_the_first_run(options):
    """What a configuration needs is loaded with the handler, so that no callback waits for an import."""
    if "cost" in options:
        pytest.importorskip("genai_prices")
    code = f"""
        import sys
        from uuid import uuid4
        from langchain_core.messages import AIMessage, HumanMessage
        from langchain_core.outputs import ChatGeneration, LLMResult
        from opentelemetry.sdk.trace import TracerProvider
        from otel_callbacks import Config, OTelCallbackHandler

        handler = OTelCallbackHandler(tracer_provider=TracerProvider(), config=Config(**{options!r}))
        loaded = set(sys.modules)
        chain, model = uuid4(), uuid4()
        metadata = {{"tenant": "acme", "thread_id": "an id of words", "ls_model_name": "gpt-4o"}}
        handler.on_chain_start({{}}, {{"password": "hunter2"}}, run_id=chain, name="talk", metadata=metadata)
        messages = [[HumanMessage("password=hunter2")]]
        handler.on_chat_model_start({{}}, messages, run_id=model, parent_run_id=chain, metadata=metadata)
        usage = {{"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}}
        answer = ChatGeneration(message=AIMessage("hi", usage_metadata=usage))
        handler.on_llm_end(LLMResult(generations=[[answer]]), run_id=model)
        handler.on_chain_error(ValueError("no"), run_id=chain)
        assert handler.open_runs == 0
        print(sorted(set(sys.modules) - loaded))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
