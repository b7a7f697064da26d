"""Opening a run: its parent, its plan, its span, and the context its body runs in."""

import asyncio
import re
import weakref
from asyncio import _get_running_loop
from collections.abc import Callable, Mapping
from dataclasses import replace
from time import perf_counter_ns, time_ns
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind

from otel_callbacks import _mapping, semconv
from otel_callbacks._langchain.place import child_config
from otel_callbacks._langchain.run_start import RunStart
from otel_callbacks._mapping import chain, tags
from otel_callbacks._mapping.bounds import LONGEST
from otel_callbacks._mapping.records import Inherited, SpanPlan
from otel_callbacks._runs import pauses as _links
from otel_callbacks._runs import recognition as _recognition
from otel_callbacks._runs.destination import Pipeline
from otel_callbacks._runs.owner import Owner
from otel_callbacks._runs.run import OpenRun, RunId, RunTable, Tree
from otel_callbacks._spans import current as _context
from otel_callbacks._spans import suppression as _suppression
from otel_callbacks._spans.body import Body
from otel_callbacks.config import Config
from otel_callbacks.types import RunInfo

if TYPE_CHECKING:
    from uuid import UUID

RESUME_KEY = "otel_callbacks.resume"
TRACEPARENT_KEY = "traceparent"
_RESUME_LINK = {semconv.LINK_KIND: "resume"}
_SUB_GRAPH = "|"
"""Separates the levels in LangGraph's name for a node's task."""

