"""Spans from OTLP JSON lines, for the report and for the page: one line in memory at a time, odd spans left out."""

import math
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from otel_callbacks._content.json import decode
from otel_callbacks.cli._exit import Stop

_PROGRESS_S = 0.5
_LONGEST_LINE = 64 * 2**20
"""Bytes. A longer line is skipped: it would take several times as much memory once it is decoded."""
_DEEPEST = 32
"""Levels of arrays and maps in an attribute's value."""
_OTHER_SIGNALS = ("resourceMetrics", "resourceLogs")
_INTEGER = re.compile(r"-?[0-9]{1,20}")
_INT64, _UINT64 = range(-(2**63), 2**63), range(2**64)
# OTLP's JSON prescribes the number; generic encoders of protobuf write the name.
_ERROR = (2, "STATUS_CODE_ERROR")


class Event(NamedTuple):
    """An event of a span."""

    name: str
    attributes: Mapping[str, Any]


class Span(NamedTuple):
    """A span as a file has it, every field of the type that OTLP gives it."""

    service: str
    """``service.name`` of its resource; "" if there is none."""
    trace_id: str
    span_id: str
    parent_id: str
    """"" for a root."""
    name: str
    kind: int | str
    """OTLP's number, or the name that generic encoders write."""
    start_ns: int
    """Unix time, like the end."""
    end_ns: int
    status: int | str
    """OTLP's number, or the name that generic encoders write."""
    status_message: str
    attributes: Mapping[str, Any]
    events: Sequence[Event]

    @property
    def is_root(self) -> bool:
        """Whether it has no parent."""
        return not self.parent_id

    @property
    def is_error(self) -> bool:
        """Whether it has status ERROR."""
        return self.status in _ERROR

    @property
    def duration_s(self) -> float:
        """Seconds it took; negative where the writer's clock was set back."""
        return (self.end_ns - self.start_ns) / 1e9


class Source:
    """Files of OTLP JSON lines.

    Args:
        paths: Files, read in this order.
        shows_progress: Whether to show on stderr how much has been read.
    """

    def __init__(self, paths: Sequence[Path], *, shows_progress: bool) -> None:
        self._paths = paths
        self._shows_progress = shows_progress
        self.skipped_lines = 0
        """Lines that are cut off, too long, or not OTLP."""
        self.skipped_spans = 0
        """Spans in good lines that have a field of the wrong type, or lack one that every span has."""

    def spans(self) -> Iterator[Span]:
        """Yield every span of every file.

        Raises:
            OSError: A file cannot be read.
        """
        for line in self._lines():
            for service, span in self._raw_spans(line):
                try:
                    yield _span(service, span)
                except ValueError:
                    self.skipped_spans += 1

    def skipped_notes(self) -> list[str]:
        """Return a sentence for each kind of thing that was skipped."""
        return [
            f"{count} {what}{'s' if count > 1 else ''} skipped: {why}"
            for count, what, why in (
                (self.skipped_lines, "line", "cut off, or not OTLP JSON"),
                (self.skipped_spans, "span", "with values that OTLP does not allow"),
            )
            if count
        ]

    def _lines(self) -> Iterator[bytes]:
        total = sum(path.stat().st_size for path in self._paths)
        done, last_shown = 0, time.monotonic()
        for path in self._paths:
            # As bytes: progress counts them, and a line that is not UTF-8 is skipped alone.
            with path.open("rb") as file:
                while line := file.readline(_LONGEST_LINE):
                    done += len(line)
                    if self._shows_progress and time.monotonic() - last_shown > _PROGRESS_S:
                        last_shown = time.monotonic()
                        # The last \r leaves the cursor at the start, so that the report overwrites the progress.
                        print(f"\r{100 * done // max(total, 1):3} %", end="\r", file=sys.stderr, flush=True)
                    if len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
                        self.skipped_lines += 1
                        done += _skip_rest(file)
                    elif line.strip():
                        yield line

    def _raw_spans(self, line: bytes) -> list[tuple[str, Any]]:
        """Return each span of a line with its service's name; of a line that is not OTLP, none."""
        try:
            document = _dict(decode(line))
            if "resourceSpans" in document:
                return list(_members(document["resourceSpans"]))
            if any(key in document for key in _OTHER_SIGNALS):
                return []
        # Without `orjson`, deep nesting is not a ValueError.
        except (ValueError, RecursionError):
            pass
        self.skipped_lines += 1
        return []


