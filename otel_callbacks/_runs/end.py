"""Ending a run: what its span still gets, what is measured, and the context that is left behind."""

from collections.abc import Mapping
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from opentelemetry.context import Context
from opentelemetry.trace import Span, Status, StatusCode, format_span_id, format_trace_id

from otel_callbacks import _mapping, semconv
from otel_callbacks._mapping import error as errors
from otel_callbacks._mapping import model
from otel_callbacks._mapping.records import Ending
from otel_callbacks._mapping.usage import Usage
from otel_callbacks._mapping.usage import usage as usage_of
from otel_callbacks._metrics.instruments import Instruments
from otel_callbacks._runs import pauses as _links
from otel_callbacks._runs.destination import Pipeline
from otel_callbacks._runs.run import OpenRun
from otel_callbacks._spans import current as _context
from otel_callbacks.types import RunInfo, RunSummary

if TYPE_CHECKING:
    from otel_callbacks._content.capture import RunContent
    from otel_callbacks._metrics.prices import Prices

GRACE_NS = 250_000_000
"""How long a run may outlive its parent and still be taken for its last breath: streams end outside in."""

_TOTALS = frozenset({semconv.INVOKE_AGENT, semconv.INVOKE_WORKFLOW})
_UNMARKED = frozenset({"ok", "error"})
"""Outcomes that duration metrics do not spell out: `error.type` tells them apart."""


def finish(
    pipeline: Pipeline,
    run: OpenRun,
    ending: Ending,
    result: Any = None,
    error: BaseException | None = None,
    end_ns: int | None = None,
) -> None:
    """End a run that has left the table. `end_ns`: monotonic; now by default."""
    now = perf_counter_ns()
    if end_ns is None:
        end_ns = now
    if run.parent_end is not None and end_ns - run.parent_end[0] < GRACE_NS:
        # A run that ends just after its parent ended with it, or when it began, if that was later still.
        end_ns = max(min(end_ns, run.parent_end[0]), run.start_ns)
    run.tree.idle_since = now
    pipeline.instruments.runs[run.run_type, ending.outcome] += 1
    try:
        _describe(pipeline, run, ending, result, error, end_ns)
    except Exception as failure:  # noqa: BLE001 - a hostile value must not keep the span open
        pipeline.failed("end", failure)
    finally:
        _close_span(pipeline, run, end_ns)
        if run.children:
            _orphan_children(pipeline, run, ending, end_ns, now)
        if run.info is not None and run.span is not None:
            _tell_subscribers(pipeline, run, run.span, run.info, ending, end_ns)
        run.visible = run.agent = None  # both may be the run itself: without the cycle it is freed at once


def _describe(
    pipeline: Pipeline, run: OpenRun, ending: Ending, result: Any, error: BaseException | None, end_ns: int
) -> None:
    is_model = run.operation in _mapping.MODEL_OPERATIONS
    recording = run.span is not None and run.span.is_recording()
    usage: Usage | None = None
    response: dict[str, Any] = {}
    if result is not None and run.run_type in _mapping.RESPONSE and (recording or is_model):
        pipeline.collect(_mapping.RESPONSE[run.run_type], result, response)
    if is_model and result is not None:
        usage = usage_of(result)
        if usage is not None:
            run.usage = usage.counts
    if response or ending.outcome != "ok":
        _label(run, ending, response)
    if usage is not None and run.owner.prices is not None and not usage.from_cache:
        _price(pipeline, run, run.owner.prices, usage)
    context = run.visible.context if run.visible is not None else None
    if recording and run.span is not None:
        _complete_span(run, run.span, ending, response, usage, result, error)
    if error is not None:
        _tell_ancestors(run, ending, error)
    _measure(pipeline, run, ending, response, usage, end_ns, context, is_model=is_model)


