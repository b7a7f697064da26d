"""Spans drawn as lines of text: pure, from spans to one string. Reads names and figures only, never content."""

import math
import time
import unicodedata
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

from otel_callbacks import semconv

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

LONGEST_NAME: Final = 200
"""Characters of a name that are kept."""
SHORTEST_LABEL: Final = 16
"""Columns for branch and name, however narrow the terminal is."""

_OK, _OPEN, _ERROR = "ok", "open", "error"
_RED, _YELLOW, _DIM = "31", "33", "2"
_QUIET: Final = (_OK, _OPEN)
_MARGIN: Final = " " * len("hh:mm:ss ")
_MILLISECOND: Final = 0.001
_MILLISECONDS_BELOW: Final = 0.1
_MINUTE: Final = 60


class Line(NamedTuple):
    """What the tree shows of one span."""

    span_id: int
    parent_id: int | None
    """None also for a parent in another process."""
    trace_id: int
    name: str
    start_s: float
    """Seconds since the epoch."""
    duration_s: float | None
    """None while the span is open."""
    first_chunk_s: float | None
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    outcome: str
    error_type: str


class Glyphs(NamedTuple):
    """The characters that draw a tree."""

    child: str
    last_child: str
    passing: str
    blank: str
    arrow: str
    cut: str


BOXES: Final = Glyphs("├─ ", "└─ ", "│  ", "   ", "→", "…")
ASCII: Final = Glyphs("|- ", "`- ", "|  ", "   ", "->", "...")


class Style(NamedTuple):
    """What the output can show: columns of a line, colours, characters."""

    width: int
    has_colour: bool
    encoding: str

    @property
    def glyphs(self) -> Glyphs:
        """The tree's characters: boxes, or ASCII if the encoding lacks them."""
        return BOXES if self.encodable("".join(BOXES)) == "".join(BOXES) else ASCII

    def encodable(self, text: str) -> str:
        """Escape what the encoding lacks."""
        return text.encode(self.encoding, "backslashreplace").decode(self.encoding)


def line_of(span: "ReadableSpan") -> Line:
    """Return what the line of a span shows, started or ended."""
    context, parent = span.context, span.parent
    start, end = span.start_time or 0, span.end_time
    return Line(
        span_id=context.span_id if context else 0,
        parent_id=parent.span_id if parent and not parent.is_remote else None,
        trace_id=context.trace_id if context else 0,
        name=printable(span.name[:LONGEST_NAME]),
        start_s=start / 1e9,
        duration_s=None if end is None else (end - start) / 1e9,
        first_chunk_s=_number(span, semconv.RESPONSE_TIME_TO_FIRST_CHUNK),
        input_tokens=_count(span, semconv.USAGE_INPUT),
        output_tokens=_count(span, semconv.USAGE_OUTPUT),
        cost_usd=_number(span, semconv.COST_USD),
        outcome=_outcome(span),
        error_type=_error_type(span),
    )


def duration_text(seconds: float) -> str:
    """Format a duration for people: ``<1ms``, ``75ms``, ``1.94s``, ``2m05s``."""
    if seconds < _MILLISECOND:
        return "<1ms"
    if seconds < _MILLISECONDS_BELOW:
        return f"{seconds * 1e3:.0f}ms"
    if seconds < _MINUTE:
        return f"{seconds:.2f}s"
    # Rounded first: 119.6 seconds are 2m00s, not 1m60s.
    minutes, rest = divmod(round(seconds), _MINUTE)
    return f"{minutes}m{rest:02}s"


def _number(span: "ReadableSpan", key: str) -> float | None:
    value = (span.attributes or {}).get(key)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return value
    return None


def _count(span: "ReadableSpan", key: str) -> int | None:
    value = _number(span, key)
    return None if value is None else int(value)


def _text(span: "ReadableSpan", key: str) -> str:
    return printable(str((span.attributes or {}).get(key, ""))[:LONGEST_NAME])


def _outcome(span: "ReadableSpan") -> str:
    """Return our own outcome or, for a foreign span, the one its status implies."""
    if span.end_time is None:
        return _OPEN
    return _text(span, semconv.OUTCOME) or (_OK if span.status.is_ok else _ERROR)


def _error_type(span: "ReadableSpan") -> str:
    """Return `error.type` or, for a foreign span without it, the type of its last recorded exception."""
    exceptions = [event.attributes or {} for event in span.events if event.name == semconv.EVENT_EXCEPTION]
    recorded = exceptions[-1].get(semconv.EXCEPTION_TYPE, "") if exceptions else ""
    return _text(span, semconv.ERROR_TYPE) or printable(str(recorded)[:LONGEST_NAME])


