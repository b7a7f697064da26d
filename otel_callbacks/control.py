"""Blocks that change what happens to the runs started inside them."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_suppressed: ContextVar[bool] = ContextVar("otel_callbacks.suppressed", default=False)


@contextmanager
def suppress() -> Iterator[None]:
    """Drop every tree of runs that starts inside the block: no spans, no measurements.

    Holds for the threads and tasks that take over the block's context, as LangChain's own do.
    """
    before = _suppressed.get()
    _suppressed.set(True)
    try:
        yield
    finally:
        _suppressed.set(before)  # a token fails where a framework leaves the block in another context


def is_suppressed() -> bool:
    """Whether the caller is inside `suppress()`."""
    return _suppressed.get()