def _price(pipeline: Pipeline, run: OpenRun, prices: "Prices", usage: Usage) -> None:
    """What the call cost goes on its span and into the totals of the runs around it."""
    usd = prices.cost(run.attributes, usage.counts)
    pipeline.instruments.cost(usd, run.attributes, run.inherit.agent_name)
    if usd is None:
        return
    run.details[semconv.COST_USD] = usd
    around = run.parent
    while around is not None:
        around.cost_usd += usd
        around = around.parent


def _label(run: OpenRun, ending: Ending, response: Mapping[str, Any]) -> None:
    """Complete the attributes that metrics take their dimensions from."""
    if semconv.RESPONSE_MODEL in response:
        run.attributes = {**run.attributes, semconv.RESPONSE_MODEL: response[semconv.RESPONSE_MODEL]}
    if ending.error_type is not None:
        run.attributes = {**run.attributes, semconv.ERROR_TYPE: ending.error_type}
    if ending.outcome not in _UNMARKED:
        run.attributes = {**run.attributes, semconv.OUTCOME: ending.outcome}


def _complete_span(
    run: OpenRun,
    span: Span,
    ending: Ending,
    response: dict[str, Any],
    usage: Usage | None,
    result: Any,
    error: BaseException | None,
) -> None:
    attributes = run.details
    if response:
        attributes.update(response)
    attributes.update(ending.attributes)
    if run.retries:
        attributes[semconv.RETRY_COUNT] = run.retries
    if run.streamed:
        _put_streaming(run, ending, result, attributes)
    if usage is not None:
        attributes.update({semconv.CACHE_HIT: True} if usage.from_cache else usage.counts)
    if run.cost_usd and run.operation in _TOTALS:
        attributes[semconv.COST_TOTAL_USD] = run.cost_usd
    if ending.error_type is not None:
        attributes[semconv.ERROR_TYPE] = ending.error_type
        span.set_status(Status(StatusCode.ERROR, ending.error_type))
    if run.content is not None:
        attributes.update(run.content.finish(run.operation, ending, result, error))
    if attributes:
        attributes[semconv.OUTCOME] = ending.outcome
        span.set_attributes(attributes)
    else:
        span.set_attribute(semconv.OUTCOME, ending.outcome)  # a third of the cost of the plural form for one
    if run.content is not None:
        run.content.settle(span, run.context, run.attributes, attributes)


def _put_streaming(run: OpenRun, ending: Ending, result: Any, out: dict[str, Any]) -> None:
    out[semconv.REQUEST_STREAM] = True
    if run.first_chunk_ns:
        out[semconv.RESPONSE_TIME_TO_FIRST_CHUNK] = (run.first_chunk_ns - run.start_ns) / 1e9
    if ending.outcome != "ok" and result is not None:
        out[semconv.STREAM_PARTIAL_LENGTH] = model.text_length(result)


def _tell_ancestors(run: OpenRun, ending: Ending, error: BaseException) -> None:
    """Record the exception once, where it happened; runs it passes through on its way up only get the status."""
    parent = run.parent
    mark = errors.mark(error)
    if ending.error_type is not None and run.error_mark != mark:
        visible = run.visible
        if visible is not None and visible.span is not None and visible.span.is_recording():
            visible.span.add_event(semconv.EVENT_EXCEPTION, _exception(error, ending.error_type, visible.content))
    if parent is not None:
        parent.error_mark = mark
        if ending.outcome == "interrupted":
            parent.paused = True
        elif run.task is not None and ending.outcome == "error":
            _count_attempt(parent, run.task)
    if ending.outcome == "interrupted":
        _remember_pause(run)


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


def _count_attempt(graph: OpenRun, task: str) -> None:
    """LangGraph's ``RetryPolicy`` does not number its attempts."""
    if graph.failed_attempts is None:
        graph.failed_attempts = {}
    graph.failed_attempts[task] = graph.failed_attempts.get(task, 0) + 1


def _remember_pause(run: OpenRun) -> None:
    """The node that paused is what a resume links to."""
    visible = run.visible.span if run.visible else None
    if run.task is not None and visible is not None:
        _links.remember_pause(run.task, visible.get_span_context())


