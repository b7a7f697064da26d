"""What later runs link to: bounded and process-wide, so that another handler object finds it."""

import os
import threading
from collections import OrderedDict

from opentelemetry.trace import SpanContext

_MAX_THREADS = 2048
_MAX_PER_THREAD = 16

_interrupted: OrderedDict[str, list[SpanContext]] = OrderedDict()
_lock = threading.Lock()


def remember_interrupted(thread_id: str, span_context: SpanContext) -> None:
    """Note that a run of the LangGraph thread `thread_id` paused in the span `span_context`."""
    with _lock:
        paused = _interrupted.setdefault(thread_id, [])
        if span_context not in paused:
            paused.append(span_context)
            del paused[:-_MAX_PER_THREAD]
        _interrupted.move_to_end(thread_id)
        if len(_interrupted) > _MAX_THREADS:
            _interrupted.popitem(last=False)


def take_interrupted(thread_id: str) -> list[SpanContext]:
    """The spans in which the thread paused since it was last resumed; each is handed out once."""
    with _lock:
        return _interrupted.pop(thread_id, [])


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 - a lock held by another thread at fork would never be released here
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
