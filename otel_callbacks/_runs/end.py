"""The end of a run: what its span still gets, what is measured, and the context that is left behind."""

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import Span, Status, StatusCode, format_span_id, format_trace_id

from otel_callbacks import semconv
from otel_callbacks._mapping import error as errors
from otel_callbacks._mapping import model, tables
from otel_callbacks._mapping.records import Ending
from otel_callbacks._mapping.usage import Usage
from otel_callbacks._mapping.usage import usage as usage_of
from otel_callbacks._runs import attempts, late
from otel_callbacks._runs.destination import Destination
from otel_callbacks._runs.pauses import remember_pause
from otel_callbacks._runs.run import CallCounts, OpenRun
from otel_callbacks._spans import current as current_context
from otel_callbacks._spans.body import Body
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
    """End a run that has left the table. Never raises: whatever fails, its span ends and its context is left."""
    now = perf_counter_ns()
    end_ns = now if end.at_ns is None else end.at_ns
    if run.parent_end is not None:
        end_ns = _not_long_after_parent(run, run.parent_end[0], end_ns)
    ending = end.ending
    run.tree.idle_since = now
    destination.instruments.runs[run.run_type, ending.outcome] += 1
    try:
        if run.late is not None:
            late.settle(run, run.late, ending.outcome, end.result, end.error)
        is_recording = run.span is not None and run.span.is_recording()
        response, usage = _read_result(destination, run, end.result, is_recording=is_recording)
        # Dimensions first: price and measurements read the response model and the error type from them.
        if response or ending.outcome != "ok":
            _complete_dimensions(run, ending, response)
        if usage is not None and run.owner.prices is not None and not usage.from_cache:
            _price(destination, run, run.owner.prices, usage)
        if run.span is not None and is_recording:
            if ending.outcome == "interrupted":
                run.span.add_event(semconv.EVENT_INTERRUPT)  # most UIs show events, and few show our outcome
            _complete_span(run, run.span, end, response, usage)
        if end.error is not None:
            _note_error(run, ending, end.error)
        if ending.outcome == "error" or run.run_type == "tool":
            attempts.note(run, failed=ending.outcome == "error")
        _measure(destination, run, ending, response, usage, (end_ns - run.start_ns) / 1e9)
    except Exception as failure:  # noqa: BLE001 - a hostile value must not keep the span open
        destination.failed("end", failure)
    finally:
        if run.span is not None:
            _end_span(destination, run, run.span, end_ns)
        # After the span's end, so that processors which look at the current span still see this one.
        if run.body is not None:
            _leave_body(destination, run.body)
        if run.children:
            _orphan_children(destination, run, ending, end_ns, now)
        if run.info is not None and run.span is not None:
            _notify_subscribers(destination, run, run.span, run.info, ending, end_ns)
        run.visible = run.agent = None  # both may be the run itself: without the cycle it is freed at once


def _not_long_after_parent(run: OpenRun, parent_end_ns: int, end_ns: int) -> int:
    """Return the parent's end for a run that ends just after it, but never a time before the run's own start."""
    return end_ns if end_ns - parent_end_ns >= GRACE_NS else max(min(end_ns, parent_end_ns), run.start_ns)


def _read_result(
    destination: Destination, run: OpenRun, result: Any, *, is_recording: bool
) -> tuple[dict[str, Any], Usage | None]:
    """Return the attributes that a result gives, and the usage of a model call."""
    response: dict[str, Any] = {}
    if result is None:
        return response, None
    is_model = run.operation in tables.MODEL_OPERATIONS
    if run.run_type in tables.RESPONSE and (is_recording or is_model):
        destination.collect(tables.RESPONSE[run.run_type], result, response)
    usage = usage_of(result) if is_model else None
    if usage is not None:
        run.usage = usage.counts
    return response, usage


def _complete_dimensions(run: OpenRun, ending: Ending, response: Mapping[str, Any]) -> None:
    """Add what only the end shows to the attributes that metrics take their labels from."""
    if semconv.RESPONSE_MODEL in response:
        run.dimensions = {**run.dimensions, semconv.RESPONSE_MODEL: response[semconv.RESPONSE_MODEL]}
    if ending.error_type is not None:
        run.dimensions = {**run.dimensions, semconv.ERROR_TYPE: ending.error_type}
    if ending.outcome not in _UNMARKED:
        run.dimensions = {**run.dimensions, semconv.OUTCOME: ending.outcome}


def _price(destination: Destination, run: OpenRun, prices: "Prices", usage: Usage) -> None:
    """Put what the call cost on its span, and into the totals of the runs around it."""
    usd = prices.cost(run.dimensions, usage.counts)
    destination.instruments.cost(usd, run.dimensions, run.inherited.agent_name)
    if usd is None:
        return
    run.end_attributes[semconv.COST_USD] = usd
    # Every ancestor, hidden or not: any of them may turn out to be an agent or a workflow.
    around = run.parent
    while around is not None:
        around.cost_usd += usd
        around = around.parent


