"""For tests of applications: what a handler recorded, as a tree and as numbers, and proof that no secret is in it.

With pytest the fixture ``otel_spans`` needs no import; elsewhere create an `OtelSpans` yourself.
"""

import difflib
import itertools
import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs import export as log_export
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator

from otel_callbacks import semconv
from otel_callbacks.config import Config
from otel_callbacks.handler import OTelCallbackHandler

# OpenTelemetry before 1.38 uses another name.
_LogExporter: Any = getattr(log_export, "InMemoryLogRecordExporter", None) or log_export.InMemoryLogExporter
_TICK_NS = 1_000_000


class CountingIds(IdGenerator):
    """Ids 1, 2, 3, ...: the same in every run of a test."""

    def __init__(self) -> None:
        self._trace_ids = itertools.count(1)
        self._span_ids = itertools.count(1)

    def generate_trace_id(self) -> int:
        """Return the next trace id."""
        return next(self._trace_ids)

    def generate_span_id(self) -> int:
        """Return the next span id."""
        return next(self._span_ids)


class _Clock(SpanProcessor):
    """Ticks once for each start and each end, so that neither speed nor the resolution of real clocks shows."""

    def __init__(self) -> None:
        self._ticks = itertools.count(_TICK_NS, _TICK_NS)
        self._starts: dict[int, int] = {}
        self._ends: dict[int, int] = {}

    def on_start(self, span: ReadableSpan, parent_context: Any = None) -> None:  # noqa: ARG002 - the SDK's signature
        self._starts[span.context.span_id] = next(self._ticks)

    def on_end(self, span: ReadableSpan) -> None:
        self._ends[span.context.span_id] = next(self._ticks)

    def with_ticks(self, span: ReadableSpan) -> ReadableSpan:
        """Return the same span with ticks for times; its events happen when it ends."""
        end = self._ends[span.context.span_id]
        return ReadableSpan(
            name=span.name,
            context=span.context,
            parent=span.parent,
            resource=span.resource,
            attributes=span.attributes,
            events=[Event(event.name, event.attributes, end) for event in span.events],
            links=span.links,
            kind=span.kind,
            status=span.status,
            start_time=self._starts[span.context.span_id],
            end_time=end,
            instrumentation_scope=span.instrumentation_scope,
        )


@dataclass(frozen=True)
class Point:
    """One data point of a metric.

    Attributes:
        labels: The point's attributes.
        value: The sum of a histogram or counter, the value of a gauge.
        count: Measurements of a histogram; 1 for other kinds.
    """

    labels: dict[str, Any]
    value: float
    count: int


