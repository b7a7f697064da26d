"""The handler as an object: how it is made, copied, asked, and closed."""

import copy
import logging
import pickle
import threading
import uuid

import pytest
from langchain_core.language_models import FakeListChatModel
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from otel_callbacks import Config, OTelCallbackHandler
from otel_callbacks.config import _warn_dropped


def test_configuration_must_be_one():
    """A dictionary given as configuration is refused with a word on what is wanted."""
    with pytest.raises(TypeError, match="must be a Config"):
        OTelCallbackHandler(config={"detail": "all"})


def test_copies_are_the_same_handler(telemetry):
    """Models are copied with the handlers attached to them; their runs must not be counted twice."""
    handler = telemetry.handler()
    assert copy.copy(handler) is handler
    model = FakeListChatModel(responses=["a"], callbacks=[handler])
    assert copy.deepcopy(model).callbacks[0] is handler
    assert {handler: 1}[handler] == 1


def test_pickle_is_a_new_handler_with_the_same_options(telemetry, caplog):
    """A handler sent to another process uses the providers there; callables stay behind, which is said once."""
    _warn_dropped.cache_clear()  # once in a process
    handler = telemetry.handler(detail="all", filter=lambda _: True)
    with caplog.at_level(logging.WARNING, "otel_callbacks"):
        sent = [pickle.loads(pickle.dumps(handler)) for _ in range(2)]  # noqa: S301 - our own bytes
    assert {other.config for other in sent} == {Config(detail="all")}
    assert [record.message for record in caplog.records] == ["pickling a handler leaves out its callables: filter"]


def test_closed_handler_ends_what_is_open_and_hears_nothing_more(telemetry):
    """`close()` ends open runs as abandoned; later events change nothing."""
    run_id, later = uuid.uuid4(), uuid.uuid4()
    with telemetry.handler() as handler:
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
    handler = telemetry.handler()
    FakeListChatModel(responses=["a"]).invoke("q", {"callbacks": [handler]})
    assert telemetry.spans == ()


class Gate(SpanExporter):
    """Exports only once it is opened."""

    def __init__(self) -> None:
        self.opened = threading.Event()

    def export(self, spans):
        self.opened.wait()
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self.opened.set()


def test_flush_tells_the_truth_within_its_time():
    """True when everything left; false, in time, while the exporter hangs, though the SDK would wait for it."""
    gate = Gate()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(gate))
    handler = OTelCallbackHandler(tracer_provider=provider)
    FakeListChatModel(responses=["a"]).invoke("q", {"callbacks": [handler]})
    assert handler.flush(0.05) is False
    gate.opened.set()
    assert handler.flush(30.0) is True
    provider.shutdown()


def test_first_runs_at_the_same_time_share_one_set_of_instruments(telemetry):
    """Two threads that start a handler's first runs together lose no count."""
    handler = telemetry.handler()
    model = FakeListChatModel(responses=["a"])
    together = threading.Barrier(16)

    def work() -> None:
        together.wait()
        model.invoke("q", {"callbacks": [handler]})

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert telemetry.total("otel_callbacks.runs") == 16
