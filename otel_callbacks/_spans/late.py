"""A span that starts when it is first needed: many steps show only at their end that they did nothing."""

import threading
from collections.abc import Callable

from opentelemetry import trace
from opentelemetry.trace import Span

from otel_callbacks._spans.stand_in import StandInSpan


class LateSpan(StandInSpan):
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

    def _target(self) -> Span:
        return self.started()

    def end(self, end_time: int | None = None) -> None:
        self.started().end(end_time)