def _measure(
    pipeline: Pipeline,
    run: OpenRun,
    ending: Ending,
    response: Mapping[str, Any],
    usage: Usage | None,
    end_ns: int,
    context: Context | None,
    *,
    is_model: bool,
) -> None:
    seconds = (end_ns - run.start_ns) / 1e9
    agent = run.agent
    if is_model:
        if agent is not None:
            agent.inference_calls += 1
        _measure_model(pipeline.instruments, run, ending, response, usage, seconds, context)
        return
    pipeline.instruments.duration(run.operation, seconds, run.attributes, context)
    if run.operation == semconv.INVOKE_AGENT:
        pipeline.instruments.agent_calls(run.inference_calls, run.tool_calls, run.attributes, context)
    elif agent is run:
        _hand_on_calls(run)
    elif agent is not None and run.operation == semconv.EXECUTE_TOOL:
        agent.tool_calls += 1


def _hand_on_calls(graph: OpenRun) -> None:
    """A graph that did not turn out to be an agent: its calls are those of the agent around it."""
    agent = graph.parent.agent if graph.parent is not None else None
    if agent is not None:
        agent.inference_calls += graph.inference_calls
        agent.tool_calls += graph.tool_calls


def _measure_model(
    instruments: Instruments,
    run: OpenRun,
    ending: Ending,
    response: Mapping[str, Any],
    usage: Usage | None,
    seconds: float,
    context: Context | None,
) -> None:
    labels = instruments.model_labels(run.attributes)
    instruments.model_duration(seconds, labels, context)
    if run.first_chunk_ns:
        instruments.first_chunk((run.first_chunk_ns - run.start_ns) / 1e9, labels, context)
    if usage is None:
        if ending.outcome == "ok" and run.single:
            instruments.usage_missing(labels)
    elif not usage.from_cache:
        instruments.usage(usage, labels, context)
    reasons = response.get(semconv.RESPONSE_FINISH_REASONS)
    if reasons:
        instruments.finish_reasons(reasons, labels)


def _close_span(pipeline: Pipeline, run: OpenRun, end_ns: int) -> None:
    if run.span is not None:
        try:
            run.span.end(end_ns + run.tree.clock_offset)
            pipeline.table.remember_ended(run.id.key, run.span.get_span_context())
        except Exception as error:  # noqa: BLE001 - a span processor of the application
            pipeline.failed("end_span", error)
    body = run.body
    if body is not None:
        _context.forget(body)
        if body.healing is not None and body.before is not None:
            body.healing.retire()
            try:
                _context.leave(body, body.healing, body.before)
            except Exception as error:  # noqa: BLE001 - a runtime context of the application
                pipeline.failed("context", error)
    if run.watched_task is not None:
        task, callback = run.watched_task[0](), run.watched_task[1]
        if task is not None:
            task.remove_done_callback(callback)


def _tell_subscribers(pipeline: Pipeline, run: OpenRun, span: Span, info: RunInfo, ending: Ending, end_ns: int) -> None:
    place = span.get_span_context()
    summary = RunSummary(
        run=info,
        operation=run.operation,
        span_name=run.title,
        outcome=ending.outcome,
        error_type=ending.error_type,
        trace_id=format_trace_id(place.trace_id),
        span_id=format_span_id(place.span_id),
        duration_s=(end_ns - run.start_ns) / 1e9,
        usage=run.usage,
        cost_usd=run.details.get(semconv.COST_USD),
    )
    for subscriber in list(run.owner.subscribers.values()):
        try:
            subscriber(summary)
        except Exception as error:  # noqa: BLE001 - one subscriber harms neither the run nor the others
            pipeline.failed("subscriber", error)


def _orphan_children(pipeline: Pipeline, run: OpenRun, ending: Ending, end_ns: int, now: int) -> None:
    """Open descendants get a moment to end by themselves; streams end from the outside in."""
    for child in run.descendants():
        if child.parent_end is None:
            child.parent_end = end_ns, ending.outcome
            pipeline.table.orphans.append((now + GRACE_NS, child))
