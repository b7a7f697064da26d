"""Where graphs paused, for the links of the runs that go on there: bounded, and one for the whole process.

So a graph may go on under another handler object than the one it paused under.
"""

import threading
from collections import OrderedDict

from opentelemetry.trace import SpanContext

from otel_callbacks import semconv
from otel_callbacks._process.forks import after_fork_in_child

RESUME_LINK = {semconv.LINK_KIND: "resume"}
"""Attributes of the link from a run that goes on to where it had paused."""
_MAX_PAUSES = 4096

_pauses: OrderedDict[str, SpanContext] = OrderedDict()
_lock = threading.Lock()


def remember_pause(place: str, span_context: SpanContext) -> None:
    """Note that a graph paused in a span. `place`: LangGraph's name for the task or checkpoint."""
    with _lock:
        _pauses[place] = span_context
        _pauses.move_to_end(place)
        if len(_pauses) > _MAX_PAUSES:
            _pauses.popitem(last=False)


def paused_span(place: str) -> SpanContext | None:
    """Return the span in which a graph paused last at that place."""
    return _pauses.get(place)


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 - a lock held by another thread at fork would never be released here
    _lock = threading.Lock()


after_fork_in_child(_renew_lock)
