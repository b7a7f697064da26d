"""Traffic from the plain OpenTelemetry SDK: single spans and points that no LangChain program would send."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from native_stack import NativeStack
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer


def one_span(service: str, name: str = "chat m", **attributes: Any) -> ReadableSpan:
    """Make a finished span with these attributes (``__`` stands for a dot)."""
    return many_spans(service, [name], **attributes)[0]


def many_spans(
    service: str, names: list[str], event: str = "", seconds: float = 0.0, **attributes: Any
) -> tuple[ReadableSpan, ...]:
    """Make finished spans of one service and length, each in its own trace; `event`: the text of an event in each."""
    dotted = {key.replace("__", "."): value for key, value in attributes.items()}
    with finished_spans(service) as (tracer, spans):
        for name in names:
            end = time.time_ns()
            span = tracer.start_span(name, attributes=dotted, start_time=end - int(seconds * 1e9))
            if event:
                span.add_event("e", {"text": event})
            span.end(end)
        return spans()


@contextmanager
def finished_spans(service: str) -> Iterator[tuple[Tracer, Callable[[], tuple[ReadableSpan, ...]]]]:
    """Provide a tracer, and a function that returns the spans it has finished."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": service}))
    provider.add_span_processor(SimpleSpanProcessor(kept))
    yield provider.get_tracer("test"), kept.get_finished_spans
    provider.shutdown()


def sent(exporter: SpanExporter, *spans: ReadableSpan) -> bool:
    """Tell whether the collector accepted these spans."""
    try:
        return exporter.export(spans) is SpanExportResult.SUCCESS
    finally:
        exporter.shutdown()


def over_http(stack: NativeStack, timeout_s: float = 10) -> SpanExporter:
    """Make an exporter that gives up after this time."""
    return OTLPSpanExporter(f"{stack.url(stack.ports.otlp_http)}/v1/traces", timeout=timeout_s)


def trace_id(span: ReadableSpan) -> str:
    """Return the trace id as Jaeger writes it."""
    return f"{span.context.trace_id:032x}"


def span_id(span: ReadableSpan) -> str:
    """Return the span id as Jaeger writes it."""
    return f"{span.context.span_id:016x}"


@contextmanager
def meters(stack: NativeStack, service: str) -> Iterator[MeterProvider]:
    """Provide a meter provider whose points have arrived at the collector when the block ends."""
    exporter = OTLPMetricExporter(f"{stack.url(stack.ports.otlp_http)}/v1/metrics")
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=1000)
    provider = MeterProvider([reader], resource=Resource({"service.name": service}))
    yield provider
    provider.shutdown()
