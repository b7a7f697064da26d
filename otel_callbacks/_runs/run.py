"""An open run, and what belongs to it."""

import weakref
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN_CONTEXT, NonRecordingSpan, Span, SpanContext, set_span_in_context

from otel_callbacks._langchain.run_id import TextId
from otel_callbacks._langchain.run_start import RunStart
from otel_callbacks._mapping.records import Ending, Inherited, SpanPlan
from otel_callbacks._runs.owner import Owner

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from otel_callbacks._content.capture import RunContent
    from otel_callbacks._spans.body import Body
    from otel_callbacks._spans.late import LateSpan
    from otel_callbacks.types import OutcomeName, RunInfo, RunType

_NO_ATTRIBUTES: Mapping[str, Any] = MappingProxyType({})
_NO_USAGE: Mapping[str, int] = MappingProxyType({})
_ONE_PROMPT = (None, 1)


class RunId(weakref.ref):  # type: ignore[type-arg]
    """A weak reference to LangChain's id object of a run.

    The run's callback manager owns that object: once it is gone, no end event can come any more.
    """

    __slots__ = ("key", "loop", "table", "text_id")
    key: int
    """The integer of the id."""
    text_id: TextId | None
    """Keeps the id object alive where it stands for a text: nothing tells when LangChain drops a text."""
    loop: "AbstractEventLoop | None"
    """The event loop the run started in, if any."""
    table: Any
    """The table that holds the run."""


class Tree:
    """What all runs below one root share."""

    __slots__ = ("clock_offset", "idle_since", "inner", "last_start_ns", "runs")

    def __init__(self, clock_offset: int, now: int) -> None:
        self.clock_offset = clock_offset
        """Nanoseconds from the monotonic clock to Unix time, read once, so that times within a trace agree."""
        self.idle_since = now
        """Monotonic time of the latest start, end, or chunk that the handler looked at."""
        self.last_start_ns = now
        self.runs: dict[int, OpenRun] = {}
        """Its open runs by the integer of their id, oldest first, without those in `inner`."""
        self.inner: dict[int, OpenRun] = {}
        """Runs that were seen to have open children when something had to be given up."""


class Stream:
    """The chunks of a model run that streams."""

    __slots__ = ("first_chunk_ns", "first_visible_ns", "last_chunk", "last_chunk_ns")

    def __init__(self) -> None:
        self.first_chunk_ns = 0
        """When the first chunk with content came; 0 before that."""
        self.first_visible_ns = 0
        """When the first chunk came that is more than reasoning; 0 before that."""
        self.last_chunk_ns = 0
        self.last_chunk: Any = None


class GraphTask:
    """The task of a graph's node run."""

    __slots__ = ("name", "resumes")

    def __init__(self, name: str, resumes: SpanContext | None) -> None:
        self.name = name
        """LangGraph's name for it: the same when the node is tried again, and when it is resumed."""
        self.resumes = resumes
        """The span in which the same task had paused."""


class CallCounts:
    """Calls made below an agent or graph run."""

    __slots__ = ("inference", "tool")

    def __init__(self) -> None:
        self.inference = 0
        self.tool = 0


class FailedStep(NamedTuple):
    """A step whose failure should end its graph, unless somebody handles it."""

    graph: "OpenRun"
    ending: Ending
    end_ns: int
    is_caller_executing: Callable[[], bool]
    """Tells whether what called the step goes on: it may try again."""


class EndedRun(NamedTuple):
    """What is remembered of a run that has ended: what a run that starts below it takes over.

    It takes the place of the visible ancestor (`OpenRun.visible`) of such a run.
    """

    key: int
    id: Callable[[], object] | None
    """Returns LangChain's id object while that lives; ``None`` for an id given as text."""
    place: SpanContext | None
    """Of the run's span, or of its nearest visible ancestor's; ``None`` for a suppressed run."""
    inherited: Inherited
    clock_offset: int
    parent: int | None
    """The key of its parent."""
    agent: int | None
    """The key of the nearest agent or graph run, itself included."""

    @property
    def content(self) -> None:
        """Nothing is captured any more."""

    @property
    def late(self) -> None:
        """Its span has started."""

    @property
    def span(self) -> Span:
        """A span that stands for the ended one as a parent, and ignores everything else."""
        return NonRecordingSpan(self.place or INVALID_SPAN_CONTEXT)

    @property
    def context(self) -> Context:
        """A context with that span."""
        return set_span_in_context(self.span, Context())


