"""The steps of a run's start, in the order in which the recorder takes them."""

import re
from asyncio import _get_running_loop
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from time import perf_counter_ns, time_ns
from typing import Any
from uuid import UUID

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind

from otel_callbacks import semconv
from otel_callbacks._langchain.run_id import TextId, as_uuid, run_key
from otel_callbacks._langchain.run_start import RunStart
from otel_callbacks._mapping import tables, tags
from otel_callbacks._mapping.bounds import LONGEST
from otel_callbacks._mapping.conversation import conversation_id
from otel_callbacks._mapping.records import Inherited, Presence, SpanPlan
from otel_callbacks._runs import attempts
from otel_callbacks._runs.destination import Destination
from otel_callbacks._runs.owner import Owner
from otel_callbacks._runs.pauses import RESUME_LINK
from otel_callbacks._runs.run import EndedRun, OpenRun, RunId, Tree
from otel_callbacks._runs.table import RunTable
from otel_callbacks._spans import current as current_context
from otel_callbacks._spans import suppression
from otel_callbacks._spans.body import Body
from otel_callbacks._spans.late import LateSpan
from otel_callbacks._spans.remote import remote_context, remote_span_context
from otel_callbacks.types import RunInfo

RESUME_KEY = "otel_callbacks.resume"
TRACEPARENT_KEY = "traceparent"

