"""The real collector reads what `otel_callbacks.files` writes, also while files are put aside."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import native_build
import pytest
from native_stack import Ports, Program, wait_until
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_callbacks.files import Rotation, log_exporter, metric_exporter, span_exporter

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))

from tests.support.otlp_server import Received, http_server  # noqa: E402

pytestmark = pytest.mark.stack

ARRIVAL_S = 60.0
LARGE = 3 * 1024 * 1024
"""Bytes of one attribute: far above the length of a line that the receiver accepts by default."""


def receivers() -> str:
    """Return the receivers as docs/setup.md shows them."""
    page = (ROOT / "docs" / "setup.md").read_text(encoding="utf-8")
    return page.partition("```yaml\n")[2].partition("```")[0]


@contextmanager
def collector(tmp_path: Path, folder: Path, received: Received) -> Iterator[Program]:
    """Run a collector that reads the folder, and sends what it finds to the receiver."""
    health = Ports.free().collector_health
    pipelines = "\n".join(
        f"    {signal}: {{receivers: [otlp_json_file/{signal}], exporters: [otlp_http]}}"
        for signal in ("traces", "metrics", "logs")
    )
    config = tmp_path / "collector.yaml"
    config.write_text(
        receivers().replace("traces/", f"{folder}/")
        + f"""
exporters:
  otlp_http:
    endpoint: {received.url}
extensions:
  health_check:
    endpoint: 127.0.0.1:{health}
service:
  extensions: [health_check]
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
{pipelines}
"""
    )
    command = [str(native_build.build("collector")["otelcol"]), f"--config={config}"]
    program = Program(command, {}, f"http://127.0.0.1:{health}", tmp_path / "collector.log")
    program.start()
    try:
        yield program
    finally:
        program.stop()


class Writer:
    """Provide providers that write every span, record and collection as its own line, a few lines per file."""

    def __init__(self, folder: Path) -> None:
        rotation = Rotation(max_bytes=8_000, keep=1_000)
        self.kept = InMemorySpanExporter()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        for exporter in (span_exporter(folder, rotation), self.kept):
            self.tracers.add_span_processor(SimpleSpanProcessor(exporter))
        self.loggers = LoggerProvider(shutdown_on_exit=False)
        self.loggers.add_log_record_processor(SimpleLogRecordProcessor(log_exporter(folder, rotation)))
        reader = PeriodicExportingMetricReader(metric_exporter(folder, rotation), export_interval_millis=3_600_000)
        self.meters = MeterProvider([reader], shutdown_on_exit=False)

    def write(self, name: str, number: int = 40, **attributes: str) -> None:
        """Write that many spans and log records, and one counter."""
        for index in range(number):
            self.tracers.get_tracer("test").start_span(f"{name} {index}", attributes=attributes).end()
            self.loggers.get_logger("test").emit(LogRecord(body=f"{name} {index}"))
        self.meters.get_meter("test").create_counter(f"{name}.calls").add(number)
        self.meters.force_flush()

    def close(self) -> None:
        for provider in (self.tracers, self.loggers, self.meters):
            provider.shutdown()


def _facts(spans: tuple[ReadableSpan, ...]) -> set[tuple[str, str, int, int]]:
    return {(span.name, f"{span.context.span_id:016x}", span.start_time, span.end_time) for span in spans}


def _arrived(received: Received) -> set[tuple[str, str, int, int]]:
    return {
        (span.name, span.span_id.hex(), span.start_time_unix_nano, span.end_time_unix_nano) for span in received.spans()
    }


def test_collector_reads_all_signals_over_rotations(tmp_path: Path) -> None:
    """Every line arrives, old or new, small or large, from files that are written to, moved and started again."""
    folder = tmp_path / "traces"
    writer = Writer(folder)
    writer.write("before")
    with http_server() as received, collector(tmp_path, folder, received):
        wait_until(lambda: len(_arrived(received)) == 40, ARRIVAL_S)
        writer.write("while")
        writer.write("large", 1, content="x" * LARGE)
        written = _facts(writer.kept.get_finished_spans())
        bodies = {f"{name} {index}" for name in ("before", "while") for index in range(40)} | {"large 0"}
        expected = bodies | {"before.calls", "while.calls", "large.calls"}
        wait_until(lambda: _arrived(received) == written and expected <= set(received.names()), ARRIVAL_S)
        assert _arrived(received) == written
        assert expected - set(received.names()) == set()
    writer.close()
    assert len(list(folder.glob("traces.*.jsonl"))) > 3
