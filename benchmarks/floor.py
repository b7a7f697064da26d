"""The floor: what OpenTelemetry alone costs for what this package emits."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import BaseCallbackHandler
from opentelemetry import metrics, trace
from opentelemetry.context import Context

from otel_callbacks import Config, OTelCallbackHandler

if TYPE_CHECKING:
    from benchmarks.providers import Providers

Call = Callable[[list[tuple[trace.Span, Context]]], object]
"""A call to OpenTelemetry, given the spans of this run of the program so far, each with a context that holds it."""


def _hook(name: str, opened: int) -> Any:
    """Make a callback. `opened`: by how much it changes the number of open runs."""

    def hook(floor: "Floor", *arguments: Any, **named: Any) -> None:
        floor.event(name, opened, arguments, named)

    return hook


class Floor(BaseCallbackHandler):
    """Repeats the calls to OpenTelemetry that this package's handler made, event by event, and does nothing else.

    It learns them while the program runs for the first time; the program must do the same every time, in one thread.
    """

    run_inline = True

    def __init__(self, target: "Providers", options: Mapping[str, Any]) -> None:
        self._tape = _Tape(target)
        self._learning: OTelCallbackHandler | None = OTelCallbackHandler(
            tracer_provider=self._tape, meter_provider=_Meters(self._tape), config=Config(**options)
        )
        self._open_runs = 0
        self._next = 0
        self._spans: list[tuple[trace.Span, Context]] = []

    def event(self, hook: str, opened: int, arguments: Any, named: dict[str, Any]) -> None:
        """Learn an event the first time, and repeat its calls to OpenTelemetry from then on."""
        events = self._tape.events
        if self._learning is not None:
            events.append([])
            getattr(self._learning, hook)(*arguments, **named)
            self._open_runs += opened
            if not self._open_runs:
                self._learning = None
            return
        for call in events[self._next]:
            call(self._spans)
        self._next += 1
        if self._next == len(events):
            self._next = 0
            self._spans.clear()

    on_chain_start = _hook("on_chain_start", 1)
    on_chat_model_start = _hook("on_chat_model_start", 1)
    on_tool_start = _hook("on_tool_start", 1)
    on_chain_end = _hook("on_chain_end", -1)
    on_llm_end = _hook("on_llm_end", -1)
    on_tool_end = _hook("on_tool_end", -1)
    on_chain_error = _hook("on_chain_error", -1)
    on_llm_error = _hook("on_llm_error", -1)


class _Tape(trace.TracerProvider):
    """Real spans and measurements, and a record of the calls that made them."""

    def __init__(self, target: "Providers") -> None:
        self.target = target
        self.events: list[list[Call]] = []
        self._indices: dict[int, int] = {}

    def get_tracer(self, *arguments: Any, **named: Any) -> trace.Tracer:
        """Return a tracer that records the calls to it."""
        return _Tracer(self, self.target.tracer_provider.get_tracer(*arguments, **named))

    def index(self, context: Context | None) -> int | None:
        """Return the number of the program's span that is current in the context."""
        return self._indices.get(trace.get_current_span(context).get_span_context().span_id)

    def append(self, span: trace.Span) -> int:
        """Give a new span its number."""
        return self._indices.setdefault(span.get_span_context().span_id, len(self._indices))


class _Tracer(trace.Tracer):
    def __init__(self, tape: _Tape, tracer: trace.Tracer) -> None:
        self._tape = tape
        self._tracer = tracer

    def start_span(self, name: str, context: Context | None = None, **named: Any) -> trace.Span:  # type: ignore[override]
        tracer, parent = self._tracer, self._tape.index(context)

        def start(spans: list[tuple[trace.Span, Context]]) -> None:
            span = tracer.start_span(name, None if parent is None else spans[parent][1], **named)
            spans.append((span, trace.set_span_in_context(span, Context())))

        self._tape.events[-1].append(start)
        span = tracer.start_span(name, context, **named)
        return _Span(self._tape, span)

    start_as_current_span: Any = None
    """Not used by a handler."""


class _Span(trace.NonRecordingSpan):
    """Records the calls to the span that it stands for."""

    def __init__(self, tape: _Tape, span: trace.Span) -> None:
        super().__init__(span.get_span_context())
        self._tape = tape
        self._span = span
        self._number = tape.append(span)

    def is_recording(self) -> bool:
        """Tell whether the sampler keeps the span."""
        return self._span.is_recording()

    def _call(self, method: str, *arguments: Any) -> None:
        number = self._number
        self._tape.events[-1].append(lambda spans: getattr(spans[number][0], method)(*arguments))
        getattr(self._span, method)(*arguments)

    def set_attribute(self, key: str, value: Any) -> None:
        self._call("set_attribute", key, value)

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        self._call("set_attributes", dict(attributes))

    def set_status(self, status: Any, description: str | None = None) -> None:
        self._call("set_status", status, description)

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        self._call("add_event", name, attributes, timestamp)

    def update_name(self, name: str) -> None:
        self._call("update_name", name)

    def end(self, end_time: int | None = None) -> None:
        self._call("end", end_time)


class _Meters(metrics.MeterProvider):
    def __init__(self, tape: _Tape) -> None:
        self._tape = tape

    def get_meter(self, *arguments: Any, **named: Any) -> Any:
        return _Meter(self._tape, self._tape.target.meter_provider.get_meter(*arguments, **named))


class _Meter:
    """The instruments that measure when something happens; all others are the real ones."""

    def __init__(self, tape: _Tape, meter: metrics.Meter) -> None:
        self._tape = tape
        self._meter = meter

    def create_histogram(self, *arguments: Any, **named: Any) -> "_Instrument":
        return _Instrument(self._tape, self._meter.create_histogram(*arguments, **named).record)

    def create_counter(self, *arguments: Any, **named: Any) -> "_Instrument":
        return _Instrument(self._tape, self._meter.create_counter(*arguments, **named).add)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._meter, name)


class _Instrument:
    """Records measurements and the span that they belong to."""

    def __init__(self, tape: _Tape, measure: Callable[..., object]) -> None:
        self._tape = tape
        self._measure = measure

    def record(self, value: float, attributes: Any = None, context: Context | None = None) -> None:
        measure, number = self._measure, self._tape.index(context)

        def repeat(spans: list[tuple[trace.Span, Context]]) -> None:
            measure(value, attributes, None if number is None else spans[number][1])

        self._tape.events[-1].append(repeat)

    add = record
