"""The report as text, JSON, CSV and Markdown."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from otel_callbacks._drawing import duration_text, printable
from otel_callbacks.cli._report.figures import Group, Report
from otel_callbacks.cli._report.reading import Source
from otel_callbacks.cli._tables import aligned
from otel_callbacks.cli._terminal import json_text

_COLUMNS = ("runs", "errors", "p50", "p95", "p99", "first chunk p95", "tokens in", "tokens out", "USD")
_PERCENTILES = (0.5, 0.95, 0.99)
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
"""How a cell begins that spreadsheets execute; some take wide characters as well."""
_MARKUP = re.compile(r"[\\`*\[\]<>|&~]")


def _rows(report: Report, subjects: Sequence[str]) -> Iterator[tuple[str, str, Group]]:
    for kind in subjects:
        groups = report.groups.get(kind, {})
        for name in sorted(groups, key=lambda name: (-groups[name].durations.count, name)):
            yield kind, name, groups[name]


def _tables(report: Report, subjects: Sequence[str]) -> Iterator[list[tuple[str, ...]]]:
    """Yield the table of each kind that has rows, its heading first."""
    for kind in subjects:
        rows = [(printable(name), *_texts(group)) for _, name, group in _rows(report, [kind])]
        if rows:
            yield [(kind, *_COLUMNS), *rows]


def _texts(group: Group) -> tuple[str, ...]:
    times = [group.durations.percentile(share) for share in _PERCENTILES]
    return (
        str(group.durations.count),
        f"{group.error_ratio:.1%}" if group.errors else "–",
        *("–" if seconds is None else duration_text(seconds) for seconds in times),
        "–" if (first := group.first_chunks.percentile(0.95)) is None else duration_text(first),
        str(group.input_tokens or "–"),
        str(group.output_tokens or "–"),
        f"{group.cost_usd:.6f}" if group.cost_usd else "–",
    )


def as_text(report: Report, subjects: Sequence[str], source: Source, excesses: Sequence[str]) -> str:
    """Return tables for a terminal."""
    lines: list[str] = []
    for table in _tables(report, subjects):
        lines += [*aligned(table), ""]
    lines += [*_closing(report), *source.skipped_notes(), *(f"limit exceeded: {excess}" for excess in excesses)]
    return "\n".join(lines)


def as_markdown(report: Report, subjects: Sequence[str], source: Source, excesses: Sequence[str]) -> str:
    """Return the same as Markdown."""
    lines: list[str] = []
    for heading, *rows in _tables(report, subjects):
        table = [heading, ("---",) * len(heading), *rows]
        lines += [*(f"| {' | '.join(map(_plain_markdown, row))} |" for row in table), ""]
    notes = (*_closing(report), *source.skipped_notes(), *excesses)
    lines += [f"- {_plain_markdown(line.strip())}" for line in notes]
    return "\n".join(lines)


def _plain_markdown(text: str) -> str:
    """Escape what would be markup."""
    return _MARKUP.sub(r"\\\g<0>", text)


def as_csv(report: Report, subjects: Sequence[str], source: Source, excesses: Sequence[str]) -> str:  # noqa: ARG001
    """Return one line per subject; times in seconds."""
    out = io.StringIO()
    # The default is \r\n on every system.
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["kind", "name", "runs", "errors", "p50_s", "p95_s", "p99_s", "first_chunk_p95_s",
                     "input_tokens", "output_tokens", "cost_usd"])  # fmt: skip
    for kind, name, group in _rows(report, subjects):
        # Counts by outcome and by error type do not fit into one row.
        values = [value for value in _facts(kind, name, group).values() if not isinstance(value, Mapping)]
        writer.writerow([_plain_cell(value) if isinstance(value, str) else value for value in values])
    return out.getvalue().rstrip("\n")


def _plain_cell(text: str) -> str:
    """Keep a spreadsheet from executing a cell: what begins with an apostrophe is text."""
    text = printable(text)
    return f"'{text}" if _FORMULA.match(text) else text


def as_json(report: Report, subjects: Sequence[str], source: Source, excesses: Sequence[str]) -> str:
    """Return one JSON document."""
    document = {
        "runs": _facts("all", "whole runs", report.roots),
        "cost_usd": report.cost_usd,
        "groups": [_facts(kind, name, group) for kind, name, group in _rows(report, subjects)],
        "slowest": [{"seconds": value, "trace_id": trace, "name": name} for value, trace, name in report.slowest],
        "most_expensive": [{"usd": value, "trace_id": trace, "name": name} for value, trace, name in report.dearest],
        "skipped_lines": source.skipped_lines,
        "skipped_spans": source.skipped_spans,
        "exceeded": list(excesses),
    }
    return json_text(document)


def _facts(kind: str, name: str, group: Group) -> dict[str, Any]:
    p50, p95, p99 = (group.durations.percentile(share) for share in _PERCENTILES)
    return {
        "kind": kind,
        "name": name,
        "runs": group.durations.count,
        "errors": sum(group.errors.values()),
        "p50_s": p50,
        "p95_s": p95,
        "p99_s": p99,
        "first_chunk_p95_s": group.first_chunks.percentile(0.95),
        "input_tokens": group.input_tokens,
        "output_tokens": group.output_tokens,
        "cost_usd": group.cost_usd,
        "outcomes": dict(group.outcomes),
        "errors_by_type": dict(group.errors),
    }


def _closing(report: Report) -> Iterator[str]:
    roots = report.roots
    if not roots.durations.count:
        yield "no root run"
        return
    outcomes = ", ".join(f"{printable(outcome)} {count}" for outcome, count in roots.outcomes.most_common())
    p95 = duration_text(roots.durations.percentile(0.95) or 0)
    count = roots.durations.count
    yield f"{count} root run{'s' if count > 1 else ''} ({outcomes}), p95 {p95}, {report.cost_usd:.6f} USD"
    errors = report.errors_of_calls
    if errors:
        yield "errors of model and tool calls: " + ", ".join(
            f"{printable(kind)} {count}" for kind, count in errors.most_common()
        )
    if report.slowest:
        yield "slowest traces"
        yield from (_place(f"{duration_text(seconds):>8}", *place) for seconds, *place in report.slowest)
    if report.dearest:
        yield "most expensive traces"
        yield from (_place(f"${usd:.6f}", *place) for usd, *place in report.dearest)


def _place(figure: str, trace_id: str, name: str) -> str:
    return f"  {figure}  {printable(trace_id)}  {printable(name)}"


FORMATS: Mapping[str, Callable[[Report, Sequence[str], Source, Sequence[str]], str]] = {
    "text": as_text,
    "json": as_json,
    "csv": as_csv,
    "md": as_markdown,
}
