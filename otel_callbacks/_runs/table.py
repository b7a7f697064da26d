"""All open runs: one bounded table per tracer provider, shared by all handlers on it, renewed in a forked child."""

import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Protocol, TypeVar

from opentelemetry.context import create_key
from opentelemetry.trace import INVALID_SPAN_CONTEXT, SpanContext, TracerProvider

from otel_callbacks._mapping.records import Inherited
from otel_callbacks._process.forks import after_fork_in_child
from otel_callbacks._runs.run import EndedRun, FailedStep, OpenRun, Tree

if TYPE_CHECKING:
    from otel_callbacks._spans.body import Body
    from otel_callbacks.types import OutcomeName

_T = TypeVar("_T")
_REMEMBERED_CLOSED = 4096
_MOST_INNER = 1000
"""How many runs with open children a search for one without passes over."""
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
    """Open runs of one tracer provider, by the integer of their id.

    Threads share it without a lock. So each step is one that the interpreter does not divide, and whoever reads what
    another thread may have changed meanwhile is ready for that.
    """

    def __init__(self) -> None:
        self.open: dict[int, OpenRun] = {}
        self.bodies: dict[int, Body] = {}
        """Bodies in which their run's span is current, by the id of the frame that encloses each."""
        self.trees: OrderedDict[Tree, None] = OrderedDict()
        """Trees with open runs, the idlest first."""
        self.awaiting: dict[int, OpenRun] = {}
        """Model runs whose next chunk matters: the first with content, or a sign of life after a sweep."""
        self.streams: dict[int, OpenRun] = {}
        """Model runs that have given content."""
        self.context_key = create_key("otel_callbacks.run")
        self.orphans: deque[tuple[int, OpenRun]] = deque()
        """Runs whose parent has ended, with the time until which their own end is awaited."""
        self.failures: deque[tuple[int, FailedStep]] = deque()
        """Failed steps of graphs that have not ended, with the time until which the end is awaited."""
        self.collected: deque[tuple[int, int]] = deque()
        """Runs whose id object LangChain has dropped, and when: no end event can come any more."""
        self._closers: dict[int, weakref.ref[Closer]] = {}
        self.next_sweep_ns = 0
        self._closed: OrderedDict[int, OutcomeName] = OrderedDict()
        self.has_forgotten = False
        """Whether a run that ended and may still get children is no longer remembered."""
        self._ended: dict[int, _Ended] = {}
        self._ended_before: dict[int, _Ended] = {}
        self._ended_alive: dict[int, _Ended] = {}
        self._turning = threading.Lock()

    def enter(self, run: OpenRun) -> None:
        """Add a run that starts, below its parent."""
        key, tree, parent = run.id.key, run.tree, run.parent
        self.open[key] = tree.runs[key] = run
        tree.last_start_ns = run.start_ns
        if parent is None:
            self.trees[tree] = None
            return
        parent.children[key] = run
        tree.idle_since = run.start_ns
        try:  # as `_put_last`, without the call
            self.trees.move_to_end(tree)
        except KeyError:
            self.trees[tree] = None

    def leave(self, run: OpenRun, *, is_event: bool = True) -> bool:
        """Remove the run; false if it has left already, so that each run ends once.

        Args:
            run: The run.
            is_event: Whether its end shows that its tree is alive.
        """
        key, tree, parent = run.id.key, run.tree, run.parent
        if self.open.get(key) is run:
            self._remember(run)  # before it leaves, so that its children find it at every moment
        left = self.open.pop(key, None)
        tree.runs.pop(key, None)
        if left is run:
            if run.stream is not None:
                self.streams.pop(key, None)  # before `awaiting`, which a sweep fills from it
            self.awaiting.pop(key, None)
            if parent is not None:
                parent.children.pop(key, None)
        elif left is not None:
            self.open[key] = left  # another run, which has the same id
        if tree.inner:
            self._look_again(tree, key, parent)
        if not tree.runs:
            self._drop(tree)
        elif is_event:
            self._put_last(tree)
        return left is run

    def _remember(self, run: OpenRun) -> None:
        """Note what a run that starts below this one after its end takes over."""
        run_id, parent, agent, visible = run.id, run.parent, run.agent, run.visible
        # A span that has not started gets no children any more, and must not start for this.
        while visible is not None and visible.late is not None and not visible.late.is_started:
            visible = visible.parent.visible if visible.parent is not None else None
        place = None
        if not run.suppressed:
            span = visible.span if visible is not None else None
            try:
                place = span.get_span_context() if span is not None else INVALID_SPAN_CONTEXT
            except Exception:  # noqa: BLE001 - a span of the application's provider; the run must leave all the same
                place = INVALID_SPAN_CONTEXT
        id_object = run_id()
        # A plain tuple costs a fifth of an `EndedRun`.
        self._ended[run_id.key] = (
            None if run_id.text_id is not None else _ref(id_object) if id_object is not None else _gone,
            place,
            run.inherited,
            run.tree.clock_offset,
            parent.id.key if parent is not None and run.ended_parent is None else run.ended_parent,
            agent.id.key if agent is not None else None,
        )
        if len(self._ended) >= _REMEMBERED_ENDED:
            self._forget_ended()

    def touch(self, tree: Tree, now: int) -> None:
        """Note that something happens in the tree."""
        tree.idle_since = now
        self._put_last(tree)

    def _put_last(self, tree: Tree) -> None:
        try:
            self.trees.move_to_end(tree)
        except KeyError:  # its last run had left
            if tree.runs:
                self.trees[tree] = None

    def idlest(self, newcomer: OpenRun | None = None) -> OpenRun | None:
        """Return the run to give up first: of the idlest tree the oldest without open children.

        Where that is the newcomer, all runs are a chain that ends with it: then it is the oldest run of all.
        """
        tree = _first(self.trees)
        for _ in range(_MOST_INNER):
            if tree is None:
                break
            run = _first(tree.runs.values(), newcomer)
            if run is None:
                if tree.runs or tree.inner:
                    break
                self._drop(tree)
                tree = _first(self.trees)
            elif not run.children:
                return run
            else:
                tree.inner[run.id.key] = run
                tree.runs.pop(run.id.key, None)
        return _first(self.open.values(), newcomer)

    def _look_again(self, tree: Tree, key: int, parent: OpenRun | None) -> None:
        """Note that a run has left a tree in which something had to be given up."""
        tree.inner.pop(key, None)
        if parent is not None and not parent.children and tree.inner.pop(parent.id.key, None) is not None:
            tree.runs[parent.id.key] = parent

    def _drop(self, tree: Tree) -> None:
        if not tree.inner:
            self.trees.pop(tree, None)
            if tree.runs:  # another thread has just started a run in it
                self.trees[tree] = None

    def await_chunks(self) -> None:
        """Have the handler look at the next chunk of each stream, which will be a sign of life."""
        self.awaiting.update(self.streams)

    def add_closer(self, closer: Closer) -> None:
        """Add what closes the runs of a handler, until it is gone."""
        key, closers = id(closer), self._closers
        closers[key] = weakref.ref(closer, lambda _: closers.pop(key, None))

    def close_due(self) -> None:
        """Have every handler close what is due."""
        for reference in list(self._closers.values()):
            closer = reference()
            if closer is not None:
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

    def remember_closed(self, key: int, outcome: "OutcomeName") -> None:
        """Note that a run was closed without its own end event, and how, so that a late one can be compared."""
        self._closed[key] = outcome
        if len(self._closed) > _REMEMBERED_CLOSED:
            try:
                self._closed.popitem(last=False)
            except KeyError:  # other threads have just taken everything out
                return

    def forget_closed(self, key: int) -> "OutcomeName | None":
        """Return how the run had been closed without its own end event, if it was, and forget it."""
        return self._closed.pop(key, None)

    def renew(self) -> None:
        """Forget everything: this process is a fork, and the runs belong to its parent."""
        self.open.clear()
        self.bodies.clear()
        self.trees.clear()
        self.awaiting.clear()
        self.streams.clear()
        self.orphans.clear()
        self.failures.clear()
        self.collected.clear()
        self._closed.clear()
        self._ended.clear()
        self._ended_before.clear()
        self._ended_alive.clear()
        self.has_forgotten = False
        self._turning = threading.Lock()  # another thread may have held it


def _first(candidates: Iterable[_T], spared: _T | None = None) -> _T | None:
    """Return the first of `candidates` that is not spared; ``None`` if there is none."""
    while True:
        try:
            for candidate in candidates:
                if candidate is not spared:
                    return candidate
        except RuntimeError:  # another thread has changed the dictionary since the loop began
            continue
        return None


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
