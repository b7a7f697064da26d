"""From an answer to its trace, and from an evaluation of an answer to the span that produced it."""

import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    format_span_id,
    format_trace_id,
    set_span_in_context,
)

from otel_callbacks import semconv
from otel_callbacks._content import log_events as _log_events

if TYPE_CHECKING:
    from opentelemetry._logs import LoggerProvider

_TRACE_ID = re.compile("(?!0{32})[0-9a-f]{32}")
_SPAN_ID = re.compile("(?!0{16})[0-9a-f]{16}")


class TraceRef(NamedTuple):
    """The place of a run among traces.

    Attributes:
        trace_id: 32 hexadecimal digits.
        span_id: 16 hexadecimal digits.
        sampled: Whether its span was sampled, and so exported.
    """

    trace_id: str
    span_id: str
    sampled: bool = True

    @classmethod
    def of(cls, place: SpanContext) -> "TraceRef":
        """Return the reference to a span."""
        return cls(format_trace_id(place.trace_id), format_span_id(place.span_id), place.trace_flags.sampled)


def trace_url(ref: TraceRef, base: str = "http://localhost:16686") -> str:
    """Return the address of a trace in Jaeger, with the span opened.

    Args:
        ref: A reference from `OTelCallbackHandler.trace_ref`.
        base: The address of Jaeger.
    """
    return f"{base.rstrip('/')}/trace/{quote(ref.trace_id)}?uiFind={quote(ref.span_id)}"


def record_evaluation(
    ref: TraceRef,
    name: str,
    *,
    score: float | None = None,
    label: str | None = None,
    explanation: str | None = None,
    logger_provider: "LoggerProvider | None" = None,
) -> None:
    """Emit the event ``gen_ai.evaluation.result`` of the GenAI conventions, in the context of the evaluated span.

    Args:
        ref: The evaluated run.
        name: The evaluation's name, such as "relevance" or "user_feedback".
        score: A finite number on the evaluation's own scale.
        label: A word for the result, such as "pass".
        explanation: The reason. It leaves even where capture is off, but without secrets, and cut to 16 KiB.
        logger_provider: Emits the event; the global provider by default.

    Raises:
        ValueError: There is neither a score nor a label, the score is not a finite number, or `ref` does not refer to a
            run.
    """
    if score is None and label is None:
        raise ValueError("record_evaluation needs a score, a label, or both")
    attributes: dict[str, Any] = {semconv.EVALUATION_NAME: name}
    if score is not None:
        attributes[semconv.EVALUATION_SCORE] = _finite(score)
    if label is not None:
        attributes[semconv.EVALUATION_LABEL] = label
    if explanation is not None:
        from otel_callbacks._content.policy import ContentPolicy
        from otel_callbacks._content.redaction import redactor_for

        policy = ContentPolicy(redactor=redactor_for(()))
        attributes[semconv.EVALUATION_EXPLANATION] = policy.text(explanation, policy.budget())
    _log_events.emit(logger_provider, semconv.EVENT_EVALUATION, attributes, _context_of(ref))


def _finite(score: Any) -> float:
    try:
        number = float(score)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"score={score!r}: must be a finite number")
    return number


def _context_of(ref: Any) -> Context:
    if not (isinstance(ref, TraceRef) and _is_id(_TRACE_ID, ref.trace_id) and _is_id(_SPAN_ID, ref.span_id)):
        raise ValueError(f"ref={ref!r}: must come from OTelCallbackHandler.trace_ref")
    flags = TraceFlags(TraceFlags.SAMPLED if ref.sampled else TraceFlags.DEFAULT)
    span_context = SpanContext(int(ref.trace_id, 16), int(ref.span_id, 16), is_remote=True, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(span_context), Context())


def _is_id(form: re.Pattern[str], text: Any) -> bool:
    return isinstance(text, str) and form.fullmatch(text) is not None
