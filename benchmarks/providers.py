"""Providers as in production, except that the exporter sends nothing; they count what is emitted."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from opentelemetry.sdk.metrics import MeterProvider, TraceBasedExemplarFilter
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON


class Drop(SpanExporter):
    """Takes spans and does nothing with them."""

    def __init__(self) -> None:
        self.seen: list[ReadableSpan] | None = None
        """Where spans are kept while they are counted."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Report success."""
        if self.seen is not None:
            self.seen.extend(spans)
        return SpanExportResult.SUCCESS


class Serialise(Drop):
    """Turns spans into the bytes of OTLP, and drops those."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Do everything that an OTLP exporter does before it opens a connection."""
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

        encode_spans(spans).SerializeToString()
        return super().export(spans)


class Emitted(NamedTuple):
    """What a program emitted."""

    spans: int
    attributes: int
    """Of all spans together."""
    measurements: int


class Providers:
    """The providers of one mode. `exporter`: takes the spans."""

    def __init__(self, exporter: SpanExporter, *, sampled: bool = True) -> None:
        self._exporter = exporter
        self.settle: Callable[[], object] = bool
        """Waits for what a tracer does in its own threads before it hands over spans."""
        self._filter = TraceBasedExemplarFilter()
        self.tracer_provider = TracerProvider(sampler=ALWAYS_ON if sampled else ALWAYS_OFF, shutdown_on_exit=False)
        self.tracer_provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=65_536))
        self.reader = InMemoryMetricReader()
        self.meter_provider = MeterProvider([self.reader], exemplar_filter=self._filter, shutdown_on_exit=False)

    def flush(self) -> None:
        """Have the batch processor hand over what it holds, so that its work is measured with its cause."""
        self.settle()
        self.tracer_provider.force_flush()

    def shutdown(self) -> None:
        """Stop the batch processor's thread."""
        self.tracer_provider.shutdown()
        self.meter_provider.shutdown()

    @contextmanager
    def counting(self) -> Iterator[list[Emitted]]:
        """Count what is emitted inside the block; afterwards the list holds one entry. Costs nothing elsewhere."""
        counts: list[Emitted] = []
        spans: list[ReadableSpan] = []
        measurements = 0
        decide = self._filter.should_sample

        def count(*arguments: Any) -> bool:
            nonlocal measurements
            measurements += 1
            return decide(*arguments)

        if isinstance(self._exporter, Drop):
            self._exporter.seen = spans
        vars(self._filter)["should_sample"] = count  # the SDK asks once per measurement
        yield counts
        self.flush()
        del vars(self._filter)["should_sample"]
        if isinstance(self._exporter, Drop):
            self._exporter.seen = None
        counts.append(Emitted(len(spans), sum(len(span.attributes or ()) for span in spans), measurements))
