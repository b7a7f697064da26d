"""A pytest plugin that runs other packages' tests under the tracer, or under a handler that does nothing.

Set by `scripts/suites.py`: SUITE_HANDLER ("traced" or "idle"), and SUITE_REPORT, the file for what was seen.
"""

import gc
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tracers.context import register_configure_hook
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

import otel_callbacks
from otel_callbacks import semconv

_MOST_EXAMPLES = 20


class _Seen(NamedTuple):
    name: str
    parent_id: int | None
    start_ns: int | None


class _Audit(SpanExporter):
    """Keeps of each span what tells whether it has its place in a tree."""

    def __init__(self) -> None:
        self.spans: dict[int, _Seen] = {}

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        for span in spans:
            parent_id = span.parent.span_id if span.parent is not None else None
            self.spans[span.context.span_id] = _Seen(span.name, parent_id, span.start_time)
        return SpanExportResult.SUCCESS

    def misplaced(self) -> list[str]:
        """Return what is wrong with the places of spans."""
        wrong = []
        for span in self.spans.values():
            parent = self.spans.get(span.parent_id) if span.parent_id is not None else None
            if span.parent_id is not None and parent is None:
                wrong.append(f"{span.name}: its parent is missing")
            elif parent is not None and (parent.start_ns or 0) > (span.start_ns or 0):
                wrong.append(f"{span.name}: its parent {parent.name} started later")
        return wrong


class _Idle(BaseCallbackHandler):
    """What the tracer is compared with: a handler that does nothing, attached in the same way."""

    run_inline = True


class _Everywhere:
    """Stands in for the context variable that LangChain's hook expects."""

    def __init__(self, handler: BaseCallbackHandler) -> None:
        self._handler = handler

    def get(self) -> BaseCallbackHandler:
        return self._handler


class _Suite:
    def __init__(self, report: Path, *, is_traced: bool) -> None:
        self._report = report
        self._is_traced = is_traced
        self._outcomes: dict[str, str] = {}
        self._audit = _Audit()
        self._reader = InMemoryMetricReader()
        if is_traced:
            spans = TracerProvider(shutdown_on_exit=False)
            spans.add_span_processor(SimpleSpanProcessor(self._audit))
            self._handler = otel_callbacks.instrument(
                tracer_provider=spans,
                meter_provider=MeterProvider([self._reader], shutdown_on_exit=False),
                config=otel_callbacks.Config(detail="all"),
            )
        else:
            register_configure_hook(_Everywhere(_Idle()), inheritable=True)  # type: ignore[arg-type]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how a test ended: a failure in any phase counts."""
        if report.failed or (report.when == "call" and report.nodeid not in self._outcomes):
            self._outcomes[report.nodeid] = report.outcome

    def pytest_sessionfinish(self) -> None:
        """Write the report."""
        seen: dict[str, Any] = {"outcomes": self._outcomes, "problems": [], "spans": 0}
        if self._is_traced:
            gc.collect()
            still_open = self._handler.open_runs
            counts = self._counts()
            expected = counts.get(semconv.RUNS.name, 0) + counts.get(semconv.TOOL_CALLS_UNANSWERED.name, 0)
            seen["spans"] = len(self._audit.spans)
            seen["problems"] = [
                *self._audit.misplaced()[:_MOST_EXAMPLES],
                *([f"{still_open} runs are open"] if still_open else []),
                *([f"{counts[semconv.ERRORS.name]} failures in the tracer"] if counts.get(semconv.ERRORS.name) else []),
                *([f"{seen['spans']} spans for {expected} runs"] if seen["spans"] != expected else []),
            ]
        self._report.write_text(json.dumps(seen), encoding="utf-8")

    def _counts(self) -> dict[str, int]:
        """Return the sum over each of our counters."""
        data = self._reader.get_metrics_data()
        return {
            metric.name: sum(int(getattr(point, "value", 0)) for point in metric.data.data_points)
            for resource in (data.resource_metrics if data is not None else [])
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name in (semconv.RUNS.name, semconv.ERRORS.name, semconv.TOOL_CALLS_UNANSWERED.name)
        }


def pytest_configure(config: pytest.Config) -> None:
    """Attach the handler before any test is collected."""
    report = Path(os.environ["SUITE_REPORT"])
    config.pluginmanager.register(_Suite(report, is_traced=os.environ["SUITE_HANDLER"] == "traced"))
