"""Spans from OTLP JSON lines, one line in memory at a time."""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from otel_callbacks._json import decode

_PROGRESS_S = 0.5
_OTHER_SIGNALS = ("resourceMetrics", "resourceLogs")
_ERROR = (2, "STATUS_CODE_ERROR")


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
        paths: the files, read in this order.
        shows_progress: say on stderr how far reading has come.
    """

    def __init__(self, paths: Sequence[Path], *, shows_progress: bool) -> None:
        self._paths = paths
        self._shows_progress = shows_progress
        self.skipped = 0
        """Lines that are cut, or no OTLP."""

    def spans(self) -> Iterator[SpanFacts]:
        """Every span of every file.

        Raises:
            OSError: a file cannot be read.
        """
        total = sum(path.stat().st_size for path in self._paths)
        done, shown = 0, time.monotonic()
        for path in self._paths:
            with path.open("rb") as lines:
                for line in lines:
                    done += len(line)
                    if self._shows_progress and time.monotonic() - shown > _PROGRESS_S:
                        shown = time.monotonic()
                        print(f"\r{100 * done // max(total, 1):3} %", end="\r", file=sys.stderr, flush=True)
                    yield from self._spans_of(line)

    def _spans_of(self, line: bytes) -> Iterator[SpanFacts]:
        if not line.strip():
            return
        try:
            document: Any = decode(line)
            if "resourceSpans" in document:
                yield from [_facts(span) for span in _spans(document)]
            elif not any(key in document for key in _OTHER_SIGNALS):
                self.skipped += 1
        except (ValueError, TypeError, KeyError, AttributeError):
            self.skipped += 1


def _spans(document: Any) -> Iterator[Any]:
    for resource in document["resourceSpans"]:
        for scope in resource.get("scopeSpans", ()):
            yield from scope.get("spans", ())


def _facts(span: Any) -> SpanFacts:
    start, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
    return SpanFacts(
        trace_id=span["traceId"],
        name=span.get("name", ""),
        is_root=not span.get("parentSpanId"),
        start_ns=start,
        duration_s=(end - start) / 1e9,
        is_error=span.get("status", {}).get("code") in _ERROR,
        attributes={pair["key"]: _value(pair.get("value", {})) for pair in span.get("attributes", ())},
    )


def _value(value: Any) -> Any:
    """Numbers of 64 bits are texts in OTLP's JSON; other kinds are not needed."""
    if "intValue" in value:
        return int(value["intValue"])
    return value.get("stringValue", value.get("doubleValue", value.get("boolValue")))
