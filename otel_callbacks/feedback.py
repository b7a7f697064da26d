"""From an answer to its trace, and from what was thought of an answer to the span that gave it."""

import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote
from uuid import UUID

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

_PREFIXES_OF_MESSAGE_IDS = ("lc_run--", "run--", "run-")
_LENGTH_OF_UUID = 36
_TRACE_ID = re.compile("(?!0{32})[0-9a-f]{32}")
_SPAN_ID = re.compile("(?!0{16})[0-9a-f]{16}")


class TraceRef(NamedTuple):
    """Where a run is found.

    Attributes:
        trace_id: 32 hexadecimal digits.
        span_id: 16 hexadecimal digits.
        sampled: whether its span was exported.
    """

    trace_id: str
    span_id: str
    sampled: bool = True

    @classmethod
    def of(cls, place: SpanContext) -> "TraceRef":
        """The place of a span."""
        return cls(format_trace_id(place.trace_id), format_span_id(place.span_id), place.trace_flags.sampled)


def run_key(run_id: UUID | str) -> int | None:
    """The integer of a run's id, also of the one in a message's id; ``None`` where it holds none."""
    if isinstance(run_id, UUID):
        return run_id.int
    text = str(run_id)
    for prefix in _PREFIXES_OF_MESSAGE_IDS:
        text = text.removeprefix(prefix)
    try:
        return UUID(text[:_LENGTH_OF_UUID]).int
    except ValueError:
        return None


def trace_url(ref: TraceRef, base: str = "http://localhost:16686") -> str:
    """The address of a trace in Jaeger, with the span opened.

    Args:
        ref: from `OTelCallbackHandler.trace_ref`.
        base: Jaeger's own address.
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
        ref: the evaluated run.
        name: what was evaluated, such as "relevance" or "user_feedback".
        score: a finite number on the evaluation's own scale.
        label: a word for it, such as "pass".
        explanation: why. Leaves whatever is captured, but without secrets, and shortened to 16 KiB.
        logger_provider: where the event goes; the global provider by default.

    Raises:
        ValueError: there is neither a score nor a label, the score is no finite number, or `ref` is no place of a run.
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
        from otel_callbacks._content.redaction import configured

        policy = ContentPolicy(redactor=configured(()))
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
        raise ValueError(f"ref={ref!r}: must be what OTelCallbackHandler.trace_ref gave")
    flags = TraceFlags(TraceFlags.SAMPLED if ref.sampled else TraceFlags.DEFAULT)
    place = SpanContext(int(ref.trace_id, 16), int(ref.span_id, 16), is_remote=True, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(place), Context())


def _is_id(form: re.Pattern[str], text: Any) -> bool:
    return isinstance(text, str) and form.fullmatch(text) is not None
