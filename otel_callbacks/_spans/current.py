"""Which OpenTelemetry context a run starts in, and which one it leaves behind.

LangChain runs many end callbacks in a copy of the caller's context, where nothing can be restored. So the span that is
made current heals itself: once the run has ended, it stands for whatever was current before. No detach token is ever
kept, so none can fail.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Literal

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.context import Context

from otel_callbacks._spans.body import Body, innermost
from otel_callbacks._spans.stand_in import StandInSpan

_SPAN_KEY = next(iter(trace.set_span_in_context(trace.INVALID_SPAN, Context())))
"""The key under which the API keeps the current span; it has no public name."""


class SelfHealingSpan(StandInSpan):
    """Stands for a run's span inside the run's body, elsewhere for what was current before it.

    Everything OpenTelemetry does with the current span goes through `get_span_context()`, so new spans, outgoing
    headers and log records follow.

    Args:
        body: The run's body.
        outer: The span that was current before, possibly one of the application's own.
        enclosing: The span of the run in whose body this run started.
    """

    def __init__(self, body: Body, outer: trace.Span, enclosing: "SelfHealingSpan | None") -> None:
        self.body: Body | None = body
        self.outer = outer
        self.enclosing = enclosing
        self.key = body.key

    @cached_property
    def beyond(self) -> dict[str, Any]:
        """What was found below this span, once somebody has looked there."""
        return {}

    def retire(self) -> None:
        """Let go of the run: it is over."""
        self.body = None

    def executing_body(self, *, outside: bool = False) -> Body | None:
        """Return the body this span stands for where the caller is: mostly its own.

        In the thread and task in which the run started, that is the body that is executing, ``None`` outside of all.
        Elsewhere (a worker thread, a task made for the body) the context is trusted.

        Args:
            outside: The caller is known to execute no body, so the stack need not be read again.
        """
        body = self.body
        if body is None:
            return None
        inner = None if outside else innermost(body.bodies)
        if inner is not None:
            return inner if inner.tree is body.tree else body
        return None if body.started_here() else body

    def _target(self) -> trace.Span:
        span: trace.Span = self
        outside = False
        while type(span) is SelfHealingSpan:
            if span.body is None:
                span = _live(span)
                continue
            body = span.executing_body(outside=outside)
            if body is not None:
                return body.span
            outside = True
            span = _elsewhere(span, "outer")
        return span

    def end(self, end_time: int | None = None) -> None:
        """Do nothing: the run ends its span, not the code that runs inside it."""


def with_span(span: trace.Span, context: Context) -> Context:
    """Return `context` with another current span."""
    return Context({**context, _SPAN_KEY: span})


def executing_body(current: Context, key: str) -> Body | None:
    """Return the innermost open body that executes the calling code, whatever else is current.

    Args:
        current: The caller's context.
        key: The context key of the run's table.
    """
    span: Any = current.get(key)
    outside = False
    while type(span) is SelfHealingSpan:
        if span.body is None:
            span = _live_enclosing(span)
            continue
        body = span.executing_body(outside=outside)
        if body is not None:
            return body
        outside = True
        span = _elsewhere(span, "enclosing")
    return None


def outside_runs(current: Context) -> Context:
    """Return `current` without the spans of runs: the application's own span is current, or none."""
    span: Any = current.get(_SPAN_KEY)
    return with_span(_outermost(span), current) if type(span) is SelfHealingSpan else current


def below(parent: Body | None, context: Context | None, span: trace.Span | None, current: Context, key: str) -> Context:
    """Return the context in which a child run starts.

    A span that the application opened inside the parent's body stays in between.

    Args:
        parent: The parent's body; ``None`` where spans are not made current.
        context: A context with the parent's span.
        span: The parent's span.
        current: The caller's context.
        key: The context key of the parent's table.
    """
    if parent is not None and current is parent.entered and context is not None:
        return context
    around = _current_span(current)
    is_of_application = type(around) is not SelfHealingSpan and around.is_recording()
    if is_of_application and parent is not None and executing_body(current, key) is parent:
        return current
    return with_span(span or trace.INVALID_SPAN, current)


