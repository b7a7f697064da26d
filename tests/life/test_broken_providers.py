"""A provider that fails costs its own signal, and says so once."""

import logging

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_callbacks import OTelCallbackHandler
from tests.support.global_providers import none_set
from tests.support.models import ScriptedChat
from tests.support.recorded_spans import RecordedSpans


class NoMeter(metrics.NoOpMeterProvider):
    """Fails to provide a meter."""

    def get_meter(self, *args, **kwargs):
        raise RuntimeError("secret")


class NoHistogram(metrics.NoOpMeterProvider):
    """Provides a meter that makes no histograms."""

    class Meter(metrics.NoOpMeter):
        """Makes no histograms."""

        def create_histogram(self, *args, **kwargs):
            raise RuntimeError("secret")

    def get_meter(self, *args, **kwargs):
        return self.Meter("x")


class NoTracer(trace.NoOpTracerProvider):
    """Fails to provide a tracer."""

    def get_tracer(self, *args, **kwargs):
        raise RuntimeError("secret")


def call(*handlers):
    """Make two calls, which must succeed."""
    for _ in range(2):
        assert ScriptedChat(script=["fine"]).invoke("x", {"callbacks": [*handlers]}).content == "fine"


def warnings_of(caplog) -> list[str]:
    """Return what the package has logged as a warning."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("broken", [NoMeter, NoHistogram])
def test_spans_although_metrics_are_broken(telemetry: RecordedSpans, caplog, broken):
    """A meter provider that fails costs no span, and one warning for all handlers names the kind and the type."""
    provider = broken()
    for _ in range(2):
        call(OTelCallbackHandler(tracer_provider=telemetry.tracer_provider, meter_provider=provider))
    assert telemetry.tree() == "\n".join(["chat"] * 4)
    assert warnings_of(caplog) == [
        "otel_callbacks failed in get_meter: RuntimeError (counted in otel_callbacks.errors)"
    ]


def test_metrics_although_spans_are_broken(telemetry: RecordedSpans, caplog):
    """A tracer provider that fails costs no measurement, and the failure is counted."""
    call(OTelCallbackHandler(tracer_provider=NoTracer(), meter_provider=telemetry.meter_provider))
    assert telemetry.count("gen_ai.client.operation.duration") == 2
    assert telemetry.total("otel_callbacks.errors", otel_callbacks__error__kind="get_tracer") == 1
    assert len(warnings_of(caplog)) == 1


def test_neither_works(caplog):
    """With two broken providers there is a warning for each, and the application's calls succeed."""
    call(OTelCallbackHandler(tracer_provider=NoTracer(), meter_provider=NoMeter()))
    assert len(warnings_of(caplog)) == 2


@pytest.mark.parametrize("missing", ["tracer", "meter"])
def test_a_later_provider_works(monkeypatch, missing):
    """Where the environment names a global provider that is not there, one that is set later works for both signals."""
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    with none_set():
        tracers, meters = TracerProvider(shutdown_on_exit=False), MeterProvider([reader], shutdown_on_exit=False)
        tracers.add_span_processor(SimpleSpanProcessor(exporter))
        setters = {"tracer": (trace.set_tracer_provider, tracers), "meter": (metrics.set_meter_provider, meters)}
        set_later, later = setters.pop(missing)
        monkeypatch.setenv(f"OTEL_PYTHON_{missing.upper()}_PROVIDER", "not_there")
        handler = OTelCallbackHandler()
        for set_provider, provider in setters.values():
            set_provider(provider)
        call(handler)
        if missing == "tracer":  # without a meter, the SDK gives no tracer
            assert reader.get_metrics_data()
        set_later(later)
        before = len(exporter.get_finished_spans())
        call(handler)
        monkeypatch.undo()
    assert len(exporter.get_finished_spans()) - before == 2
    assert reader.get_metrics_data()
