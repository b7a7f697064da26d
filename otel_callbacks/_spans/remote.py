"""Spans of other processes, named by a W3C ``traceparent``."""

from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_PROPAGATOR = TraceContextTextMapPropagator()


def remote_context(traceparent: Any) -> Context | None:
    """Return the context that a ``traceparent`` names, or ``None`` if it is not valid."""
    span_context = remote_span_context(traceparent)
    if span_context is None:
        return None
    return trace.set_span_in_context(trace.NonRecordingSpan(span_context))


def remote_span_context(traceparent: Any) -> trace.SpanContext | None:
    """Return the span that a ``traceparent`` names, or ``None`` if it is not valid."""
    if not isinstance(traceparent, str):
        return None
    extracted = _PROPAGATOR.extract({"traceparent": traceparent})
    span_context = trace.get_current_span(extracted).get_span_context()
    return span_context if span_context.is_valid else None