def below_ended(
    parent: trace.Span, place: Callable[[int], trace.SpanContext | None], current: Context, key: str
) -> Context:
    """Return the context in which a child of an ended run starts.

    A span that the application opened inside the parent's body stays in between.

    Args:
        parent: Stands for the parent's span.
        place: Returns the place of a run by the integer of its id.
        current: The caller's context.
        key: The context key of the parent's table.
    """
    around = _current_span(current)
    if type(around) is not SelfHealingSpan and around.is_recording():
        enclosing: Any = current.get(key)
        while type(enclosing) is SelfHealingSpan and enclosing.body is None:
            if place(enclosing.key) == parent.get_span_context():
                return current
            enclosing = enclosing.enclosing
    return with_span(parent, current)


def enter(body: Body, current: Context, key: str, marks: Mapping[str, Any]) -> None:
    """Make the span of `body` current.

    Args:
        body: The body of a run that starts.
        current: The caller's context, to be restored when the run ends.
        key: The context key of the run's table.
        marks: Further entries for the context.
    """
    # Dead spans are skipped here and below, so that those of ended runs never chain up.
    enclosing: Any = current.get(key)
    if type(enclosing) is SelfHealingSpan and enclosing.body is None:
        enclosing = _live_enclosing(enclosing)
    outer: Any = current.get(_SPAN_KEY)
    if type(outer) is not SelfHealingSpan or outer.body is None:
        outer = _live(_current_span(current))
    healing = SelfHealingSpan(body, outer, enclosing)
    # Under our own key as well: an application's span may become the current one inside the body.
    entered = Context({**current, **marks, _SPAN_KEY: healing, key: healing})
    context_api.attach(entered)  # the token is thrown away: detaching fails in every other context
    body.healing, body.entered, body.before = healing, entered, current
    if body.code is not None:
        body.bodies[body.frame] = body


def leave(body: Body) -> None:
    """Let go of the span of `body`, and restore what was current where that is still possible."""
    if body.bodies.get(body.frame) is body:
        del body.bodies[body.frame]
    healing, before = body.healing, body.before
    if healing is None or before is None:
        return
    healing.retire()
    # Only where ours is still current: elsewhere, setting it would take away what somebody else has made current.
    current = context_api.get_current()
    if current is body.entered or current.get(_SPAN_KEY) is healing:
        previous: Any = before.get(_SPAN_KEY)
        is_over = type(previous) is SelfHealingSpan and previous.body is None
        context_api.attach(with_span(_live(previous), before) if is_over else before)


def _current_span(context: Context) -> trace.Span:
    """Return the span that `context` holds, a self-healing one as such."""
    span = context.get(_SPAN_KEY)
    if type(span) is SelfHealingSpan:
        return span  # `isinstance` on an abstract class costs 4 000 instructions, 3 % of a run
    return span if span is not None and isinstance(span, trace.Span) else trace.INVALID_SPAN


def _live(span: trace.Span) -> trace.Span:
    """Return `span`, or what it stands for once its run is over."""
    while type(span) is SelfHealingSpan and span.body is None:
        below = span.outer
        if type(below) is SelfHealingSpan and below.body is None:
            span.outer = below.outer  # halves the way for the next one
        span = span.outer
    return span


def _live_enclosing(span: SelfHealingSpan | None) -> SelfHealingSpan | None:
    """Return `span`, or the nearest one around it whose run is not over."""
    while type(span) is SelfHealingSpan and span.body is None:
        around = span.enclosing
        if type(around) is SelfHealingSpan and around.body is None:
            span.enclosing = around.enclosing
        span = span.enclosing
    return span


# Runs that never end leave their spans in the context, one below the other. So that it does not matter how many there
# are, each way down is walked once, and remembered at the span where it began.


def forget(span: SelfHealingSpan) -> None:
    """Let a span go that was left in a context, with those below it that are over as well."""
    span.outer = _live(span.outer)
    span.enclosing = _live_enclosing(span.enclosing)


def _elsewhere(start: SelfHealingSpan, link: Literal["outer", "enclosing"]) -> Any:
    """Return the first open span below `start` that stands for no run of the same thread and task."""
    if link in start.beyond:
        return start.beyond[link]
    body, span = start.body, getattr(start, link)
    while type(span) is SelfHealingSpan and body is not None:
        if span.body is not None:
            if not span.body.started_with(body):
                break
            if link in span.beyond:
                span = span.beyond[link]
                continue
        span = getattr(span, link)
    start.beyond[link] = span
    return span


def _outermost(start: SelfHealingSpan) -> trace.Span:
    """Return the first span below `start` that stands for no run."""
    span: trace.Span = start
    while type(span) is SelfHealingSpan:
        span = span.beyond.get("application") or span.outer
    start.beyond["application"] = span
    return span
