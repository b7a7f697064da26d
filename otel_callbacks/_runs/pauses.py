"""Where graphs paused, for the links of the runs that go on there: bounded and process-wide.

So another handler object finds it, too.
"""

import os
import threading
from collections import OrderedDict

from opentelemetry.trace import SpanContext

_MAX_PAUSES = 4096

_pauses: OrderedDict[str, SpanContext] = OrderedDict()
_lock = threading.Lock()


def remember_pause(place: str, span_context: SpanContext) -> None:
    """Note that a graph paused in a span. `place`: what LangGraph calls it, now and when it goes on there."""
    with _lock:
        _pauses[place] = span_context
        _pauses.move_to_end(place)
        if len(_pauses) > _MAX_PAUSES:
            _pauses.popitem(last=False)


def pause(place: str) -> SpanContext | None:
    """The span in which a graph paused there last."""
    return _pauses.get(place)


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 - a lock held by another thread at fork would never be released here
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