class OtelSpans:
    """In-memory providers, a handler on them, and what it recorded.

    Ids count from 1. Times of spans are ticks of one millisecond, one for each start and each end in their order, so
    that two runs of the same sequential test look the same. Measured values stay real: metrics, time to first chunk.

    Args:
        config: Options of `handler`; `Config()` by default, whatever the environment says.
    """

    def __init__(self, config: Config | None = None) -> None:
        self._spans = InMemorySpanExporter()
        self._metrics = InMemoryMetricReader()
        self._logs = _LogExporter()
        self.tracer_provider = TracerProvider(id_generator=CountingIds(), shutdown_on_exit=False)
        self._clock = _Clock()
        self.tracer_provider.add_span_processor(self._clock)
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._spans))
        self.meter_provider = MeterProvider([self._metrics], shutdown_on_exit=False)
        self.logger_provider = LoggerProvider(shutdown_on_exit=False)
        self.logger_provider.add_log_record_processor(log_export.SimpleLogRecordProcessor(self._logs))
        self.handler = self.new_handler(config or Config())

    def new_handler(self, config: Config) -> OTelCallbackHandler:
        """Create another handler on the same providers."""
        return OTelCallbackHandler(
            tracer_provider=self.tracer_provider,
            meter_provider=self.meter_provider,
            logger_provider=self.logger_provider,
            config=config,
        )

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """The ended spans in the order in which they started, with ticks for times."""
        spans = [self._clock.with_ticks(span) for span in self._spans.get_finished_spans()]
        return tuple(sorted(spans, key=lambda span: span.start_time or 0))

    @property
    def logs(self) -> tuple[Any, ...]:
        """The log records, such as ``gen_ai.client.inference.operation.details``."""
        return tuple(entry.log_record for entry in self._logs.get_finished_logs())

    @property
    def tokens(self) -> dict[str, int]:
        """Tokens of all model calls by kind: ``{"input_tokens": 12, "output_tokens": 3, ...}``."""
        totals: dict[str, int] = {}
        for span in self._spans.get_finished_spans():
            for key, value in (span.attributes or {}).items():
                if key.startswith(semconv.USAGE_PREFIX) and isinstance(value, int):
                    kind = key.removeprefix(semconv.USAGE_PREFIX)
                    totals[kind] = totals.get(kind, 0) + value
        return totals

    def metric(self, name: str) -> list[Point]:
        """Return the points of a metric, collected now; an empty list if nothing was measured."""
        data = self._metrics.get_metrics_data()
        metrics = (m for r in (data.resource_metrics if data else ()) for s in r.scope_metrics for m in s.metrics)
        return [_point(point) for metric in metrics if metric.name == name for point in metric.data.data_points]

    def tree(self, *attributes: str) -> str:
        """Return one line per span, children indented: name, outcome unless "ok", ERROR, and the given attributes."""
        return tree(self.spans, attributes)

    def assert_tree(self, expected: str, *attributes: str) -> None:
        """Compare `tree` with a text, ignoring the text's common indentation.

        Raises:
            AssertionError: They differ; the message shows how.
        """
        __tracebackhide__ = True
        expected = textwrap.dedent(expected).strip("\n").rstrip()
        recorded = self.tree(*attributes)
        if recorded != expected:
            # n=99: the whole trees, because a line means little without its parents.
            lines = difflib.unified_diff(
                expected.split("\n"), recorded.split("\n"), "expected", "recorded", lineterm="", n=99
            )
            raise AssertionError("\n".join([f"the recorded spans differ{self._hint(recorded)}", *lines]))

    def assert_no_text(self, text: str) -> None:
        """Search everything that was recorded: names, attributes, events, links, status, log records and metrics.

        Finds the text unchanged, and as JSON and `repr` write it inside another text, once or twice. Runs that are
        still open are not searched.

        Raises:
            AssertionError: `text` was recorded; the message says where, and does not repeat it.
            ValueError: `text` is empty, and so would be everywhere.
        """
        if not text:
            raise ValueError("assert_no_text('') would find everything: say which text must not leave")
        __tracebackhide__ = True
        spellings = _spellings(text)
        places = [f"span {span.name!r}" for span in self.spans if _holds(_facts(span), spellings)]
        places += [
            f"log record {log.event_name!r}"
            for log in self.logs
            if _holds((log.event_name, log.body, log.attributes), spellings)
        ]
        data = self._metrics.get_metrics_data()
        if data is not None and _holds(json.loads(data.to_json()), spellings):
            places.append("a metric")
        if places:
            where = ", ".join(places)
            if any(spelling in where for spelling in spellings):
                where = "a name"
            raise AssertionError(f"the text left the program in {where}")

    def clear(self) -> None:
        """Forget the spans and log records so far."""
        self._spans.clear()
        self._logs.clear()

    def _hint(self, recorded: str) -> str:
        if self.handler.open_runs:
            return f"; runs that are still open: {self.handler.open_runs}"
        return "" if recorded else '; none was recorded: did the call get {"callbacks": [otel_spans.handler]}?'

    def shutdown(self) -> None:
        """End open runs and stop the providers."""
        self.handler.close()
        for provider in (self.tracer_provider, self.meter_provider, self.logger_provider):
            provider.shutdown()


def tree(spans: Iterable[ReadableSpan], attributes: Iterable[str] = ()) -> str:
    """Return spans as an indented tree, children by start; see `OtelSpans.tree`."""
    ordered = sorted(spans, key=lambda span: (span.start_time or 0, span.context.span_id))
    span_ids = {span.context.span_id for span in ordered}
    lines: list[str] = []

    def add(span: ReadableSpan, depth: int) -> None:
        lines.append("  " * depth + _line(span, attributes))
        for child in ordered:
            if child.parent is not None and child.parent.span_id == span.context.span_id:
                add(child, depth + 1)

    for span in ordered:
        if span.parent is None or span.parent.span_id not in span_ids:
            add(span, 0)
    return "\n".join(lines)


def _line(span: ReadableSpan, attributes: Iterable[str]) -> str:
    values = span.attributes or {}
    outcome = values.get(semconv.OUTCOME, "ok")
    words = [span.name]
    if outcome != "ok":
        words.append(f"[{outcome}]")
    if not span.status.is_unset:
        words.append(span.status.status_code.name)
    words += [f"{key}={values[key]!r}" for key in attributes if key in values]
    return " ".join(words)


def _facts(span: ReadableSpan) -> dict[str, Any]:
    return {
        "name": span.name,
        "status": span.status.description,
        "attributes": dict(span.attributes or {}),
        "events": [[event.name, dict(event.attributes or {})] for event in span.events],
        "links": [dict(link.attributes or {}) for link in span.links],
    }


def _spellings(text: str) -> set[str]:
    spellings = {text}
    for _ in range(2):  # JSON inside JSON, as in the arguments of tool calls
        for spelling in tuple(spellings):
            plain, escaped = json.dumps(spelling, ensure_ascii=False), json.dumps(spelling)
            spellings |= {form[1:-1] for form in (plain, escaped, repr(spelling))}
    return spellings


def _holds(value: Any, spellings: set[str]) -> bool:
    return any(spelling in text for text in _texts(value) for spelling in spellings)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for item in value:
            yield from _texts(item)
    else:
        yield value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _point(point: Any) -> Point:
    value = point.sum if hasattr(point, "sum") else point.value
    return Point(dict(point.attributes), value, getattr(point, "count", 1))