_PLAIN_ID = re.compile(r"\w{1,12}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.ASCII)
"""Ids of conversations that cannot be secrets: the redactor need not be loaded for them."""
_ROOT = Inherited()
_NO_MARKS: Mapping[str, Any] = {}
_STREAMING_INPUTS = {"input": ""}
"""What LangChain reports as inputs of a step whose inputs are still to come."""


def open_run(
    table: RunTable,
    owner: Owner,
    run_id: UUID,
    start: RunStart,
    parent: OpenRun | EndedRun | None,
    runnable_config: Mapping[str, Any] | None,
    on_collected: Callable[[Any], None],
) -> OpenRun:
    """Open a run and enter it into the table, below its parent.

    Args:
        table: The table for it.
        owner: Whose run it is.
        run_id: LangChain's id; the run is over once this object is garbage-collected.
        start: Its start.
        parent: Its parent, which may have ended; ``None`` for a root.
        runnable_config: LangChain's configuration of the Runnable in whose body it starts.
        on_collected: Called with the `RunId` when the id object is gone.
    """
    # Monotonic inside a trace; Unix time is read once per tree, so that a clock that is set back moves no span.
    now = perf_counter_ns()
    ended = above = None
    if isinstance(parent, EndedRun):
        ended, above = parent, table.nearest_open(parent)
    else:
        above = parent
    tree = above.tree if above is not None else Tree(ended.clock_offset if ended is not None else time_ns() - now, now)
    inherited = _with_conversation(parent, start, runnable_config, owner)
    # LangChain sends no end event for many cancelled or abandoned runs; the only sign is that the id object is gone.
    text_id = None
    if type(run_id) is not UUID:
        run_id = as_uuid(run_id)
        text_id = run_id if type(run_id) is TextId else None
    watched = RunId(run_id, on_collected)
    watched.key = run_id.int
    watched.table = table
    watched.loop = _get_running_loop()
    watched.text_id = text_id
    run = OpenRun(watched, start, above, tree, owner, inherited, now)
    # The exact type first: comparing an application's own class may run its code.
    if type(start.inputs) is dict and start.inputs == _STREAMING_INPUTS:
        run.deferred_inputs = True
    if above is not None:
        run.suppressed = above.suppressed
    if ended is not None:
        _hang_below(ended, run, table)
    table.enter(run)
    return run


def _hang_below(parent: EndedRun, run: OpenRun, table: RunTable) -> None:
    """Give a run what it takes over from a parent that has ended."""
    run.ended_parent = parent.key
    run.suppressed = parent.place is None
    # An agent that has ended counts no more, and the ones around it never counted its calls.
    run.agent = table.open.get(parent.agent) if parent.agent is not None else None
    visible = run.visible
    if visible is None or visible.span is None or visible.span.get_span_context() != parent.place:
        run.visible = parent


def _with_conversation(
    parent: OpenRun | EndedRun | None, start: RunStart, runnable_config: Mapping[str, Any] | None, owner: Owner
) -> Inherited:
    """Return what a run inherits, with its conversation."""
    inherited = parent.inherited if parent is not None else _ROOT
    if inherited.conversation_id is not None:
        return inherited
    conversation = conversation_id(start.metadata)
    if conversation is not None:
        return replace(inherited, conversation_id=_without_secrets(conversation, owner))
    # Message histories and newer releases keep it in the configurable part, which only the runs below see.
    configurable = runnable_config.get("configurable") if runnable_config is not None else None
    conversation = conversation_id(configurable) if configurable and type(configurable) is dict else None
    if conversation is None or runnable_config is None:
        return inherited
    inherited = replace(inherited, conversation_id=_without_secrets(conversation, owner))
    if type(parent) is OpenRun and _is_config_of(parent, runnable_config):
        parent.inherited = replace(parent.inherited, conversation_id=inherited.conversation_id)
        parent.end_attributes[semconv.CONVERSATION_ID] = inherited.conversation_id
    return inherited


def _is_config_of(run: OpenRun, runnable_config: Mapping[str, Any]) -> bool:
    """Tell whether a configuration is the one a run hands to the runs below, rather than that of a run in between."""
    run_id = getattr(runnable_config.get("callbacks"), "parent_run_id", None)
    return run_id is not None and run_key(run_id) == run.id.key


def _without_secrets(conversation: str, owner: Owner) -> str:
    if _PLAIN_ID.fullmatch(conversation):
        return conversation
    return owner.redactor.redact_text(conversation)  # some applications put the user's token there


def plan(destination: Destination, run: OpenRun, start: RunStart) -> SpanPlan:
    """Decide what the run becomes."""
    try:
        return tables.PLAN[start.run_type](start, run.inherited, destination.dialect, run.visible is None)
    except Exception as error:  # noqa: BLE001 - whatever a hostile value raises, the run must be recorded
        destination.failed("plan", error)
        return tables.bare_plan(start.run_type)


def is_visible(destination: Destination, run: OpenRun, start: RunStart) -> bool:
    """Tell whether the run gets a span. One without a visible ancestor always does."""
    if run.visible is None:
        return True
    config = run.owner.config
    if run.operation not in tables.VISIBLE[config.detail]:
        return False
    return config.filter is None or allows(destination, "filter", config.filter, start, otherwise=True)


def run_info(start: RunStart) -> RunInfo:
    """Return what the application's callables get of a run."""
    return RunInfo(start.name, start.run_type, tuple(start.tags), start.metadata)


def allows(
    destination: Destination, option: str, condition: Callable[[RunInfo], bool], start: RunStart, *, otherwise: bool
) -> bool:
    """Return what the application's callable says of a run, `otherwise` if it fails."""
    try:
        return bool(condition(run_info(start)))
    except Exception as error:  # noqa: BLE001 - a user's callable never breaks a run
        destination.failed(option, error)
        return otherwise


def start_span(destination: Destination, run: OpenRun, start: RunStart, current: Context, presence: Presence) -> None:
    """Start the run's span and, unless that is switched off, make it current for the run's body."""
    if run.owner.subscribers:
        run.info = run_info(start)
    span = _early_or_late_span(destination, run, start, current, presence)
    if span is None:
        return
    run.span = span
    run.visible = run
    run.context = current_context.with_span(span, current)
    if run.owner.config.propagate:
        _enter_body(destination, run, span, current)
    # Samplers need none of these, and they are set at the end in one call.
    if start.run_type in tables.REQUEST and span.is_recording():
        destination.collect(tables.REQUEST[start.run_type], start, run.end_attributes)
        run.owner.identities.clean(run.end_attributes)


def _early_or_late_span(
    destination: Destination, run: OpenRun, start: RunStart, current: Context, presence: Presence
) -> Span | None:
    """Start the run's span, or have it start when it is needed; ``None`` if only a failure can show it."""
    try:
        attributes = _attributes(destination, run, start)
        links = _links(run, start) if run.visible is None or run.task is not None else None
        context = _parent_context(run, start, current, destination.table)
    except Exception as error:  # noqa: BLE001 - a span or a context of the application's own making
        destination.failed("start_span", error)
        return trace.INVALID_SPAN
    if presence == "always" or _is_shown_anyway(run, attributes, links):
        return _new_span(destination, run, context, attributes, links)
    run.late = LateSpan(partial(_new_span, destination, run, context, attributes, links))
    return run.late if presence == "late" else None


def _is_shown_anyway(run: OpenRun, attributes: Mapping[str, Any], links: list[Link] | None) -> bool:
    """Tell whether the run has a span from its start, although it may do nothing."""
    if run.visible is None or run.owner.config.detail == "all" or semconv.RETRY_ATTEMPT in attributes or links:
        return True
    if run.ended_parent is not None:
        return True
    if run.operation != "graph" or run.parent is None:
        return False
    # A node may run several graphs without a name, even at once; only spans tell whose node is whose.
    is_one_of_several = run.parent.has_graph
    run.parent.has_graph = True
    return is_one_of_several or run.parent.operation != "node"


def _new_span(
    destination: Destination, run: OpenRun, context: Context, attributes: dict[str, Any], links: list[Link] | None
) -> Span:
    try:
        return destination.tracer.start_span(
            run.span_name,
            context=context,
            kind=SpanKind.CLIENT if run.operation in tables.CLIENT_OPERATIONS else SpanKind.INTERNAL,
            attributes=attributes,
            links=links,
            start_time=run.start_ns + run.tree.clock_offset,
        )
    except Exception as error:  # noqa: BLE001 - a sampler or span processor of the application
        destination.failed("start_span", error)
        return trace.INVALID_SPAN


def _enter_body(destination: Destination, run: OpenRun, span: Span, current: Context) -> None:
    table = destination.table
    is_model = run.operation in tables.MODEL_OPERATIONS
    is_silencing = is_model and run.owner.config.suppress_provider_spans
    marks = suppression.marks(table.context_key) if is_silencing else _NO_MARKS
    run.body = Body(run.id.key, span, run.tree, table.bodies, is_model)
    try:
        current_context.enter(run.body, current, table.context_key, marks)
    except Exception as error:  # noqa: BLE001 - a runtime context of the application
        destination.failed("context", error)


def _attributes(destination: Destination, run: OpenRun, start: RunStart) -> dict[str, Any]:
    attributes = dict(run.dimensions)
    if run.operation == semconv.INVOKE_WORKFLOW:
        _put_off_name(run, attributes, destination.dialect.workflow_name)
    if run.inherited.conversation_id is not None:
        attributes[semconv.CONVERSATION_ID] = run.inherited.conversation_id
    run_tags = tags.read(start.tags)
    if run_tags.own:
        attributes[semconv.TAGS] = tuple(map(run.owner.identities.text, run_tags.own))
    attempt = run_tags.retry_attempt or attempts.number(run, start)
    if attempt is not None:
        attributes[semconv.RETRY_ATTEMPT] = attempt
    for key in run.owner.config.metadata_keys:
        value = start.metadata.get(key)
        if isinstance(value, (str, bool, int, float)):
            _put_metadata(destination, run, key, value, attributes)
    return attributes


def _put_off_name(run: OpenRun, attributes: dict[str, Any], name_key: str) -> None:
    """Leave a root's name to its end: an attribute cannot be taken back, and the run may turn out to be an agent."""
    if name_key in attributes:
        run.end_attributes[name_key] = attributes.pop(name_key)


def _put_metadata(destination: Destination, run: OpenRun, key: str, value: Any, out: dict[str, Any]) -> None:
    """Put exported metadata without its secrets, whatever is captured."""
    from otel_callbacks._content.json import plain

    redactor = run.owner.redactor
    try:
        mark = redactor.key_mark(key, value)
        out[semconv.METADATA_PREFIX + key] = plain(value, LONGEST, redactor) if mark is None else mark
    except Exception as error:  # noqa: BLE001 - the value is dropped, the span is not
        destination.failed("redact", error)


def _parent_context(run: OpenRun, start: RunStart, current: Context, table: RunTable) -> Context:
    parent, key = run.visible, table.context_key
    if isinstance(parent, EndedRun):
        return current_context.below_ended(parent.span, table.place, current, key)
    if parent is not None:
        return current_context.below(parent.body, parent.context, parent.span, current, key)
    if run.owner.config.remote_parent:
        remote = remote_context(start.metadata.get(TRACEPARENT_KEY))
        if remote is not None:
            return remote
    return current_context.outside_runs(current)


def _links(run: OpenRun, start: RunStart) -> list[Link] | None:
    """Return the link of a node that resumes, or of a root whose caller names the paused span of another process."""
    paused = run.task.resumes if run.task is not None else None
    if run.visible is None:
        paused = remote_span_context(start.metadata.get(RESUME_KEY))
    return [Link(paused, RESUME_LINK)] if paused is not None else None
