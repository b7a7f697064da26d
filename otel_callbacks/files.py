"""Exporters that write OTLP JSON lines, one signal per file: ``traces.jsonl``, ``metrics.jsonl``, ``logs.jsonl``.

The format is OpenTelemetry's own (OTLP/JSON, one batch per line), written by its exporter package: extra ``files``.
The files are rotated by size and age, and cut between lines only. Several processes may write to one folder, also after
a fork: every line is appended in one system call, and nothing is kept open or in memory between lines.
"""

import io
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, NamedTuple, cast

if TYPE_CHECKING:
    from opentelemetry.sdk._logs.export import LogRecordExporter
    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.trace.export import SpanExporter


class Rotation(NamedTuple):
    """When a file is rotated, and how many rotated files stay. Their names hold the UTC time and the process id."""

    max_bytes: int = 100 * 1024 * 1024
    """A line that would make the file larger goes to a new file."""
    max_age_s: float = 24 * 60 * 60
    """Seconds since this process first saw the file."""
    keep: int = 10
    """Rotated files kept per signal; the oldest ones are deleted."""


DEFAULT_ROTATION: Final = Rotation()


def span_exporter(directory: str | os.PathLike[str], rotation: Rotation = DEFAULT_ROTATION) -> "SpanExporter":
    """Build the exporter that appends to ``traces.jsonl`` in `directory`, which is created if missing.

    Raises:
        ModuleNotFoundError: The extra ``files`` is not installed; the message says how to install it.
        OSError: The folder cannot be created.
    """
    with _files_extra():
        from opentelemetry.exporter.otlp.json.file import FileSpanExporter
    return FileSpanExporter(stream=_lines(directory, "traces", rotation))


def metric_exporter(directory: str | os.PathLike[str], rotation: Rotation = DEFAULT_ROTATION) -> "MetricExporter":
    """Build the exporter that appends to ``metrics.jsonl`` in `directory`; see `span_exporter`."""
    with _files_extra():
        from opentelemetry.exporter.otlp.json.file import FileMetricExporter
    return FileMetricExporter(stream=_lines(directory, "metrics", rotation))


def log_exporter(directory: str | os.PathLike[str], rotation: Rotation = DEFAULT_ROTATION) -> "LogRecordExporter":
    """Build the exporter that appends to ``logs.jsonl`` in `directory`; see `span_exporter`."""
    with _files_extra():
        from opentelemetry.exporter.otlp.json.file._log_exporter import FileLogExporter
    return FileLogExporter(stream=_lines(directory, "logs", rotation))


@contextmanager
def _files_extra() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as missing:
        message = f"telemetry files need: pip install 'otel-callbacks[files]' (no module {missing.name})"
        raise ModuleNotFoundError(message, name=missing.name) from None


def _lines(directory: str | os.PathLike[str], signal: str, rotation: Rotation) -> IO[str]:
    Path(directory).mkdir(parents=True, exist_ok=True)
    return cast("IO[str]", RotatingLines(Path(directory, f"{signal}.jsonl"), rotation))


class RotatingLines(io.TextIOBase):
    """Text stream that appends each written line to a file, and rotates the file when it is too large or too old.

    Args:
        path: The file that is written to.
        rotation: When to rotate and what to keep.
        clock: Seconds from any fixed point.
    """

    def __init__(self, path: Path, rotation: Rotation, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._rotation = rotation
        self._clock = clock
        self._inode = -1
        self._first_seen = clock()

    def write(self, line: str, /) -> int:
        """Append one line, complete with its newline.

        Raises:
            OSError: The file cannot be written.
        """
        data = line.encode()
        # Another process may rotate at the same moment: then one of the two finds nothing to do.
        with suppress(OSError):
            if self._is_due(len(data)):
                self._rotate()
        # Unbuffered: a buffer may split a long line over several system calls.
        with self._path.open("ab", buffering=0) as file:
            file.write(data)
        return len(line)

    def _is_due(self, size: int) -> bool:
        """Tell whether the file has to be rotated before `size` more bytes.

        Raises:
            FileNotFoundError: There is no file yet.
        """
        status = self._path.stat()
        # A new inode: this or another process has rotated the file.
        if status.st_ino != self._inode:
            self._inode, self._first_seen = status.st_ino, self._clock()
        is_old = self._clock() - self._first_seen >= self._rotation.max_age_s
        return is_old or status.st_size + size > self._rotation.max_bytes

    def _rotate(self) -> None:
        stem, suffix = self._path.stem, self._path.suffix
        moment = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%fZ")
        self._path.rename(self._path.with_name(f"{stem}.{moment}.{os.getpid()}{suffix}"))
        # The names differ first in their UTC time, so their order is their age.
        newest_first = sorted(self._path.parent.glob(f"{stem}.*{suffix}"), reverse=True)
        for old in newest_first[self._rotation.keep :]:
            old.unlink(missing_ok=True)
