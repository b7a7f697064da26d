"""The demo's own OpenTelemetry: providers that keep everything in memory, and exporters that send it at the end."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import opentelemetry.exporter.otlp.json.file  # noqa: F401 - `files` needs it, and fails without it only when it writes
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, LogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricExporter, MetricsData
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from otel_callbacks import files
from otel_callbacks._setup.exporters import http_address

SERVICE: Final = "otel-callbacks-demo"


class Batch(NamedTuple):
    """All signals collected at one moment."""

    spans: Sequence[ReadableSpan]
    metrics: MetricsData | None
    logs: Sequence[Any]

    def followed_by(self, later: "Batch") -> "Batch":
        """Return both together; metrics count from the start, so the later ones include the earlier."""
        return Batch([*self.spans, *later.spans], later.metrics or self.metrics, [*self.logs, *later.logs])


class InMemoryProviders:
    """Providers of the demo, none of them global.

    Args:
        view: A span processor that shows the spans while they end.
    """

    def __init__(self, view: SpanProcessor | None = None) -> None:
        resource = Resource.create({SERVICE_NAME: SERVICE})
        self._spans = InMemorySpanExporter()
        self._metrics = InMemoryMetricReader()
        self._logs = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        # Every trace is shown, whatever OTEL_TRACES_SAMPLER says.
        self.tracer_provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._spans))
        if view:
            self.tracer_provider.add_span_processor(view)
        self.meter_provider = MeterProvider([self._metrics], resource=resource, shutdown_on_exit=False)
        self.logger_provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
        self.logger_provider.add_log_record_processor(SimpleLogRecordProcessor(self._logs))

    def collect(self) -> Batch:
        """Return the spans and log records since the last call, and the metrics since the start."""
        batch = Batch(
            self._spans.get_finished_spans(), self._metrics.get_metrics_data(), self._logs.get_finished_logs()
        )
        self._spans.clear()
        self._logs.clear()
        return batch


class Exporters(NamedTuple):
    """Exporters of all signals to one destination."""

    spans: SpanExporter
    metrics: MetricExporter
    logs: LogRecordExporter

    def send(self, batch: Batch) -> list[str]:
        """Send what there is, and return the signals that were refused, such as ``["metrics"]``."""
        results: dict[str, Any] = {}
        if batch.spans:
            results["traces"] = self.spans.export(batch.spans)
        if batch.metrics:
            results["metrics"] = self.metrics.export(batch.metrics)
        if batch.logs:
            results["logs"] = self.logs.export(batch.logs)
        return [signal for signal, result in results.items() if result.name != "SUCCESS"]

    def close(self) -> None:
        """Close files and connections."""
        for exporter in self:
            exporter.shutdown()


def file_exporters(folder: Path) -> Exporters:
    """Return exporters that write OTLP JSON lines into a folder."""
    return Exporters(files.span_exporter(folder), files.metric_exporter(folder), files.log_exporter(folder))


def otlp_exporters(url: str) -> Exporters:
    """Return exporters that send OTLP over HTTP to a collector's base address, without a signal's path at its end."""
    return Exporters(
        OTLPSpanExporter(http_address(url, "traces")),
        OTLPMetricExporter(http_address(url, "metrics")),
        OTLPLogExporter(http_address(url, "logs")),
    )
