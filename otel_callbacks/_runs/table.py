"""All open runs: one bounded table per tracer provider, shared by all handlers on it, renewed in a forked child."""

import threading
import weakref
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from opentelemetry.context import create_key
from opentelemetry.trace import INVALID_SPAN_CONTEXT, SpanContext, TracerProvider

from otel_callbacks._mapping.records import Inherited
from otel_callbacks._process.forks import after_fork_in_child
from otel_callbacks._runs.run import EndedRun, OpenRun

if TYPE_CHECKING:
    from otel_callbacks._spans.body import Body

_REMEMBERED_CLOSED = 4096
_REMEMBERED_ENDED = 4096
"""Ended runs that are remembered: at least this many, at most twice as many, and besides them ..."""
_REMEMBERED_ALIVE = 16384
"""... at most so many older ones whose id object is still alive."""
_DEEPEST = 256
"""Ancestors that are looked at: ids that an application uses again can make a circle of ended runs."""


_Ended = tuple[Callable[[], object] | None, SpanContext | None, Inherited, int, int | None, int | None]
"""The fields of an `EndedRun` apart from its key."""


_ref = weakref.ref


def _gone() -> None:
    """Stand for the weak reference to an id object that is gone."""


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
        self._closed: dict[int, None] = {}
        self.has_forgotten = False
        """Whether a run that ended and may still get children is no longer remembered."""
        self._ended: dict[int, _Ended] = {}
        self._ended_before: dict[int, _Ended] = {}
        self._ended_alive: dict[int, _Ended] = {}
        self._turning = threading.Lock()

    def enter(self, run: OpenRun) -> None:
        """Add a run that starts, below its parent."""
        key = run.id.key
        self.open[key] = run
        if run.parent is not None:
            run.parent.children[key] = run

    def leave(self, run: OpenRun) -> bool:
        """Remove the run, and remember it; false if it has left already, so that each run ends once."""
        run_id, parent, agent, visible = run.id, run.parent, run.agent, run.visible
        key = run_id.key
        if self.open.get(key) is not run:  # it has left, and another may have the same id: applications choose them
            return False
        place = None
        if not run.suppressed:
            span = visible.span if visible is not None else None
            try:
                place = span.get_span_context() if span is not None else INVALID_SPAN_CONTEXT
            except Exception:  # noqa: BLE001 - a span of the application's provider; the run must leave all the same
                place = INVALID_SPAN_CONTEXT
        id_object = run_id()
        # Before it leaves, so that its children find it at every moment. A plain tuple costs a fifth of an `EndedRun`.
        self._ended[key] = (
            None if run_id.text_id is not None else _ref(id_object) if id_object is not None else _gone,
            place,
            run.inherited,
            run.tree.clock_offset,
            parent.id.key if parent is not None and run.ended_parent is None else run.ended_parent,
            agent.id.key if agent is not None else None,
        )
        if len(self._ended) >= _REMEMBERED_ENDED:
            self._forget_ended()
        if self.open.pop(key, None) is None:
            return False
        self.awaiting.pop(key, None)
        if parent is not None:
            parent.children.pop(key, None)
        return True

    def close_due(self) -> None:
        """Have every handler close what is due."""
        for closer in list(self.closers):
            closer.close_due()

    def ended(self, key: int) -> EndedRun | None:
        """Return what is remembered of a run that has ended."""
        ended = self._ended.get(key) or self._ended_before.get(key) or self._ended_alive.get(key)
        return EndedRun(key, *ended) if ended is not None else None

    def nearest_open(self, ended: EndedRun) -> OpenRun | None:
        """Return the nearest ancestor of an ended run that is open."""
        ancestor: EndedRun | None = ended
        for _ in range(_DEEPEST):
            if ancestor is None or ancestor.parent is None:
                break
            run = self.open.get(ancestor.parent)
            if run is not None:
                return run
            ancestor = self.ended(ancestor.parent)
        return None

    def place(self, key: int) -> SpanContext | None:
        """Return the span of a run, or of its nearest visible ancestor; ``None`` where it is not known."""
        run = self.open.get(key)
        if run is None:
            ended = self.ended(key)
            return ended.place if ended is not None else None
        # A suppressed run is nowhere, although its parent may have a span.
        visible = run.visible if not run.suppressed else None
        return visible.span.get_span_context() if visible is not None and visible.span is not None else None

    def _forget_ended(self) -> None:
        """Forget the older ones. Two dictionaries take turns; of the one that goes, runs whose id lives are kept."""
        with self._turning:
            if len(self._ended) < _REMEMBERED_ENDED:  # another thread was faster
                return
            older = {**self._ended_alive, **self._ended_before}
            alive = {key: ended for key, ended in older.items() if ended[0] is not None and ended[0]() is not None}
            too_many = max(0, len(alive) - _REMEMBERED_ALIVE)
            if too_many or any(ended[0] is None for ended in older.values()):
                self.has_forgotten = True
            self._ended_alive = dict(islice(alive.items(), too_many, None))
            self._ended, self._ended_before = {}, self._ended

    def remember_closed(self, key: int) -> None:
        """Note that a run was closed without its own end event, so that a late one is recognised."""
        self._closed[key] = None
        if len(self._closed) > _REMEMBERED_CLOSED:
            del self._closed[next(iter(self._closed))]

    def forget_closed(self, key: int) -> bool:
        """Tell whether the run had been closed without its own end event, and forget it."""
        return self._closed.pop(key, False) is None

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
        self._ended_alive.clear()
        self.has_forgotten = False
        self._turning = threading.Lock()  # another thread may have held it


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
