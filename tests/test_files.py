"""Telemetry files: OTLP JSON lines, one signal per file, always whole lines, with several writers and rotation."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from otel_callbacks import files
from otel_callbacks.files import RotatingLines, Rotation

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def exporter_package():
    """Skip tests of exporters without the extra ``files``."""
    pytest.importorskip("opentelemetry.exporter.otlp.json.file")


def documents(path):
    """Return every line of a file as JSON."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def lines_of(folder):
    """Return all lines of all files in a folder, the oldest file first."""
    return [line for path in sorted(folder.iterdir(), key=age_order) for line in path.read_text().splitlines()]


def age_order(path):
    """Sort rotated files by time, before the one that is written to."""
    return (path.name.count(".") == 1, path.name)


@pytest.mark.usefixtures("exporter_package")
def test_each_signal_has_its_own_file(tmp_path):
    """Spans, metrics and log records of the real SDK become lines of JSON in a file per signal."""
    from opentelemetry._logs import LogRecord
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor

    folder = tmp_path / "new" / "traces"
    tracers, loggers = TracerProvider(shutdown_on_exit=False), LoggerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(files.span_exporter(folder)))
    loggers.add_log_record_processor(SimpleLogRecordProcessor(files.log_exporter(folder)))
    meters = MeterProvider([PeriodicExportingMetricReader(files.metric_exporter(folder))], shutdown_on_exit=False)
    for name in ("first", "second"):
        tracers.get_tracer("test").start_span(name).end()
    meters.get_meter("test").create_counter("calls").add(1)
    loggers.get_logger("test").emit(LogRecord(body="hello"))
    for provider in (tracers, meters, loggers):
        provider.shutdown()

    assert [path.name for path in sorted(folder.iterdir())] == ["logs.jsonl", "metrics.jsonl", "traces.jsonl"]
    assert [list(document) for document in documents(folder / "traces.jsonl")] == [["resourceSpans"]] * 2
    assert [list(document) for document in documents(folder / "metrics.jsonl")] == [["resourceMetrics"]]
    assert [list(document) for document in documents(folder / "logs.jsonl")] == [["resourceLogs"]]


@pytest.mark.parametrize("build", [files.span_exporter, files.metric_exporter, files.log_exporter])
def test_missing_extra_is_named_in_one_line(monkeypatch, tmp_path, build):
    """Without the exporter package, one line says which extra to install."""
    for name in ("", "._log_exporter"):
        monkeypatch.setitem(sys.modules, f"opentelemetry.exporter.otlp.json.file{name}", None)

    with pytest.raises(ModuleNotFoundError, match=r"^telemetry files need: pip install 'otel-callbacks\[files\]'.*$"):
        build(tmp_path / "never made")
    assert not (tmp_path / "never made").exists()


def test_size_rotates_between_lines(tmp_path):
    """No file exceeds the limit, no line is cut or lost, and names of rotated files hold time and process."""
    stream = RotatingLines(tmp_path / "traces.jsonl", Rotation(max_bytes=100))
    lines = [f"line {number:03} {'x' * 20}" for number in range(30)]
    for line in lines:
        stream.write(f"{line}\n")

    assert lines_of(tmp_path) == lines
    assert max(path.stat().st_size for path in tmp_path.iterdir()) <= 100
    assert {path.name.split(".")[3] for path in tmp_path.glob("traces.*.jsonl")} == {str(os.getpid())}


def test_line_above_the_bound_has_a_file_of_its_own(tmp_path):
    """A line larger than the bound is written whole."""
    stream = RotatingLines(tmp_path / "traces.jsonl", Rotation(max_bytes=10))
    lines = ["small", "x" * 50, "small again"]
    for line in lines:
        stream.write(f"{line}\n")

    assert lines_of(tmp_path) == lines
    assert len(list(tmp_path.iterdir())) == 3


def test_age_rotates(tmp_path):
    """A file is rotated once it has been seen for `max_age_s`, and not before."""
    now = [1000.0]
    stream = RotatingLines(tmp_path / "traces.jsonl", Rotation(max_age_s=60), clock=lambda: now[0])
    counts = []
    for now[0] in (1000.0, 1001.0, 1060.0, 1061.0, 1062.0, 1119.0, 1121.0):
        stream.write("line\n")
        counts.append(len(list(tmp_path.iterdir())))

    assert counts == [1, 1, 1, 2, 2, 2, 2]


def test_oldest_rotated_files_are_deleted(tmp_path):
    """Only `keep` rotated files of a signal stay, the newest ones; other files are not touched."""
    (tmp_path / "metrics.1.jsonl").write_text("other\n")
    stream = RotatingLines(tmp_path / "traces.jsonl", Rotation(max_bytes=1, keep=2))
    for number in range(6):
        stream.write(f"{number}\n")

    assert lines_of(tmp_path) == ["other", "3", "4", "5"]


def test_deleted_or_moved_file_is_started_again(tmp_path):
    """Rotation by another program, such as logrotate, needs no signal to this process."""
    path = tmp_path / "traces.jsonl"
    stream = RotatingLines(path, Rotation())
    stream.write("one\n")
    path.rename(tmp_path / "moved")
    stream.write("two\n")

    assert (path.read_text(), (tmp_path / "moved").read_text()) == ("two\n", "one\n")


WRITER = """
import sys
from pathlib import Path
from otel_callbacks.files import RotatingLines, Rotation
stream = RotatingLines(Path(sys.argv[1], "traces.jsonl"), Rotation(max_bytes=20_000, keep=10_000))
sys.stdin.readline()
for number in range(500):
    stream.write(f"{sys.argv[2]} {number} {'x' * 900}\\n")
"""


def test_processes_share_a_folder(tmp_path):
    """Processes that write and rotate one file at the same time lose no line and cut none."""
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    writers = [subprocess.Popen([*command, name], stdin=subprocess.PIPE, cwd=ROOT) for name in "abc"]
    for writer in writers:
        writer.stdin.write(b"go\n")
        writer.stdin.close()

    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert sorted(lines_of(tmp_path)) == sorted(f"{name} {n} {'x' * 900}" for name in "abc" for n in range(500))
    assert len(list(tmp_path.iterdir())) > 50


def test_unwritable_folder_does_not_reach_the_program(tmp_path, caplog):
    """If the folder is gone, the exporter reports a failure and raises nothing."""
    pytest.importorskip("opentelemetry.exporter.otlp.json.file")
    folder = tmp_path / "traces"
    exporter = files.span_exporter(folder)
    folder.rmdir()
    span = TracerProvider(shutdown_on_exit=False).get_tracer("test").start_span("a")
    span.end()

    assert exporter.export([span]).name == "FAILURE"
