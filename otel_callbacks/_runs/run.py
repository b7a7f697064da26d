"""Open runs: one bounded table per tracer provider, shared by all handlers on it, renewed in a forked child."""

import os
import weakref
from collections import deque
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from opentelemetry.context import Context, create_key
from opentelemetry.trace import Span, SpanContext, TracerProvider

from otel_callbacks._langchain.run_start import RunStart
from otel_callbacks._mapping.records import Inherited, SpanPlan
from otel_callbacks._runs.owner import Owner

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from otel_callbacks._content.capture import RunContent
    from otel_callbacks._spans.body import Body
    from otel_callbacks.types import OutcomeName, RunInfo, RunType

_REMEMBERED_CLOSED = 4096
_REMEMBERED_ENDED = 2048
"""Ended runs whose place among the traces is known, at least; at most twice as many."""


class RunId(weakref.ref):  # type: ignore[type-arg]
    """A weak reference to LangChain's id object of a run.

    The run's callback manager owns that object: once it is gone, no end event can come any more.
    """

    __slots__ = ("key", "loop", "table")
    key: int
    loop: "AbstractEventLoop | None"
    """The event loop the run started in, if any."""
    table: "RunTable"


class Tree:
    """What all runs below one root share."""

    __slots__ = ("clock_offset", "idle_since")

    def __init__(self, clock_offset: int, now: int) -> None:
        self.clock_offset = clock_offset
        """Nanoseconds from the monotonic clock to Unix time, read once, so that times within a trace agree."""
        self.idle_since = now
        """Monotonic time of the last sweep, start or end that saw the tree alive."""


_NO_ATTRIBUTES: Mapping[str, Any] = MappingProxyType({})
_NO_USAGE: Mapping[str, int] = MappingProxyType({})


class OpenRun:
    """A run between its start and its end, hidden ones included.

    In slots: a default that stands on the class costs seven times as much to read, and most are read in every run.
    """

    __slots__ = (
        "active", "agent", "attributes", "body", "children", "content", "context", "cost_usd", "deferred_inputs",
        "details", "dropped", "error_mark", "failed_attempts", "first_chunk_ns", "id", "inference_calls", "info",
        "inherit", "last_chunk", "last_chunk_ns", "name", "operation", "owner", "parent", "parent_end", "paused",
        "resumes", "retries", "run_type", "single", "span", "start_ns", "streamed", "task", "title", "tool_calls",
        "tree", "usage", "visible", "watched_task",
    )  # fmt: skip

    def __init__(  # noqa: PLR0915 - one statement per slot
        self,
        run_id: RunId,
        start: RunStart,
        parent: "OpenRun | None",
        tree: Tree,
        owner: Owner,
        inherit: Inherited,
        start_ns: int,
    ) -> None:
        self.id = run_id
        self.run_type: RunType = start.run_type
        self.name = start.name
        self.parent = parent
        self.tree = tree
        self.owner = owner
        """Whose run it is; the same events reaching another handler on the provider are ignored."""
        self.start_ns = start_ns
        """Monotonic, like all times here; the tree knows the offset to Unix time."""
        self.children: dict[int, OpenRun] = {}
        self.attributes: Mapping[str, Any] = _NO_ATTRIBUTES
        """What metrics take their dimensions from."""
        self.details: dict[str, Any] = {}
        """Attributes that wait for the end, to be set in one call."""
        self.agent: OpenRun | None = parent.agent if parent is not None else None
        """The nearest agent or graph run, this one included: it counts the calls made below."""
        self.active = True
        """Set by every event, cleared by every sweep."""
        self.dropped = False
        """Suppressed, with all that runs below: neither span nor measurement."""
        self.operation = ""
        self.title = ""
        """The span's name."""
        self.inherit = inherit
        self.inference_calls = 0
        self.tool_calls = 0
        self.cost_usd = 0.0
        """Of all model calls below."""

        self.span: Span | None = None
        """The run's own span; ``None`` where the run is hidden."""
        self.visible: OpenRun | None = None
        """The run whose span children hang on: this one, or the nearest visible ancestor."""
        self.context: Context | None = None
        """A context with the run's span, for children and measurements."""
        self.body: Body | None = None
        """What the run executes; ``None`` where its span is not made current."""

        self.streamed = False
        self.first_chunk_ns = 0
        self.last_chunk_ns = 0
        self.last_chunk: Any = None
        self.deferred_inputs = False
        """A step of a streaming chain: its body pulls from its siblings, so it is no one's unstated parent."""
        self.single = start.single
        """False for one of several prompts that started together: their bodies are not nested."""

        self.error_mark: tuple[Any, ...] | None = None
        """Identity of the exception recorded last in this run or below, so that ancestors do not repeat it."""
        self.retries = 0
        self.task: str | None = None
        """LangGraph's name for what a node run does: the same when the node is tried again, and when resumed."""
        self.failed_attempts: dict[str, int] | None = None
        """Attempts of its nodes' tasks that failed, in a graph."""
        self.resumes: SpanContext | None = None
        """The span in which the same task had paused."""
        self.paused = False
        """A node below asked for a human: LangGraph ends the graph well nevertheless."""
        self.watched_task: Any = None
        self.info: RunInfo | None = None
        """What subscribers are told of the run; kept where there are any."""
        self.usage: Mapping[str, int] = _NO_USAGE
        self.content: RunContent | None = None
        """What the run was given and gave back, where that was asked for."""
        self.parent_end: tuple[int, OutcomeName] | None = None
        """When and how a parent ended that this run outlives."""

    def take(self, plan: SpanPlan) -> None:
        """Become what the plan says."""
        self.operation = plan.operation
        self.title = plan.name
        self.attributes = plan.attributes
        if plan.inherit is not None:
            self.inherit = plan.inherit

    def descendants(self) -> list["OpenRun"]:
        """All open runs below this one, leaves first."""
        found = list(self.children.values())
        for run in found:
            found.extend(run.children.values())
        return found[::-1]


