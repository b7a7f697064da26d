"""Which OpenTelemetry context a run starts in, and which it leaves behind.

LangChain runs many end callbacks in a copy of the caller's context, where nothing can be restored. So the span that is
made current heals itself: once the run has ended it stands for whatever was current before. No detach token is ever
kept, hence none can fail.
"""

from collections.abc import Mapping
from typing import Any

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from otel_callbacks._spans.body import Body, innermost

_SPAN_KEY = next(iter(trace.set_span_in_context(trace.INVALID_SPAN, Context())))
"""The key the API keeps the current span under; it has no public name."""
_PROPAGATOR = TraceContextTextMapPropagator()


class SelfHealingSpan(trace.Span):
    """Stands for a run's span inside the run's body, elsewhere for what was current before it.

    Everything OpenTelemetry does with the current span goes through `get_span_context()`, so new spans, outgoing
    headers and log records follow.
    """

    def __init__(self, body: Body, outer: trace.Span, enclosing: "SelfHealingSpan | None") -> None:
        self.body: Body | None = body
        self.outer = outer
        self.enclosing = enclosing
        """The span of the run in whose body this run started; `outer` may be one of the application's own."""

    def retire(self) -> None:
        """The run is over: let go of it."""
        self.body = None

    def executing(self, *, outside: bool = False) -> Body | None:
        """The body this span stands for where the caller is: mostly its own.

        In the thread and task where the run started it is the run whose body is executing, ``None`` outside of all;
        elsewhere (a worker thread, a task made for the body) the context is trusted.

        Args:
            outside: the caller is known to execute no body, so that the stack needs not be read again.
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
        while type(span) is SelfHealingSpan:
            body = span.executing()
            if body is not None:
                return body.span
            span = span.outer
        return span

    def get_span_context(self) -> trace.SpanContext:
        return self._target().get_span_context()

    def is_recording(self) -> bool:
        return self._target().is_recording()

    def set_attribute(self, key: str, value: Any) -> None:
        self._target().set_attribute(key, value)

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        self._target().set_attributes(attributes)

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        self._target().add_event(name, attributes, timestamp)

    def add_link(self, context: trace.SpanContext, attributes: Any = None) -> None:
        self._target().add_link(context, attributes)

    def update_name(self, name: str) -> None:
        self._target().update_name(name)

    def set_status(self, status: Any, description: str | None = None) -> None:
        self._target().set_status(status, description)

    def record_exception(self, exception: BaseException, *args: Any, **kwargs: Any) -> None:
        self._target().record_exception(exception, *args, **kwargs)

    def end(self, end_time: int | None = None) -> None:
        """The run ends its span, not the code that runs inside it."""

    def __getattr__(self, name: str) -> Any:
        """What else a span of the SDK has (`name`, `attributes`, `parent`), for code that reads it."""
        return getattr(self._target(), name)


def current_span(context: Context) -> trace.Span:
    """The span `context` holds, a self-healing one as it is."""
    span = context.get(_SPAN_KEY)
    if type(span) is SelfHealingSpan:
        return span  # asking an abstract class for its instances costs 4 000 instructions, 3 % of a run
    return span if span is not None and isinstance(span, trace.Span) else trace.INVALID_SPAN


def with_span(span: trace.Span, context: Context) -> Context:
    """`context` with another current span."""
    return Context({**context, _SPAN_KEY: span})


def live(span: trace.Span) -> trace.Span:
    """`span`, or what a healed one stands for: never a span of a run that is over."""
    while type(span) is SelfHealingSpan and span.body is None:
        span = span.outer
    return span


def enclosing(current: Context, key: str) -> Body | None:
    """The innermost open body in which we are, whatever else is current."""
    span = current.get(key)
    outside = False
    while type(span) is SelfHealingSpan:
        body = span.executing(outside=outside)
        if body is not None:
            return body
        outside = outside or span.body is not None
        span = span.enclosing
    return None


def outside_runs(current: Context) -> Context:
    """`current` without the spans of runs: the application's own span is current, or none."""
    span: Any = current.get(_SPAN_KEY)
    if type(span) is not SelfHealingSpan:
        return current
    while type(span) is SelfHealingSpan:
        span = span.outer
    return with_span(span, current)


def below(parent: Body | None, context: Context | None, span: trace.Span | None, current: Context, key: str) -> Context:
    """The context in which a child starts.

    A span the application opened inside the parent's body stays in between.

    Args:
        parent: the parent's body; ``None`` where spans are not propagated.
        context: a context with the parent's span.
        span: the parent's span.
        current: the caller's context.
        key: the context key of the parent's table.
    """
    if parent is not None and current is parent.entered and context is not None:
        return context
    around = current_span(current)
    own = type(around) is not SelfHealingSpan and around.is_recording()
    if own and parent is not None and enclosing(current, key) is parent:
        return current
    return with_span(span or trace.INVALID_SPAN, current)


def enter(body: Body, current: Context, key: str, marks: Mapping[str, Any]) -> None:
    """Make the span of `body` current in it. `marks`: further values the body's context carries."""
    around: Any = current.get(key)
    while type(around) is SelfHealingSpan and around.body is None:
        around = around.enclosing
    outer: Any = current.get(_SPAN_KEY)
    if type(outer) is not SelfHealingSpan or outer.body is None:
        outer = live(current_span(current))
    healing = SelfHealingSpan(body, outer, around)
    entered = Context({**current, **marks, _SPAN_KEY: healing, key: healing})
    context_api.attach(entered)
    body.healing, body.entered, body.before = healing, entered, current
    if body.code is not None:
        body.bodies[body.frame] = body


def forget(body: Body) -> None:
    """The body is over: its frame's id may be used again."""
    if body.bodies.get(body.frame) is body:
        del body.bodies[body.frame]


def leave(body: Body, healing: SelfHealingSpan, before: Context) -> None:
    """Restore what was current, where this is still possible; the span is retired already."""
    current = context_api.get_current()
    if current is body.entered or current.get(_SPAN_KEY) is healing:
        previous: Any = before.get(_SPAN_KEY)
        is_over = type(previous) is SelfHealingSpan and previous.body is None
        context_api.attach(with_span(live(previous), before) if is_over else before)


def remote_context(traceparent: Any) -> Context | None:
    """The context a W3C ``traceparent`` names, or ``None`` where it is not valid."""
    span_context = remote_span_context(traceparent)
    if span_context is None:
        return None
    return trace.set_span_in_context(trace.NonRecordingSpan(span_context))


def remote_span_context(traceparent: Any) -> trace.SpanContext | None:
    """The span a W3C ``traceparent`` names, or ``None`` where it is not valid."""
    if not isinstance(traceparent, str):
        return None
    extracted = _PROPAGATOR.extract({"traceparent": traceparent})
    span_context = trace.get_current_span(extracted).get_span_context()
    return span_context if span_context.is_valid else None
