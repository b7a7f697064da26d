"""All open runs: one bounded table per tracer provider, shared by all handlers on it, renewed in a forked child."""

import weakref
from collections import deque
from typing import TYPE_CHECKING, Protocol

from opentelemetry.context import create_key
from opentelemetry.trace import SpanContext, TracerProvider

from otel_callbacks._process.forks import after_fork_in_child
from otel_callbacks._runs.run import OpenRun

if TYPE_CHECKING:
    from otel_callbacks._spans.body import Body
    from otel_callbacks.types import OutcomeName

_REMEMBERED_CLOSED = 4096
_REMEMBERED_ENDED = 2048
"""Ended runs whose span is remembered: at least this many, at most twice as many."""


class Closer(Protocol):
    """Closes runs that get no end event: `Closing`, which this module must not import."""

    def close_due(self) -> None:
        """Close what is due."""


class RunTable:
    """Open runs of one tracer provider, by the integer of their id."""

    def __init__(self) -> None:
        self.open: dict[int, OpenRun] = {}
        self.bodies: dict[int, Body] = {}
        """Bodies in which their run's span is current, by the id of the frame that encloses each."""
        self.awaiting: dict[int, OpenRun] = {}
        """Model runs whose next chunk matters: the first with content, or a sign of life after a sweep."""
        self.context_key = create_key("otel_callbacks.run")
        self.orphans: deque[tuple[int, OpenRun]] = deque()
        """Runs whose parent has ended, with the time until which their own end is awaited."""
        self.collected: deque[tuple[int, int]] = deque()
        """Runs whose id object LangChain has dropped, and when: no end event can come any more."""
        self.closers: weakref.WeakSet[Closer] = weakref.WeakSet()
        """One for each handler that has runs here."""
        self.next_sweep_ns = 0
        self._closed: dict[int, OutcomeName] = {}
        self._ended: dict[int, SpanContext] = {}
        self._ended_before: dict[int, SpanContext] = {}

    def enter(self, run: OpenRun) -> None:
        """Add a run that starts, below its parent."""
        key = run.id.key
        self.open[key] = run
        if run.parent is not None:
            run.parent.children[key] = run

    def leave(self, run: OpenRun) -> bool:
        """Remove the run; false if it has left already, so that each run ends once."""
        key = run.id.key
        if self.open.pop(key, None) is None:
            return False
        self.awaiting.pop(key, None)
        if run.parent is not None:
            run.parent.children.pop(key, None)
        return True

    def close_due(self) -> None:
        """Have every handler close what is due."""
        for closer in list(self.closers):
            closer.close_due()

    def remember_ended(self, key: int, place: SpanContext) -> None:
        """Note the span of an ended run. Two dictionaries take turns: the older one is dropped as a whole."""
        self._ended[key] = place
        if len(self._ended) >= _REMEMBERED_ENDED:
            self._ended, self._ended_before = {}, self._ended

    def place(self, key: int) -> SpanContext | None:
        """Return the span of a run, or of its nearest visible ancestor; ``None`` where it is not known."""
        run = self.open.get(key)
        # A suppressed run is nowhere, although its parent may have a span.
        visible = run.visible if run is not None and not run.suppressed else None
        if visible is not None and visible.span is not None:
            return visible.span.get_span_context()
        return self._ended.get(key) or self._ended_before.get(key)

    def remember_closed(self, key: int, outcome: "OutcomeName") -> None:
        """Note that a run was closed without its own end event, and how, so that a late one can be compared."""
        self._closed[key] = outcome
        if len(self._closed) > _REMEMBERED_CLOSED:
            del self._closed[next(iter(self._closed))]

    def forget_closed(self, key: int) -> "OutcomeName | None":
        """Return how the run had been closed without its own end event, if it was, and forget it."""
        return self._closed.pop(key, None)

    def renew(self) -> None:
        """Forget everything: this process is a fork, and the runs belong to its parent."""
        self.open.clear()
        self.bodies.clear()
        self.awaiting.clear()
        self.orphans.clear()
        self.collected.clear()
        self._closed.clear()
        self._ended.clear()
        self._ended_before.clear()


_tables: "weakref.WeakKeyDictionary[TracerProvider, RunTable]" = weakref.WeakKeyDictionary()


def table_of(provider: TracerProvider) -> RunTable:
    """Return the one table of `provider`."""
    table = _tables.get(provider)
    if table is None:
        table = _tables.setdefault(provider, RunTable())
    return table


def _renew_tables() -> None:
    for table in list(_tables.values()):
        table.renew()


after_fork_in_child(_renew_tables)