def _complete_span(run: OpenRun, span: Span, end: RunEnd, response: dict[str, Any], usage: Usage | None) -> None:
    ending = end.ending
    attributes = run.end_attributes
    if response:
        attributes.update(response)
    attributes.update(ending.attributes)
    if run.retries:
        attributes[semconv.RETRY_COUNT] = run.retries
    if run.stream is not None:
        _put_stream(run, end, attributes)
    if usage is not None:
        attributes.update({semconv.CACHE_HIT: True} if usage.from_cache else usage.counts)
    if run.cost_usd and run.operation in _TOTALS:
        attributes[semconv.COST_TOTAL_USD] = run.cost_usd
    if ending.error_type is not None:
        attributes[semconv.ERROR_TYPE] = ending.error_type
        span.set_status(Status(StatusCode.ERROR, ending.error_type))
    if run.content is not None:
        run.content.add_outputs(run.operation, ending, end.result, end.error)
        attributes.update(run.content.attributes)
    if attributes:
        attributes[semconv.OUTCOME] = ending.outcome
        span.set_attributes(attributes)
    else:
        span.set_attribute(
            semconv.OUTCOME, ending.outcome
        )  # for a single attribute this costs a third of `set_attributes`
    if run.content is not None:
        # Last, as it needs what the SDK has kept of the attributes.
        run.content.settle(span, run.context, {**run.dimensions, **attributes})


def _put_stream(run: OpenRun, end: RunEnd, out: dict[str, Any]) -> None:
    out[semconv.REQUEST_STREAM] = True
    first_chunk_s = _first_chunk_s(run)
    if first_chunk_s is not None:
        out[semconv.RESPONSE_TIME_TO_FIRST_CHUNK] = first_chunk_s
    if end.ending.outcome != "ok" and end.result is not None:
        out[semconv.STREAM_PARTIAL_LENGTH] = model.text_length(end.result)


def _first_chunk_s(run: OpenRun) -> float | None:
    if run.stream is None or not run.stream.first_chunk_ns:
        return None
    return (run.stream.first_chunk_ns - run.start_ns) / 1e9


def _note_error(run: OpenRun, ending: Ending, error: BaseException) -> None:
    """Record the exception once, where it happened; runs it passes through on its way up get only the status."""
    parent = run.parent
    mark = errors.mark(error)
    if ending.error_type is not None and run.error_mark != mark:
        visible = run.visible
        if visible is not None and visible.span is not None and visible.span.is_recording():
            visible.span.add_event(semconv.EVENT_EXCEPTION, _exception(error, ending.error_type, visible.content))
    if parent is not None:
        parent.error_mark = mark
        if ending.outcome == "interrupted":
            parent.paused = True  # LangGraph reports the graph itself as successful
    if ending.outcome == "interrupted" and run.task is not None:
        visible = run.visible
        if visible is not None and visible.span is not None:
            # The node that paused is what a resume links to.
            remember_pause(run.task.name, visible.span.get_span_context())


def _exception(error: BaseException, error_type: str, content: "RunContent | None") -> dict[str, Any]:
    attributes: dict[str, Any] = {
        semconv.EXCEPTION_TYPE: error_type,
        semconv.EXCEPTION_STACKTRACE: errors.stack(error),
    }
    status = errors.status_code(error)
    if status is not None:
        attributes[semconv.HTTP_STATUS_CODE] = status
    message = content.text(error) if content is not None else None
    if message is not None:
        attributes[semconv.EXCEPTION_MESSAGE] = message
    return attributes


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
        instruments.model_call(
            seconds,
            run.dimensions,
            context,
            first_chunk_s=_first_chunk_s(run),
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
        destination.table.remember_ended(run.id.key, span.get_span_context())
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
    destination: Destination, run: OpenRun, span: Span, info: RunInfo, ending: Ending, end_ns: int
) -> None:
    place = span.get_span_context()
    summary = RunSummary(
        run=info,
        operation=run.operation,
        span_name=run.span_name,
        outcome=ending.outcome,
        error_type=ending.error_type,
        trace_id=format_trace_id(place.trace_id),
        span_id=format_span_id(place.span_id),
        duration_s=(end_ns - run.start_ns) / 1e9,
        usage=run.usage,
        cost_usd=run.end_attributes.get(semconv.COST_USD),
    )
    for subscriber in list(run.owner.subscribers.values()):
        try:
            subscriber(summary)
        except Exception as error:  # noqa: BLE001 - one subscriber harms neither the run nor the others
            destination.failed("subscriber", error)
