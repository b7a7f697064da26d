"""The package's own test fixture with what only the tests of the package need: real ids and times, samplers, points."""

from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.sampling import Sampler

from otel_callbacks import Config, OTelCallbackHandler
from otel_callbacks.testing import OtelSpans


class RecordedSpans(OtelSpans):
    """`OtelSpans` with the SDK's random ids and real times, so that tests can compare durations and several recorders.

    Args:
        sampler: Decides which spans are recorded; all by default.

    Attributes:
        exporter: Holds the ended spans.
        reader: Collects the metrics.
        log_exporter: Holds the log records.
        tracer: The application's own.
    """

    def __init__(self, sampler: Sampler | None = None) -> None:
        super().__init__()
        self.tracer_provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._spans))
        self.handler = self.new_handler()
        self.exporter, self.reader, self.log_exporter = self._spans, self._metrics, self._logs
        self.tracer = self.tracer_provider.get_tracer("app")

    def new_handler(self, config: Config | None = None, **options: Any) -> OTelCallbackHandler:
        """Make another handler, with a configuration or with these options."""
        return super().new_handler(config or Config(**options))

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """The ended spans in the order in which they ended, with real times."""
        return self.exporter.get_finished_spans()

    def span(self, name: str) -> ReadableSpan:
        """Return the one span of that name."""
        spans = [span for span in self.spans if span.name == name]
        assert len(spans) == 1, f"{len(spans)} spans {name!r} in\n{self.tree()}"
        return spans[0]

    def parent_name(self, span: ReadableSpan) -> str | None:
        """Return the name of the span's parent among the exported ones, "?" where it was not exported."""
        if span.parent is None:
            return None
        names = {other.context.span_id: other.name for other in self.spans}
        return names.get(span.parent.span_id, "?")

    def metrics(self) -> list[Any]:
        """Collect every metric of every scope now."""
        data = self.reader.get_metrics_data()
        return [m for r in (data.resource_metrics if data else ()) for s in r.scope_metrics for m in s.metrics]

    def points(self, metric: str) -> list[Any]:
        """Return the data points of a metric, collected now, as the SDK has them."""
        return [point for one in self.metrics() if one.name == metric for point in one.data.data_points]

    def total(self, metric: str, **labels: Any) -> float:
        """Add up a metric over the points whose attributes contain `labels` (a double underscore stands for a dot)."""
        return sum(point.value for point in self._matching(metric, labels))

    def count(self, metric: str, **labels: Any) -> int:
        """Count the measurements of a histogram, over the same points as `total`."""
        return sum(point.count for point in self._matching(metric, labels))

    def _matching(self, metric: str, labels: dict[str, Any]) -> list[Any]:
        wanted = {key.replace("__", "."): value for key, value in labels.items()}
        return [point for point in self.metric(metric) if wanted.items() <= point.labels.items()]
