"""Exporters that misbehave."""

import threading
from typing import Any

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult


class HangingExporter(SpanExporter):
    """An exporter whose back end does not answer until the test lets it.

    Attributes:
        called: Set when the first export begins.
        answers: Set by the test; until then every export hangs.
    """

    def __init__(self) -> None:
        self.called = threading.Event()
        self.answers = threading.Event()

    def export(self, spans: Any) -> SpanExportResult:
        self.called.set()
        self.answers.wait()
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self.answers.set()
