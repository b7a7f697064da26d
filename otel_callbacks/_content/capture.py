"""Captures content of runs, where it was asked for: on their spans and in log events. Loaded by the first such run."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from opentelemetry.context import Context
from opentelemetry.trace import Span

from otel_callbacks import semconv
from otel_callbacks._content import extractors, log_events
from otel_callbacks._content.json import decode
from otel_callbacks._content.policy import ContentPolicy
from otel_callbacks._langchain.run_start import RunStart
from otel_callbacks._mapping.records import Ending
from otel_callbacks._mapping.tables import MODEL_OPERATIONS
from otel_callbacks.config import Capture

if TYPE_CHECKING:
    from opentelemetry._logs import LoggerProvider

Failed = Callable[[str, BaseException], None]
"""Counts a failure of this package, by kind."""

_ON_SPAN = frozenset({"span_only", "span_and_event"})
_IN_EVENT = frozenset({"event_only", "span_and_event"})


class ContentCapture:
    """What the captured runs of one handler share.

    Args:
        policy: Bounds and redaction.
        logger_provider: Where events go; the global provider for ``None``.
    """

    def __init__(self, policy: ContentPolicy, logger_provider: "LoggerProvider | None") -> None:
        self.policy = policy
        self.logger_provider = logger_provider

    def begin(
        self, operation: str, start: RunStart, where: Capture, failed: Failed, *, has_inputs: bool
    ) -> "RunContent | None":
        """Capture the inputs of a run that starts.

        Args:
            operation: What the run does.
            start: Its start.
            where: Where its content goes.
            failed: Counts values that cannot be captured.
            has_inputs: False for a step of a stream, whose inputs LangChain reports at its end.

        Returns:
            What captures the rest of the run's content; ``None`` where none of it goes anywhere.
        """
        in_event = where in _IN_EVENT and operation in MODEL_OPERATIONS
        if where not in _ON_SPAN and not in_event:
            return None
        content = RunContent(self, failed, on_span=where in _ON_SPAN, in_event=in_event)
        if has_inputs:
            content.add(lambda: extractors.input_content(operation, start, self.policy.max_items))
        return content


class RunContent:
    """The content of one run, bounded and redacted."""

    __slots__ = ("_budget", "_capture", "_failed", "_in_event", "_on_span", "_structures", "attributes")

    def __init__(self, capture: ContentCapture, failed: Failed, *, on_span: bool, in_event: bool) -> None:
        self._capture = capture
        self._failed = failed
        self._on_span = on_span
        self._in_event = in_event
        self._budget = capture.policy.budget()
        self._structures: dict[str, Any] = {}
        self.attributes: dict[str, str] = {}
        """What is set on the span when the run ends."""

    def add(self, extract: Callable[[], extractors.Content]) -> None:
        """Add what `extract` gives; values that cannot be read are left out, and counted."""
        try:
            for key, value in extract().items():
                self._put(key, value)
        except Exception as error:  # noqa: BLE001 - whatever a hostile value raises
            self._failed("content", error)

    def add_late_inputs(self, operation: str, inputs: object) -> None:
        """Add the inputs of a step of a stream, known at its end."""
        self.add(lambda: extractors.late_input_content(operation, inputs, self._capture.policy.max_items))

    def add_interrupts(self, interrupts: Any) -> None:
        """Add what a graph asks a person."""
        self.add(lambda: extractors.interrupt_content(interrupts))

    def add_outputs(self, operation: str, ending: Ending, result: Any, error: BaseException | None) -> None:
        """Add what the run gave back."""
        if result is not None:
            self.add(lambda: extractors.output_content(operation, result))
        if ending.outcome == "interrupted" and error is not None and error.args:
            self.add_interrupts(error.args[0])

    def text(self, value: object) -> str | None:
        """Return a value for an event on the span: a text such as an exception's message unchanged, others as JSON.

        ``None`` where content does not go on spans, or the value cannot be shown.
        """
        if not self._on_span:
            return None
        policy = self._capture.policy
        try:
            text = str(value) if isinstance(value, (str, BaseException)) else None
            return policy.encode(value, self._budget) if text is None else policy.text(text, self._budget)
        except Exception as error:  # noqa: BLE001 - an exception that cannot be shown
            self._failed("content", error)
            return None

    def settle(self, span: Span, context: Context | None, *attributes: Mapping[str, Any]) -> None:
        """Repair values that the SDK truncated, then emit the event in `context`. `attributes`: the span's."""
        if self.attributes:
            self._mend(span)
        if self._in_event:
            event = {
                key: value
                for mapping in (*attributes, self._structures)
                for key, value in mapping.items()
                if key.startswith(semconv.CONVENTION_PREFIXES)
            }
            log_events.emit(self._capture.logger_provider, semconv.EVENT_INFERENCE_DETAILS, event, context)

    def _put(self, key: str, value: object) -> None:
        policy = self._capture.policy
        text = None
        if self._on_span:
            is_text = key in extractors.TEXTS
            text = policy.text(str(value), self._budget) if is_text else policy.encode(value, self._budget)
            if text is not None:
                self.attributes[key] = text
        if self._in_event:
            self._structures[key] = policy.structure(value) if text is None else decode(text)

    def _mend(self, span: Span) -> None:
        """Shorten values that the SDK truncated to valid JSON within its limit.

        The limit is in characters, ours in bytes, so a value within ours is within it.
        """
        exported = getattr(span, "attributes", None) or {}
        cut = [key for key, text in self.attributes.items() if len(text) > len(exported.get(key, text))]
        if not cut:
            return
        limit = min(len(exported[key]) for key in cut)
        # For all later runs of the handler as well: their values need not be cut twice.
        policy = self._capture.policy = replace(self._capture.policy, max_value_bytes=limit)
        for key in cut:
            text = self.attributes[key]
            fitted = text if key in extractors.TEXTS else policy.encode(decode(text), policy.budget())
            span.set_attribute(key, fitted if fitted is not None else "")
