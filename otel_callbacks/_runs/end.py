"""The end of a run: what its span still gets, what is measured, and the context that is left behind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import Span, Status, StatusCode, format_span_id, format_trace_id

from otel_callbacks import semconv
from otel_callbacks._mapping import error as errors
from otel_callbacks._mapping import model, tables
from otel_callbacks._mapping.cost import stated_cost
from otel_callbacks._mapping.records import Ending, Usage
from otel_callbacks._mapping.usage import usage as usage_of
from otel_callbacks._runs import attempts, late
from otel_callbacks._runs.destination import Destination
from otel_callbacks._runs.pauses import remember_pause
from otel_callbacks._runs.run import CallCounts, OpenRun
from otel_callbacks._spans import current as current_context
from otel_callbacks._spans.body import Body
from otel_callbacks._spans.late import LateSpan
from otel_callbacks.types import RunInfo, RunSummary

if TYPE_CHECKING:
    from otel_callbacks._content.capture import RunContent
    from otel_callbacks._metrics.prices import Prices

GRACE_NS = 250_000_000
"""How long a run may outlive its parent and still count as ending with it: streams end from the outside in."""

_TOTALS = frozenset({semconv.INVOKE_AGENT, semconv.INVOKE_WORKFLOW})
_UNMARKED = frozenset({"ok", "error"})
"""Outcomes that duration metrics do not spell out: `error.type` tells them apart."""


@dataclass(slots=True)
class RunEnd:
    """How a run ended, and with what."""

    ending: Ending
    result: Any = None
    """What it gave back; of a failed model, what it had answered until then."""
    error: BaseException | None = None
    at_ns: int | None = None
    """Monotonic time; ``None``: now."""


def finish(destination: Destination, run: OpenRun, end: RunEnd) -> None:  # noqa: C901, PLR0912 - one story in one place
    """End a run that has left the table. Never raises.

    Each part that runs foreign code has a guard of its own, and its failure is counted under the part's name: whatever
    does not depend on that part is recorded.
    """
    now = perf_counter_ns()
    end_ns = now if end.at_ns is None else end.at_ns
    if run.parent_end is not None:
        end_ns = _not_long_after_parent(run, run.parent_end[0], end_ns)
    seconds = (end_ns - run.start_ns) / 1e9
    if run.stream is not None and run.stream.first_chunk_ns > end_ns:
        run.stream.first_chunk_ns = end_ns  # the end is the parent's, and what the run did after it counts as then
    ending = end.ending
    run.tree.idle_since = now
    destination.instruments.runs[run.run_type, ending.outcome] += 1
    try:
        if run.late is not None:
            _settle_late(destination, run, run.late, end)
        recording = _recording_span(destination, run.span) if run.span is not None else None
        response, usage = _read_result(destination, run, end, is_recording=recording is not None)
        # Dimensions first: price and measurements read the response model and the error type from them.
        if response or ending.outcome != "ok":
            _complete_dimensions(run, ending, response)
        if run.owner.prices is not None and run.operation in tables.MODEL_OPERATIONS:
            _price(destination, run, run.owner.prices, end.result, usage)
        if recording is not None:
            if ending.outcome == "interrupted":
                _show_pause(destination, recording)
            _complete_span(destination, run, recording, end, response, usage)
        if end.error is not None:
            _note_error(destination, run, ending, end.error)
        if ending.outcome == "error" or run.run_type == "tool":
            attempts.note(run, failed=ending.outcome == "error")
        _measure(destination, run, ending, response, usage, seconds)
    except Exception as failure:  # noqa: BLE001 - nothing foreign is left above, but closing counts on it
        destination.failed("end", failure)
    finally:
        if run.span is not None:
            _end_span(destination, run, run.span, end_ns)
        # After the span's end, so that processors which look at the current span still see this one.
        if run.body is not None:
            _leave_body(destination, run.body)
        if run.children and ending.outcome != "abandoned":  # otherwise they go on as if nothing had happened
            _orphan_children(destination, run, ending, end_ns, now)
        if run.info is not None and run.span is not None:
            _notify_subscribers(destination, run, run.span, run.info, ending, seconds)
        run.visible = run.agent = None  # both may be the run itself: without the cycle it is freed at once


def _not_long_after_parent(run: OpenRun, parent_end_ns: int, end_ns: int) -> int:
    """Return the parent's end for a run that ends just after it, but never a time before the run's own start."""
    return end_ns if end_ns - parent_end_ns >= GRACE_NS else max(min(end_ns, parent_end_ns), run.start_ns)


def _settle_late(destination: Destination, run: OpenRun, span: LateSpan, end: RunEnd) -> None:
    is_own_failure = end.error is not None and _mark(end.error, run) != run.error_mark
    try:
        late.settle(run, span, end.ending.outcome, end.result, is_own_failure=is_own_failure)
    except Exception as failure:  # noqa: BLE001 - whatever a hostile result raises
        destination.failed("late_span", failure)


def _show_pause(destination: Destination, span: Span) -> None:
    try:
        span.add_event(semconv.EVENT_INTERRUPT)  # most UIs show events, and few show our outcome
    except Exception as failure:  # noqa: BLE001 - a span of the application's own making
        destination.failed("pause", failure)


def _recording_span(destination: Destination, span: Span) -> Span | None:
    """Return the span if it takes attributes."""
    try:
        return span if span.is_recording() else None
    except Exception as failure:  # noqa: BLE001 - a span of the application's own making
        destination.failed("attributes", failure)
        return None


def _read_result(
    destination: Destination, run: OpenRun, end: RunEnd, *, is_recording: bool
) -> tuple[dict[str, Any], Usage | None]:
    """Return the attributes that a result gives, and the usage of a model call."""
    response: dict[str, Any] = {}
    usage: Usage | None = None
    is_model = run.operation in tables.MODEL_OPERATIONS
    if end.result is not None and run.run_type in tables.RESPONSE and (is_recording or is_model):
        destination.collect(tables.RESPONSE[run.run_type], end.result, response)
        clean(destination, run, response)
    if is_model:
        try:
            usage = usage_of(end.result, end.error)
        except Exception as failure:  # noqa: BLE001 - whatever a hostile result raises
            destination.failed("usage", failure)
        if usage is not None:
            run.usage = usage.counts
            if usage.is_discrepancy:
                destination.discrepancy("usage")
    return response, usage


def clean(destination: Destination, run: OpenRun, attributes: dict[str, Any]) -> None:
    """Remove secrets from what a run reports; if they cannot be searched for, nothing of it leaves."""
    try:
        run.owner.identities.clean(attributes)
    except Exception as failure:  # noqa: BLE001 - a redactor of the application's own making
        attributes.clear()
        destination.failed("redact", failure)


def _complete_dimensions(run: OpenRun, ending: Ending, response: Mapping[str, Any]) -> None:
    """Add what only the end shows to the attributes that metrics take their labels from."""
    if semconv.RESPONSE_MODEL in response:
        run.dimensions = {**run.dimensions, semconv.RESPONSE_MODEL: response[semconv.RESPONSE_MODEL]}
    if ending.error_type is not None:
        run.dimensions = {**run.dimensions, semconv.ERROR_TYPE: ending.error_type}
    if ending.outcome not in _UNMARKED:
        run.dimensions = {**run.dimensions, semconv.OUTCOME: ending.outcome}


def _price(destination: Destination, run: OpenRun, prices: "Prices", result: Any, usage: Usage | None) -> None:
    """Put what the call cost on its span, and into the totals of the runs around it."""
    if usage is not None and usage.from_cache:
        return
    cost = None
    try:
        stated = stated_cost(result, run.dimensions.get(semconv.PROVIDER_NAME))
        if stated.is_discrepancy:
            destination.discrepancy("cost")
        cost = prices.cost(run.dimensions, usage, stated.cost)
    except Exception as failure:  # noqa: BLE001 - a price list that cannot deal with these counts
        destination.failed("price", failure)  # counts as unpriced: it is missing in the sums of cost
    if cost is not None:
        run.end_attributes[semconv.COST_USD] = cost.usd
        run.end_attributes[semconv.COST_SOURCE] = cost.source
        # Every ancestor, hidden or not: any of them may turn out to be an agent or a workflow.
        around = run.parent
        while around is not None:
            around.cost_usd += cost.usd
            around = around.parent
    if cost is not None or usage is not None:  # a call without usage is counted as that, not as unpriced
        destination.instruments.cost(cost, run.dimensions, run.inherited.agent_name)


def _complete_span(
    destination: Destination, run: OpenRun, span: Span, end: RunEnd, response: dict[str, Any], usage: Usage | None
) -> None:
    ending = end.ending
    attributes = run.end_attributes
    if response:
        attributes.update(response)
    attributes.update(ending.attributes)
    if run.retries:
        attributes[semconv.RETRY_COUNT] = run.retries
    if run.stream is not None:
        _put_stream(destination, run, end, attributes)
    if usage is not None:
        attributes.update({semconv.CACHE_HIT: True} if usage.from_cache else usage.counts)
    if run.cost_usd and run.operation in _TOTALS:
        attributes[semconv.COST_TOTAL_USD] = run.cost_usd
    if ending.error_type is not None:
        attributes[semconv.ERROR_TYPE] = ending.error_type
        _set_status(destination, span, ending.error_type)
    if run.content is not None:
        _put_content(destination, run, run.content, end, attributes)
    _set_attributes(destination, span, attributes, ending.outcome)
    if run.content is not None:
        # Last, as it needs what the SDK has kept of the attributes.
        _settle_content(destination, run, run.content, span)


def _put_stream(destination: Destination, run: OpenRun, end: RunEnd, out: dict[str, Any]) -> None:
    out[semconv.REQUEST_STREAM] = True
    first_chunk_s, first_visible_s = _first_chunks_s(run)
    if first_chunk_s is not None:
        out[semconv.RESPONSE_TIME_TO_FIRST_CHUNK] = first_chunk_s
    if first_visible_s is not None:
        out[semconv.TIME_TO_FIRST_VISIBLE_CHUNK] = first_visible_s
    if end.ending.outcome != "ok" and end.result is not None:
        try:
            out[semconv.STREAM_PARTIAL_LENGTH] = model.text_length(end.result)
        except Exception as failure:  # noqa: BLE001 - whatever a hostile result raises
            destination.failed("stream", failure)


def _first_chunks_s(run: OpenRun) -> tuple[float | None, float | None]:
    """Return the seconds to the first chunk, and to the first that is more than reasoning if that is a later one."""
    stream = run.stream
    if stream is None or not stream.first_chunk_ns:
        return None, None
    first_s = (stream.first_chunk_ns - run.start_ns) / 1e9
    is_later = stream.first_visible_ns > stream.first_chunk_ns
    return first_s, (stream.first_visible_ns - run.start_ns) / 1e9 if is_later else None


def _set_attributes(destination: Destination, span: Span, attributes: dict[str, Any], outcome: str) -> None:
    try:
        if attributes:
            attributes[semconv.OUTCOME] = outcome
            span.set_attributes(attributes)
        else:
            span.set_attribute(semconv.OUTCOME, outcome)  # for a single attribute a third of `set_attributes`
    except Exception as failure:  # noqa: BLE001 - a span of the application's own making
        destination.failed("attributes", failure)


def _set_status(destination: Destination, span: Span, error_type: str) -> None:
    try:
        span.set_status(Status(StatusCode.ERROR, error_type))
    except Exception as failure:  # noqa: BLE001 - a span of the application's own making
        destination.failed("status", failure)


def _put_content(
    destination: Destination, run: OpenRun, content: "RunContent", end: RunEnd, out: dict[str, Any]
) -> None:
    try:
        content.add_outputs(run.operation, end.ending, end.result, end.error)
    except Exception as failure:  # noqa: BLE001 - whatever a hostile exception raises
        destination.failed("content", failure)
    out.update(content.attributes)


def _settle_content(destination: Destination, run: OpenRun, content: "RunContent", span: Span) -> None:
    try:
        content.settle(span, run.context, {**run.dimensions, **run.end_attributes})
    except Exception as failure:  # noqa: BLE001 - a logger provider or log processor of the application
        destination.failed("content", failure)


def _note_error(destination: Destination, run: OpenRun, ending: Ending, error: BaseException) -> None:
    """Record the exception once, where it happened; runs it passes through on its way up get only the status."""
    parent = run.parent if run.ended_parent is None else None
    visible = run.visible.span if run.visible is not None else None
    mark = _mark(error, run)
    if ending.error_type is not None and run.error_mark != mark and visible is not None:
        _record_exception(destination, run, visible, error)
    if parent is not None:
        parent.error_mark = mark
        if ending.outcome == "interrupted":
            parent.paused = True  # LangGraph reports the graph itself as successful
    if ending.outcome == "interrupted" and run.task is not None and visible is not None:
        _remember_pause(destination, run.task.name, visible)


_MARK = "_otel_callbacks_first_run"
_attributes_of: Callable[[BaseException], dict[str, Any]] = BaseException.__dict__["__dict__"].__get__


def _mark(error: BaseException, run: OpenRun) -> int:
    """Return what tells an exception from all others: the first run that it ended.

    The exception itself carries it. Its id would be reused by the next one, most classes of Python's own cannot be
    referenced weakly, and a reference would keep the frames of the application alive.
    """
    try:
        mark: int = _attributes_of(error).setdefault(_MARK, run.id.key)
    except TypeError:  # a caller of the hook passed something else
        return run.id.key
    return mark


def _remember_pause(destination: Destination, task: str, span: Span) -> None:
    """Note the node that paused: it is what a resume links to."""
    try:
        remember_pause(task, span.get_span_context())
    except Exception as failure:  # noqa: BLE001 - a span of the application's own making
        destination.failed("pause", failure)


def _record_exception(destination: Destination, run: OpenRun, span: Span, error: BaseException) -> None:
    try:
        if span.is_recording():
            content = run.visible.content if run.visible is not None else None
            attributes: dict[str, Any] = {}
            destination.collect(errors.describe, error, attributes, "exception")
            message = content.text(error) if content is not None else None
            if message is not None:
                attributes[semconv.EXCEPTION_MESSAGE] = message
            span.add_event(semconv.EVENT_EXCEPTION, attributes)
    except Exception as failure:  # noqa: BLE001 - a span of the application's own making
        destination.failed("exception", failure)


def _measure(
    destination: Destination,
    run: OpenRun,
    ending: Ending,
    response: Mapping[str, Any],
    usage: Usage | None,
    seconds: float,
) -> None:
    instruments = destination.instruments
    agent = run.agent
    context = run.visible.context if run.visible is not None else None
    if run.operation in tables.MODEL_OPERATIONS:
        if agent is not None and agent.calls is not None:
            agent.calls.inference += 1
        first_chunk_s, first_visible_s = _first_chunks_s(run)
        instruments.model_call(
            seconds,
            run.dimensions,
            context,
            agent=run.inherited.agent_name,
            first_chunk_s=first_chunk_s,
            first_visible_s=first_visible_s,
            usage=usage,
            finish_reasons=response.get(semconv.RESPONSE_FINISH_REASONS, ()),
            is_usage_expected=ending.outcome == "ok" and run.single,
        )
        return
    dimensions = run.dimensions
    if run.operation == "node":
        dimensions = {**dimensions, **_whose_node(run, destination.dialect)}
    instruments.duration(run.operation, seconds, dimensions, context)
    if run.operation == semconv.INVOKE_AGENT:
        calls = run.calls or CallCounts()
        instruments.agent_calls(calls.inference, calls.tool, run.dimensions, context)
    elif agent is run:
        _hand_on_calls(run)
    elif agent is not None and agent.calls is not None and run.operation == semconv.EXECUTE_TOOL:
        agent.calls.tool += 1


def _whose_node(node: OpenRun, dialect: semconv.Dialect) -> dict[str, Any]:
    """Return the agent of a node, else its workflow: nodes of many graphs have the same names."""
    if node.inherited.agent_name is not None:
        return {semconv.AGENT_NAME: node.inherited.agent_name}
    root = node
    while root.parent is not None:
        root = root.parent
    return {semconv.WORKFLOW: root.dimensions.get(dialect.workflow_name)}


def _hand_on_calls(graph: OpenRun) -> None:
    """Give the calls of a graph that did not turn out to be an agent to the agent around it."""
    agent = graph.parent.agent if graph.parent is not None else None
    if agent is not None and agent.calls is not None and graph.calls is not None:
        agent.calls.inference += graph.calls.inference
        agent.calls.tool += graph.calls.tool


def _end_span(destination: Destination, run: OpenRun, span: Span, end_ns: int) -> None:
    try:
        span.end(end_ns + run.tree.clock_offset)
    except Exception as error:  # noqa: BLE001 - a span processor of the application
        destination.failed("end_span", error)


def _leave_body(destination: Destination, body: Body) -> None:
    try:
        current_context.leave(body)
    except Exception as error:  # noqa: BLE001 - a runtime context of the application
        destination.failed("context", error)


def _orphan_children(destination: Destination, run: OpenRun, ending: Ending, end_ns: int, now: int) -> None:
    """Give open descendants a moment to end by themselves; streams end from the outside in."""
    for child in run.descendants():
        if child.parent_end is None:
            child.parent_end = end_ns, ending.outcome
            destination.table.orphans.append((now + GRACE_NS, child))


def _notify_subscribers(
    destination: Destination, run: OpenRun, span: Span, info: RunInfo, ending: Ending, seconds: float
) -> None:
    try:
        place = span.get_span_context()
    except Exception as error:  # noqa: BLE001 - a span of the application's own making
        destination.failed("subscriber", error)
        return
    summary = RunSummary(
        run=info,
        operation=run.operation,
        span_name=run.span_name,
        outcome=ending.outcome,
        error_type=ending.error_type,
        trace_id=format_trace_id(place.trace_id),
        span_id=format_span_id(place.span_id),
        duration_s=seconds,
        usage=run.usage,
        cost_usd=run.end_attributes.get(semconv.COST_USD),
    )
    for subscriber in list(run.owner.subscribers.values()):
        try:
            subscriber(summary)
        except Exception as error:  # noqa: BLE001 - one subscriber harms neither the run nor the others
            destination.failed("subscriber", error)