class Caretaker(Protocol):
    """Who closes runs without an end event."""

    def tend(self) -> None:
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
        self.caretakers: weakref.WeakSet[Caretaker] = weakref.WeakSet()
        """Who closes runs without an end event."""
        self.next_sweep_ns = 0
        self._closed: dict[int, None] = {}
        self._ended: dict[int, SpanContext] = {}
        self._ended_before: dict[int, SpanContext] = {}

    def tend(self) -> None:
        """Have what is due closed."""
        for caretaker in list(self.caretakers):
            caretaker.tend()

    def leave(self, run: OpenRun) -> bool:
        """Take the run out; false where somebody else did already, so that each run ends once."""
        key = run.id.key
        if self.open.pop(key, None) is None:
            return False
        self.awaiting.pop(key, None)
        if run.parent is not None:
            run.parent.children.pop(key, None)
        return True

    def remember_ended(self, key: int, place: SpanContext) -> None:
        """Note where an ended run is found. Two dictionaries take turns: the older one is dropped as a whole."""
        self._ended[key] = place
        if len(self._ended) >= _REMEMBERED_ENDED:
            self._ended, self._ended_before = {}, self._ended

    def place(self, key: int) -> SpanContext | None:
        """The span of a run, or of its nearest visible ancestor; ``None`` where it is not known."""
        run = self.open.get(key)
        visible = run.visible if run is not None else None
        if visible is not None and visible.span is not None:
            return visible.span.get_span_context()
        return self._ended.get(key) or self._ended_before.get(key)

    def remember_closed(self, key: int) -> None:
        """Note that a run was closed without its own end event, so that a late one is known as such."""
        self._closed[key] = None
        if len(self._closed) > _REMEMBERED_CLOSED:
            del self._closed[next(iter(self._closed))]

    def forget_closed(self, key: int) -> bool:
        """Whether the run had been closed without its own end event."""
        return self._closed.pop(key, False) is None

    def renew(self) -> None:
        """Forget everything: this process is a fork, the runs belong to its parent."""
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
    """The one table of `provider`."""
    table = _tables.get(provider)
    if table is None:
        table = _tables.setdefault(provider, RunTable())
    return table


def _renew_tables() -> None:
    for table in list(_tables.values()):
        table.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_tables)