class OpenRun:
    """A run between its start and its end, hidden ones included.

    Uses slots: reading a class-level default takes seven times as long, and most attributes are read in every run.
    """

    __slots__ = (
        "agent", "attempts", "body", "calls", "children", "content", "context", "cost_usd", "deferred_inputs",
        "dimensions", "end_attributes", "ended_parent", "error_mark", "has_graph", "id", "info", "inherited", "late",
        "messages", "name", "operation", "owner", "parent", "parent_end", "paused", "retries", "run_type", "single",
        "span", "span_name", "start_ns", "stream", "suppressed", "task", "tree", "usage", "visible", "watched_task",
    )  # fmt: skip

    def __init__(  # noqa: PLR0915 - one statement for each slot
        self,
        run_id: RunId,
        start: RunStart,
        parent: "OpenRun | None",
        tree: Tree,
        owner: Owner,
        inherited: Inherited,
        start_ns: int,
    ) -> None:
        # Who it is
        self.id = run_id
        self.run_type: RunType = start.run_type
        self.name = start.name
        self.owner = owner
        """Whose run it is; the same events reaching another handler on the provider are ignored."""
        self.start_ns = start_ns
        """Monotonic, like all times here; the tree knows the offset to Unix time."""
        self.info: RunInfo | None = None
        """What subscribers get of the run; kept only if there are any."""
        self.single = start.batch_size in _ONE_PROMPT
        """False for one of several prompts that started together: their bodies are not nested."""

        # Where it stands
        self.parent = parent
        """The parent, or the nearest open ancestor if the parent had ended before."""
        self.ended_parent: int | None = None
        """The key of the parent, if that had ended before this run started."""
        self.children: dict[int, OpenRun] = {}
        self.tree = tree
        self.agent: OpenRun | None = parent.agent if parent is not None else None
        """The nearest agent or graph run, this one included: it counts the calls made below."""
        self.visible: OpenRun | EndedRun | None = parent.visible if parent is not None else None
        """The run whose span children hang on: this one, or the nearest visible ancestor; ``None`` in a root until it
        has its span."""
        self.inherited = inherited
        self.task: GraphTask | None = None
        """Set for a graph's node."""

        # What it becomes
        self.operation = ""
        self.span_name = ""
        self.dimensions: Mapping[str, Any] = _NO_ATTRIBUTES
        """Attributes set at the start; metrics take their labels from them."""
        self.end_attributes: dict[str, Any] = {}
        """Attributes that wait for the end, to be set in one call."""
        self.span: Span | None = None
        """The run's own span; ``None`` where the run is hidden."""
        self.late: LateSpan | None = None
        """The run's span if it starts only when something needs it; `span` as well unless it waits for a failure."""
        self.context: Context | None = None
        """A context with the run's span, for children and measurements."""
        self.body: Body | None = None
        """What the run executes; ``None`` where its span is not made current."""
        self.content: RunContent | None = None
        """What captures the run's content, if capture is on."""

        # What happens to it
        self.suppressed = False
        """Neither span nor measurement, for all that runs below as well."""
        self.deferred_inputs = False
        """A step of a streaming chain: its inputs come at its end, and its body pulls from its siblings, so runs that
        state no parent are not its children."""
        self.stream: Stream | None = None
        self.messages: list[Any] | None = None
        """What a chat model got."""
        self.retries = 0
        self.paused = False
        """A node below waits for a person; LangGraph still ends the graph successfully."""
        self.parent_end: tuple[int, OutcomeName] | None = None
        """When and how the parent ended, if this run outlives it."""
        self.watched_task: Any = None
        """A weak reference to the task a root started in, and its done-callback."""

        # What comes up from below
        self.has_graph = False
        """A graph without a name has started in it."""
        self.calls: CallCounts | None = None
        """Set for an agent or graph."""
        self.cost_usd = 0.0
        """Of all model calls below."""
        self.usage: Mapping[str, int] = _NO_USAGE
        self.error_mark: int | None = None
        """Mark of the exception recorded last in this run or below, so that ancestors do not repeat it."""
        self.attempts: dict[Any, int] | None = None
        """How often each thing that children attempted has failed, see `attempts`; 0 for a tool call that succeeded."""

    def adopt(self, plan: SpanPlan) -> None:
        """Become what the plan says, without secrets in its names."""
        plan = self.owner.identities.plan(plan)
        self.operation = plan.operation
        self.span_name = plan.name
        self.dimensions = plan.attributes
        if plan.inherit is not None:
            self.inherited = plan.inherit

    def parent_key(self) -> int | None:
        """Return the key of the parent, open or ended."""
        if self.ended_parent is not None or self.parent is None:
            return self.ended_parent
        return self.parent.id.key

    def descendants(self) -> list["OpenRun"]:
        """Return all open runs below this one, leaves first."""
        runs = list(self.children.values())
        for run in runs:
            runs.extend(run.children.values())
        return runs[::-1]
