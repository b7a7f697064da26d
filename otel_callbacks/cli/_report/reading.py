"""Spans from OTLP JSON lines, one line in memory at a time."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from otel_callbacks._content.json import decode
from otel_callbacks.cli._exit import Stop

_PROGRESS_S = 0.5
_OTHER_SIGNALS = ("resourceMetrics", "resourceLogs")
# OTLP's JSON prescribes the number; generic encoders of protobuf write the name.
_ERROR = (2, "STATUS_CODE_ERROR")

RawSpan = tuple[str, Any]
"""Name of the service, and a span as in OTLP's JSON."""
Item = TypeVar("Item")


class SpanFacts(NamedTuple):
    """What the report needs of a span."""

    trace_id: str
    name: str
    is_root: bool
    start_ns: int
    duration_s: float
    is_error: bool
    attributes: Mapping[str, Any]


class Source:
    """Files of OTLP JSON lines.

    Args:
        paths: Files, read in this order.
        shows_progress: Whether to show on stderr how much has been read.
    """

    def __init__(self, paths: Sequence[Path], *, shows_progress: bool) -> None:
        self._paths = paths
        self._shows_progress = shows_progress
        self.skipped = 0
        """Lines that are cut off, or not OTLP."""

    def spans(self) -> Iterator[SpanFacts]:
        """Yield every span of every file, with what the report needs of it.

        Raises:
            OSError: A file cannot be read.
        """
        return self._read(lambda document: [_facts(span) for _, span in _spans(document)])

    def raw(self) -> Iterator[RawSpan]:
        """Yield every span of every file as it is written, with its service's name.

        Raises:
            OSError: A file cannot be read.
        """
        return self._read(lambda document: [_complete(raw) for raw in _spans(document)])

    def _read(self, extract: Callable[[Any], list[Item]]) -> Iterator[Item]:
        total = sum(path.stat().st_size for path in self._paths)
        done, last_shown = 0, time.monotonic()
        for path in self._paths:
            # As bytes: progress counts them, and a line that is not UTF-8 is skipped alone.
            with path.open("rb") as lines:
                for line in lines:
                    done += len(line)
                    if self._shows_progress and time.monotonic() - last_shown > _PROGRESS_S:
                        last_shown = time.monotonic()
                        # The last \r leaves the cursor at the start, so that the report overwrites the progress.
                        print(f"\r{100 * done // max(total, 1):3} %", end="\r", file=sys.stderr, flush=True)
                    yield from self._items_of(line, extract)

    def _items_of(self, line: bytes, extract: Callable[[Any], list[Item]]) -> Iterator[Item]:
        if not line.strip():
            return
        try:
            document: Any = decode(line)
            if "resourceSpans" in document:
                # `extract` returns a list: a line counts as a whole or is skipped as a whole.
                yield from extract(document)
            elif not any(key in document for key in _OTHER_SIGNALS):
                self.skipped += 1
        except (ValueError, TypeError, KeyError, AttributeError):
            self.skipped += 1


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


def _spans(document: Any) -> Iterator[RawSpan]:
    for resource in document["resourceSpans"]:
        attributes = {pair["key"]: _value(pair["value"]) for pair in resource.get("resource", {}).get("attributes", ())}
        for scope in resource.get("scopeSpans", ()):
            for span in scope.get("spans", ()):
                yield str(attributes.get("service.name", "")), span


def _complete(raw: RawSpan) -> RawSpan:
    """Return the span unchanged; fail if it lacks what every span has."""
    for key in ("traceId", "spanId", "startTimeUnixNano", "endTimeUnixNano"):
        raw[1][key]
    return raw


def _facts(span: Any) -> SpanFacts:
    start, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
    return SpanFacts(
        trace_id=span["traceId"],
        name=span.get("name", ""),
        # Some writers leave it out for a root, others write "".
        is_root=not span.get("parentSpanId"),
        start_ns=start,
        duration_s=(end - start) / 1e9,
        is_error=is_error(span),
        attributes=attributes_of(span),
    )


def is_error(span: Any) -> bool:
    """Tell whether a span has status ERROR."""
    return span.get("status", {}).get("code") in _ERROR


def attributes_of(holder: Any) -> dict[str, Any]:
    """Return the attributes of a span or an event."""
    return {pair["key"]: _value(pair.get("value", {})) for pair in holder.get("attributes", ())}


def skipped_note(count: int) -> list[str]:
    """Return a line about skipped lines, or no line if there are none."""
    if not count:
        return []
    return [f"{count} line{'s' if count > 1 else ''} skipped: cut off, or not OTLP JSON"]


def _value(value: Any) -> Any:
    """Return an attribute's value; in OTLP's JSON, integers of 64 bits are strings."""
    if "intValue" in value:
        return int(value["intValue"])
    if "arrayValue" in value:
        return [_value(entry) for entry in value["arrayValue"].get("values", ())]
    return value.get("stringValue", value.get("doubleValue", value.get("boolValue")))