def printable(text: str) -> str:
    """Escape what could move the cursor, hide or reorder text; line ends as well."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def draw_tree(lines: Mapping[int, Line], style: Style) -> str:
    """Draw all spans of one local root, by span id: children under parents, siblings by start time."""
    return _draw(list(_walk(lines, style.glyphs)), style) + draw_footer(next(iter(lines.values())), style)


def draw_line(line: Line, depth: int, style: Style) -> str:
    """Draw one span alone, indented by its depth."""
    return _draw([("  " * depth, line)], style)


def draw_footer(line: Line, style: Style) -> str:
    """Draw the trace id, by which the trace can be found elsewhere."""
    return _paint(f"{_MARGIN}trace {line.trace_id:032x}", _DIM, style) + "\n"


def _draw(entries: list[tuple[str, Line]], style: Style) -> str:
    """Draw lines, each with the branch that leads to its name, followed by its figures."""
    glyphs = style.glyphs
    labels = [branch + style.encodable(line.name) for branch, line in entries]
    figures, label_width = _layout(
        labels, [_figures(line, glyphs.arrow) for _, line in entries], style.width - len(_MARGIN)
    )
    start = time.strftime("%H:%M:%S ", time.localtime(entries[0][1].start_s))
    margins = [start] + [_MARGIN] * (len(entries) - 1)
    return "".join(
        _paint(margin, _DIM, style)
        + _paint((_fit(label, label_width, glyphs.cut) + cells).rstrip(), _colour(line), style)
        + "\n"
        for margin, label, cells, (_, line) in zip(margins, labels, figures, entries, strict=True)
    )


def _layout(labels: list[str], rows: list[tuple[str, ...]], width: int) -> tuple[list[str], int]:
    """Choose figures in columns where every label has room beside them, else figures in a row and cut labels."""
    widest = max(map(_columns, labels))
    in_columns = _aligned(rows)
    if widest + max(map(len, in_columns)) <= width:
        return in_columns, widest
    in_rows = ["".join(f"  {cell}" for cell in row if cell) for row in rows]
    return in_rows, min(widest, max(SHORTEST_LABEL, width - max(map(len, in_rows))))


def _walk(lines: Mapping[int, Line], glyphs: Glyphs) -> Iterator[tuple[str, Line]]:
    """Yield each line, parents first, with the branch that leads to its name."""
    children: defaultdict[int | None, list[Line]] = defaultdict(list)
    for line in sorted(lines.values(), key=lambda line: line.start_s):
        children[line.parent_id if line.parent_id in lines else None].append(line)
    # A stack, because trees can be deeper than Python's recursion limit.
    pending = [("", "", root) for root in reversed(children[None])]
    while pending:
        branch, indent, line = pending.pop()
        yield branch, line
        below = [(indent + glyphs.child, indent + glyphs.passing, child) for child in children[line.span_id]]
        if below:
            below[-1] = (indent + glyphs.last_child, indent + glyphs.blank, below[-1][2])
        pending.extend(reversed(below))


def _figures(line: Line, arrow: str) -> tuple[str, ...]:
    return (
        f"{_OPEN if line.duration_s is None else duration_text(line.duration_s):>7}",
        "" if line.first_chunk_s is None else f"ttft {duration_text(line.first_chunk_s)}",
        _tokens(line, arrow),
        "" if line.cost_usd is None else f"${line.cost_usd:.6f}",
        "" if line.outcome in _QUIET else f"{line.outcome} {line.error_type}".rstrip(),
    )


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Join the cells of each row, every column as wide as its widest cell; empty columns are left out."""
    columns = [column for column in zip(*rows, strict=True) if any(column)]
    padded = [[f"  {cell:<{max(map(len, column))}}" for cell in column] for column in columns]
    return ["".join(cells) for cells in zip(*padded, strict=True)]


def _tokens(line: Line, arrow: str) -> str:
    if line.input_tokens is None and line.output_tokens is None:
        return ""
    counts = ["?" if count is None else str(count) for count in (line.input_tokens, line.output_tokens)]
    return f"{arrow.join(counts)} tok"


def _columns(text: str) -> int:
    return len(text) if text.isascii() else sum(map(_column_count, text))


def _column_count(character: str) -> int:
    """Return the columns that a character takes: two if it is wide in East Asian terms, none if it combines."""
    return 0 if unicodedata.combining(character) else 1 + (unicodedata.east_asian_width(character) in "WF")


def _fit(text: str, width: int, cut: str) -> str:
    """Pad to the width, or cut and mark the cut."""
    if _columns(text) > width:
        ends = list(accumulate(map(_column_count, text)))
        text = text[: bisect_right(ends, width - len(cut))] + cut
    return text + " " * (width - _columns(text))


def _colour(line: Line) -> str:
    if line.outcome in _QUIET:
        return ""
    return _RED if line.outcome == _ERROR else _YELLOW


def _paint(text: str, colour: str, style: Style) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if colour and style.has_colour else text
