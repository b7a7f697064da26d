"""Real OpenTelemetry providers in memory, and what came out of them in a form tests can compare."""

from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Sampler

from otel_callbacks import Config, OTelCallbackHandler
from otel_callbacks.testing import tree

try:
    from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter
except ImportError:  # OpenTelemetry before 1.38
    from opentelemetry.sdk._logs.export import InMemoryLogExporter as InMemoryLogRecordExporter


class Telemetry:
    """A tracer and a meter provider of its own, handlers on them, and what they exported."""

    def __init__(self, sampler: Sampler | None = None) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracer_provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meter_provider = MeterProvider([self.reader], shutdown_on_exit=False)
        self.log_exporter = InMemoryLogRecordExporter()
        self.logger_provider = LoggerProvider(shutdown_on_exit=False)
        self.logger_provider.add_log_record_processor(SimpleLogRecordProcessor(self.log_exporter))
        self.tracer = self.tracer_provider.get_tracer("app")

    def handler(self, **options: Any) -> OTelCallbackHandler:
        return OTelCallbackHandler(
            tracer_provider=self.tracer_provider,
            meter_provider=self.meter_provider,
            logger_provider=self.logger_provider,
            config=Config(**options),
        )

    def shutdown(self) -> None:
        self.tracer_provider.shutdown()
        self.meter_provider.shutdown()

    @property
    def logs(self) -> tuple[Any, ...]:
        """The log records that left."""
        return tuple(data.log_record for data in self.log_exporter.get_finished_logs())

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self.exporter.get_finished_spans()

    def span(self, name: str) -> ReadableSpan:
        """The one span of that name."""
        found = [span for span in self.spans if span.name == name]
        assert len(found) == 1, f"{len(found)} spans {name!r} in\n{self.tree()}"
        return found[0]

    def parent_name(self, span: ReadableSpan) -> str | None:
        """The name of the span's parent among the exported ones, "?" where it was not exported."""
        if span.parent is None:
            return None
        names = {other.context.span_id: other.name for other in self.spans}
        return names.get(span.parent.span_id, "?")

    def tree(self, *keys: str) -> str:
        """The exported spans as an indented tree, children by start time; `keys`: attributes to show."""
        return tree(self.spans, keys)

    def points(self, metric: str) -> list[Any]:
        """The data points of a metric, collected now."""
        data = self.reader.get_metrics_data()
        return [
            point
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for found in scope.metrics
            if found.name == metric
            for point in found.data.data_points
        ]

    def total(self, metric: str, **labels: Any) -> float:
        """Sum of a metric over the points whose attributes contain `labels` (dots written as double underscores)."""
        wanted = {key.replace("__", "."): value for key, value in labels.items()}
        return sum(
            getattr(point, "sum", None) if hasattr(point, "sum") else point.value
            for point in self.points(metric)
            if wanted.items() <= dict(point.attributes).items()
        )

    def count(self, metric: str, **labels: Any) -> int:
        """Number of measurements of a histogram over the points whose attributes contain `labels`."""
        wanted = {key.replace("__", "."): value for key, value in labels.items()}
        return sum(p.count for p in self.points(metric) if wanted.items() <= dict(p.attributes).items())