def paths_of(arguments: Sequence[Path]) -> list[Path]:
    """Return the files, and those in the folders.

    Raises:
        Stop: There are none.
    """
    paths: list[Path] = []
    for path in arguments:
        paths += sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not paths:
        raise Stop(f"no *.jsonl in {', '.join(map(str, arguments))}")
    return paths


def _skip_rest(file: IO[bytes]) -> int:
    """Read on to the end of the line. Return its bytes."""
    skipped = 0
    while part := file.readline(_LONGEST_LINE):
        skipped += len(part)
        if part.endswith(b"\n"):
            break
    return skipped


def _members(resources: Any) -> Iterator[tuple[str, Any]]:
    for entry in _list(resources):
        resource = _dict(entry)
        service = _attributes(_dict(resource.get("resource", {}))).get("service.name", "")
        for scope in _list(resource.get("scopeSpans", [])):
            for span in _list(_dict(scope).get("spans", [])):
                yield str(service), span


def _span(service: str, span: Any) -> Span:
    """Return a span of a decoded line.

    Raises:
        ValueError: It is not a span.
    """
    fields = _dict(span)
    status = _dict(fields.get("status", {}))
    return Span(
        service=service,
        trace_id=_text(fields.get("traceId")),
        span_id=_text(fields.get("spanId")),
        # Some writers leave it out for a root, others write "" or null.
        parent_id=_text(fields.get("parentSpanId") or ""),
        name=_text(fields.get("name", "")),
        kind=_enumeration(fields.get("kind", 0)),
        start_ns=_integer(fields.get("startTimeUnixNano"), _UINT64),
        end_ns=_integer(fields.get("endTimeUnixNano"), _UINT64),
        status=_enumeration(status.get("code", 0)),
        status_message=_text(status.get("message", "")),
        attributes=_attributes(fields),
        events=[
            Event(_text(_dict(event).get("name", "")), _attributes(event)) for event in _list(fields.get("events", []))
        ],
    )


def _attributes(holder: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a resource, a span or an event."""
    return _pairs(holder.get("attributes", []), _DEEPEST)


def _pairs(pairs: Any, depth: int) -> dict[str, Any]:
    return {_text(_dict(pair).get("key")): _value(pair.get("value", {}), depth) for pair in _list(pairs)}


def _value(value: Any, depth: int) -> Any:
    """Return an attribute's value; ``None`` for an empty one."""
    if depth == 0:
        raise ValueError("nested too deeply")
    for kind, content in _dict(value).items():
        if kind in _READERS:
            return _READERS[kind](content)
        if kind == "arrayValue":
            return [_value(entry, depth - 1) for entry in _list(_dict(content).get("values", []))]
        if kind == "kvlistValue":
            return _pairs(_dict(content).get("values", []), depth - 1)
    return None


def _typed(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise ValueError(f"not of type {kind.__name__}")
    return value


def _dict(value: Any) -> dict[str, Any]:
    return _typed(value, dict)  # type: ignore[no-any-return]


def _list(value: Any) -> list[Any]:
    return _typed(value, list)  # type: ignore[no-any-return]


def _text(value: Any) -> str:
    return _typed(value, str)  # type: ignore[no-any-return]


def _enumeration(value: Any) -> int | str:
    return value if type(value) is str else _integer(value, _INT64)


def _integer(value: Any, allowed: range) -> int:
    """Return an integer; in OTLP's JSON, those of 64 bits are strings."""
    # The digits are counted before they are read: reading thousands of them raises, or takes long.
    number = int(value) if type(value) is str and _INTEGER.fullmatch(value) else value
    if type(number) is not int or number not in allowed:
        raise ValueError("not an integer of 64 bits")
    return number


def _number(value: Any) -> float:
    """Return a finite number; protobuf's JSON allows text as well."""
    try:
        number = float(value) if type(value) in {int, float, str} else math.nan
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    return number


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "stringValue": _text,
    "intValue": lambda value: _integer(value, _INT64),
    "doubleValue": _number,
    "boolValue": lambda value: _typed(value, bool),
    "bytesValue": _text,
}
"""Readers of values that hold no others."""
