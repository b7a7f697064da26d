"""Captures content of runs, where it was asked for: on their spans and in log events. Loaded by the first such run."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from opentelemetry.context import Context
from opentelemetry.trace import Span

from otel_callbacks import semconv
from otel_callbacks._content import extractors as content
from otel_callbacks._content import log_events as _log_events
from otel_callbacks._content.json import decode
from otel_callbacks._content.policy import ContentPolicy
from otel_callbacks._langchain.run_start import RunStart
from otel_callbacks._mapping import MODEL_OPERATIONS
from otel_callbacks._mapping.records import Ending
from otel_callbacks.config import Capture

if TYPE_CHECKING:
    from opentelemetry._logs import LoggerProvider

Failed = Callable[[str, BaseException], None]
"""Counts a failure of the tracer itself, by kind."""

_ON_SPAN = frozenset({"span_only", "span_and_event"})
_IN_EVENT = frozenset({"event_only", "span_and_event"})
_EVENT_KEYS = ("gen_ai.", "server.", "error.", "openai.")


class Capturing:
    """What the runs of one handler share.

    Args:
        policy: bounds and redaction.
        logger_provider: where events go; the global provider for ``None``.
    """

    def __init__(self, policy: ContentPolicy, logger_provider: "LoggerProvider | None") -> None:
        self.policy = policy
        self.logger_provider = logger_provider

    def begin(
        self, operation: str, start: RunStart, where: Capture, failed: Failed, *, is_given_later: bool
    ) -> "RunContent | None":
        """Capture what a run is given.

        Returns:
            What captures the rest of the run's content; ``None`` where none of it is to be captured.
        """
        in_event = where in _IN_EVENT and operation in MODEL_OPERATIONS
        if where not in _ON_SPAN and not in_event:
            return None
        captured = RunContent(self, failed, on_span=where in _ON_SPAN, in_event=in_event)
        if not is_given_later:
            captured.take(lambda: content.given(operation, start, self.policy.max_items))
        return captured


class RunContent:
    """The content of one run, bounded and redacted."""

    __slots__ = ("_budget", "_capturing", "_failed", "_in_event", "_on_span", "_structures", "_texts")

    def __init__(self, capturing: Capturing, failed: Failed, *, on_span: bool, in_event: bool) -> None:
        self._capturing = capturing
        self._failed = failed
        self._on_span = on_span
        self._in_event = in_event
        self._budget = capturing.policy.budget()
        self._texts: dict[str, str] = {}
        self._structures: dict[str, Any] = {}

    def take(self, read: "Callable[[], content.Content]") -> None:
        """Take over what `read` finds; values that cannot be read are left out, and counted."""
        try:
            for key, value in read().items():
                self._put(key, value)
        except Exception as error:  # noqa: BLE001 - whatever a hostile value raises
            self._failed("content", error)

    def take_inputs(self, operation: str, inputs: object) -> None:
        """What a step of a stream was given, told at its end."""
        self.take(lambda: content.given_late(operation, inputs, self._capturing.policy.max_items))

    def take_interrupts(self, interrupts: Any) -> None:
        """What a graph asks a person."""
        self.take(lambda: content.interrupt_values(interrupts))

    def finish(self, operation: str, ending: Ending, result: Any, error: BaseException | None) -> dict[str, str]:
        """Take what the run gave back; returns all that belongs on its span."""
        if result is not None:
            self.take(lambda: content.answered(operation, result))
        if ending.outcome == "interrupted" and error is not None and error.args:
            self.take_interrupts(error.args[0])
        return self._texts

    def text(self, value: object) -> str | None:
        """A value for an event on the span, such as an exception's message, as it is if it is a text, else as JSON."""
        if not self._on_span:
            return None
        policy = self._capturing.policy
        try:
            text = str(value) if isinstance(value, (str, BaseException)) else None
            return policy.encode(value, self._budget) if text is None else policy.text(text, self._budget)
        except Exception as error:  # noqa: BLE001 - an exception that cannot be shown
            self._failed("content", error)
            return None

    def settle(self, span: Span, context: Context | None, *attributes: Mapping[str, Any]) -> None:
        """Once the span has all its `attributes`: mend what the SDK cut, and emit the event in `context`."""
        if self._texts:
            self._mend(span)
        if self._in_event:
            known = [*attributes, self._structures]
            told = {key: value for some in known for key, value in some.items() if key.startswith(_EVENT_KEYS)}
            provider = self._capturing.logger_provider
            _log_events.emit(provider, semconv.EVENT_INFERENCE_DETAILS, told, context)

    def _put(self, key: str, value: object) -> None:
        policy = self._capturing.policy
        text = None
        if self._on_span:
            text = policy.text(str(value), self._budget) if key in content.TEXTS else policy.encode(value, self._budget)
            if text is not None:
                self._texts[key] = text
        if self._in_event:
            self._structures[key] = policy.structure(value) if text is None else decode(text)

    def _mend(self, span: Span) -> None:
        """The SDK's own length limit cuts JSON in two: fit such values into it, and later ones at once.

        The limit is in characters, ours in bytes, so that a value within ours is within it.
        """
        kept = getattr(span, "attributes", None) or {}
        cut = [key for key, text in self._texts.items() if len(text) > len(kept.get(key, text))]
        if not cut:
            return
        limit = min(len(kept[key]) for key in cut)
        policy = self._capturing.policy = replace(self._capturing.policy, max_value_bytes=limit)
        for key in cut:
            text = self._texts[key]
            fitted = text if key in content.TEXTS else policy.encode(decode(text), policy.budget())
            span.set_attribute(key, fitted if fitted is not None else "")