_PLAIN_ID = re.compile(r"\w{1,12}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.ASCII)
"""Ids of conversations that can be no secret: redaction needs not be loaded for them."""
_ROOT = Inherited()
_NO_MARKS: Mapping[str, Any] = {}
_CALL_WITHOUT_PARENT = frozenset({"chat", "llm", "retriever", "tool"})
"""Run types whose body may call models without passing on that they are the parent."""
_STREAMING_INPUTS = {"input": ""}
"""What LangChain reports as inputs of a step whose inputs are still to come."""


def open_run(
    pipeline: Pipeline,
    owner: Owner,
    run_id: "UUID",
    parent_run_id: "UUID | None",
    start: RunStart,
    current: Context,
    on_collected: Callable[[Any], None],
) -> OpenRun:
    """Enter a new run into the table, below its parent. `on_collected`: called when LangChain drops the run's id."""
    table = pipeline.table
    config = child_config()
    parent = _parent(table, parent_run_id, config) or _implicit_parent(table, current)
    now = perf_counter_ns()
    tree = parent.tree if parent else Tree(time_ns() - now, now)
    inherit = _with_conversation(parent.inherit if parent else _ROOT, start, config, owner)
    run = OpenRun(_watched(run_id, table, on_collected), start, parent, tree, owner, inherit, now)
    tree.idle_since = now
    if type(start.inputs) is dict and start.inputs == _STREAMING_INPUTS:
        run.deferred_inputs = True
    table.open[run_id.int] = run
    if parent is not None:
        parent.children[run_id.int] = run
        run.dropped = parent.dropped
    return run


def _parent(table: RunTable, parent_run_id: "UUID | None", config: Mapping[str, Any] | None) -> OpenRun | None:
    """The parent LangChain states, unless the run in whose body we are, as its own context tells, knows better.

    ``with_fallbacks`` hands its own configuration to its alternatives, so they state its parent: they are recognised
    by being called from the body of a child of that parent. Runs nobody announced are no parents.
    """
    enclosing = None
    if config is not None:
        enclosing_id = getattr(config.get("callbacks"), "parent_run_id", None)
        if enclosing_id is not None:
            enclosing = table.open.get(enclosing_id.int)
            if enclosing_id is parent_run_id:  # as nearly always
                return enclosing
    stated = table.open.get(parent_run_id.int) if parent_run_id is not None else None
    if stated is None:
        return enclosing
    if enclosing is not None and enclosing.parent is stated and not enclosing.deferred_inputs:
        return enclosing
    return stated


def _implicit_parent(table: RunTable, current: Context) -> OpenRun | None:
    """A model, tool or retriever whose body makes calls that state no parent.

    Not one of several that started together: they are not in each other's body.
    """
    body = _context.enclosing(current, table.context_key)
    run = table.open.get(body.key) if body is not None else None
    if run is None or run.body is not body or run.run_type not in _CALL_WITHOUT_PARENT or not run.single:
        return None
    return run


def _watched(run_id: "UUID", table: RunTable, on_collected: Callable[[Any], None]) -> RunId:
    """LangChain leaves many a cancelled or abandoned run without an end event; its id object tells."""
    watched = RunId(run_id, on_collected)
    watched.key = run_id.int
    watched.table = table
    watched.loop = _get_running_loop()
    return watched


def _with_conversation(
    inherited: Inherited, start: RunStart, config: Mapping[str, Any] | None, owner: Owner
) -> Inherited:
    """Message histories keep the conversation in the configurable part, which only child runs can see."""
    if inherited.conversation_id is not None:
        return inherited
    found = _mapping.conversation_id(start.metadata)
    if found is None and config is not None:
        configurable = config.get("configurable")
        found = _mapping.conversation_id(configurable) if configurable and type(configurable) is dict else None
    if found is None:
        return inherited
    if not _PLAIN_ID.fullmatch(found):  # some applications put the user's token there
        found = owner.redactor.redact_text(found)
    return replace(inherited, conversation_id=found)


def begin(pipeline: Pipeline, config: Config, run: OpenRun, start: RunStart, current: Context) -> None:
    """Decide what the run becomes and, where it is visible, start its span."""
    parent = run.parent
    plan = _plan(pipeline, run, start)
    run.take(plan)
    if plan.operation == semconv.INVOKE_AGENT:
        run.agent = run
    if parent is not None:
        run.visible = parent.visible
    if plan.operation == "node":
        _recognition.by_node(run)
        _recognise_task(run, start)
    elif start.name in chain.PARTS_OF_AGENTS:
        _recognition.by_part(run, start)
    if run.visible is None or _shows(pipeline, config, run, start):
        _start_span(pipeline, config, run, start, current)
    if plan.operation in _mapping.MODEL_OPERATIONS:
        pipeline.table.awaiting[run.id.key] = run


def _recognise_task(run: OpenRun, start: RunStart) -> None:
    """Find out whether the node goes on where it had paused; the graph a caller resumed then links there, too."""
    task = start.metadata.get("langgraph_checkpoint_ns")
    if not isinstance(task, str):
        return
    run.task = task
    run.resumes = _links.pause(task)
    graph = run.visible.span if run.visible is not None else None
    if run.resumes is not None and graph is not None and _SUB_GRAPH not in task:
        graph.add_link(run.resumes, _RESUME_LINK)


def _plan(pipeline: Pipeline, run: OpenRun, start: RunStart) -> SpanPlan:
    try:
        return _mapping.PLAN[start.run_type](start, run.inherit, pipeline.dialect, run.parent is None)
    except Exception as error:  # noqa: BLE001 - whatever a hostile value raises, the run must be recorded
        pipeline.failed("plan", error)
        return _mapping.bare_plan(start)


def _shows(pipeline: Pipeline, config: Config, run: OpenRun, start: RunStart) -> bool:
    if run.operation not in _mapping.VISIBLE[config.detail]:
        return False
    return config.filter is None or allows(pipeline, "filter", config.filter, start, otherwise=True)


def info(start: RunStart) -> RunInfo:
    """What the application's callables are told of a run."""
    return RunInfo(start.name, start.run_type, tuple(start.tags), start.metadata)


def allows(
    pipeline: Pipeline, option: str, ask: Callable[[RunInfo], bool], start: RunStart, *, otherwise: bool
) -> bool:
    """What the application's callable says of a run, `otherwise` where it fails."""
    try:
        return bool(ask(info(start)))
    except Exception as error:  # noqa: BLE001 - a user's callable never breaks a run
        pipeline.failed(option, error)
        return otherwise


def _start_span(pipeline: Pipeline, config: Config, run: OpenRun, start: RunStart, current: Context) -> None:
    key = pipeline.table.context_key
    try:
        span = pipeline.tracer.start_span(
            run.title,
            context=_parent_context(config, run.visible, start, current, key),
            kind=SpanKind.CLIENT if run.operation in _mapping.CLIENT_OPERATIONS else SpanKind.INTERNAL,
            attributes=_attributes(pipeline, config, run, start),
            links=_links_of(run, start) if run.parent is None or run.resumes is not None else None,
            start_time=run.start_ns + run.tree.clock_offset,
        )
    except Exception as error:  # noqa: BLE001 - a sampler or span processor of the application
        pipeline.failed("start_span", error)
        span = trace.INVALID_SPAN
    run.span = span
    run.visible = run
    run.context = _context.with_span(span, current)
    if config.propagate:
        _enter(pipeline, config, run, span, current)
    if start.run_type in _mapping.REQUEST and span.is_recording():
        pipeline.collect(_mapping.REQUEST[start.run_type], start, run.details)


def _enter(pipeline: Pipeline, config: Config, run: OpenRun, span: Span, current: Context) -> None:
    table = pipeline.table
    is_model = run.operation in _mapping.MODEL_OPERATIONS
    marks = _suppression.marks(table.context_key) if is_model and config.suppress_provider_spans else _NO_MARKS
    run.body = Body(run.id.key, span, run.tree, table.bodies, is_model)
    try:
        _context.enter(run.body, current, table.context_key, marks)
    except Exception as error:  # noqa: BLE001 - a runtime context of the application
        pipeline.failed("context", error)


def _attributes(pipeline: Pipeline, config: Config, run: OpenRun, start: RunStart) -> dict[str, Any]:
    attributes = dict(run.attributes)
    if run.inherit.conversation_id is not None:
        attributes[semconv.CONVERSATION_ID] = run.inherit.conversation_id
    known = tags.read(start.tags)
    if known.own:
        attributes[semconv.TAGS] = known.own
    attempt = known.retry_attempt or (_attempt_of_task(run.parent, run.task) if run.task is not None else None)
    if attempt is not None:
        attributes[semconv.RETRY_ATTEMPT] = attempt
    for key in config.metadata_keys:
        value = start.metadata.get(key)
        if isinstance(value, (str, bool, int, float)):
            _put_metadata(pipeline, run, key, value, attributes)
    return attributes


def _put_metadata(pipeline: Pipeline, run: OpenRun, key: str, value: Any, out: dict[str, Any]) -> None:
    """Metadata that was asked for, but no secret in it, whatever is captured."""
    from otel_callbacks._content.json import plain

    redactor = run.owner.redactor
    try:
        shown = redactor.hidden(key, value)
        out[semconv.METADATA_PREFIX + key] = plain(value, LONGEST, redactor) if shown is None else shown
    except Exception as error:  # noqa: BLE001 - the value is dropped, the span is not
        pipeline.failed("redact", error)


def _attempt_of_task(graph: OpenRun | None, task: str) -> int | None:
    failed = graph.failed_attempts if graph is not None else None
    return failed[task] + 1 if failed is not None and task in failed else None


def _parent_context(config: Config, parent: OpenRun | None, start: RunStart, current: Context, key: str) -> Context:
    if parent is not None:
        return _context.below(parent.body, parent.context, parent.span, current, key)
    if config.remote_parent:
        remote = _context.remote_context(start.metadata.get(TRACEPARENT_KEY))
        if remote is not None:
            return remote
    return _context.outside_runs(current)


def _links_of(run: OpenRun, start: RunStart) -> list[Link] | None:
    """A node that goes on where it had paused, and a root whose caller names where, in another process."""
    paused = run.resumes
    if run.parent is None:
        paused = _context.remote_span_context(start.metadata.get(RESUME_KEY))
    return [Link(paused, _RESUME_LINK)] if paused is not None else None


def watch_task(run: OpenRun, on_task_done: "Callable[[int, asyncio.Task[Any]], None]") -> None:
    """Have a root run closed when its task is cancelled: nothing else may tell of it."""
    if run.id.loop is None:
        return
    task = asyncio.current_task(run.id.loop)
    if task is not None:
        key = run.id.key

        def on_done(done: "asyncio.Task[Any]") -> None:
            on_task_done(key, done)

        task.add_done_callback(on_done)
        run.watched_task = weakref.ref(task), on_done  # weakly: a task's result may be what owns the run's id
