"""A span that starts when it is first needed: many steps show only at their end that they did nothing."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Span


class LateSpan(Span):
    """Stands for a span until somebody asks for it, and then for the real one, which starts at that moment.

    Its first visible child asks, as does code that uses the current span. The real one has the run's own start time.

    Args:
        start: Starts the span. Never raises.
    """

    def __init__(self, start: Callable[[], Span]) -> None:
        self._start: Callable[[], Span] | None = start
        self._span: Span | None = None
        self._deciding = threading.Lock()

    def started(self) -> Span:
        """Return the span, or what stands in for it; start it if nobody has asked for it yet."""
        if self._span is None:
            with self._deciding:
                if self._start is not None:
                    self._span = self._start()
                    self._start = None  # it holds the run
        return self._span or trace.INVALID_SPAN

    def replace(self, stand_in: Span | None) -> Callable[[], Span] | None:
        """Have `stand_in` answer from now on, and return what would have started the span; ``None`` if that is done."""
        with self._deciding:
            start, self._start = self._start, None
            if start is not None:
                self._span = stand_in or trace.INVALID_SPAN
            return start

    @property
    def is_started(self) -> bool:
        """Whether the span has started, or another one stands in for it."""
        return self._span is not None

    def get_span_context(self) -> trace.SpanContext:
        return self.started().get_span_context()

    def is_recording(self) -> bool:
        return self.started().is_recording()

    def set_attribute(self, key: str, value: Any) -> None:
        self.started().set_attribute(key, value)

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        self.started().set_attributes(attributes)

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        self.started().add_event(name, attributes, timestamp)

    def add_link(self, context: trace.SpanContext, attributes: Any = None) -> None:
        self.started().add_link(context, attributes)

    def update_name(self, name: str) -> None:
        self.started().update_name(name)

    def set_status(self, status: Any, description: str | None = None) -> None:
        self.started().set_status(status, description)

    def record_exception(self, exception: BaseException, *args: Any, **kwargs: Any) -> None:
        self.started().record_exception(exception, *args, **kwargs)

    def end(self, end_time: int | None = None) -> None:
        self.started().end(end_time)

    def __getattr__(self, name: str) -> Any:
        """Return what else a span of the SDK has (`name`, `attributes`, `parent`), for code that reads it."""
        return getattr(self.started(), name)
