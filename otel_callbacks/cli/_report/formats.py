"""The report as text, JSON, CSV and Markdown."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from otel_callbacks._drawing import duration_text
from otel_callbacks.cli._report.figures import Group, Report
from otel_callbacks.cli._report.reading import skipped_note
from otel_callbacks.cli._tables import aligned

_COLUMNS = ("runs", "errors", "p50", "p95", "p99", "first chunk p95", "tokens in", "tokens out", "USD")
_PERCENTILES = (0.5, 0.95, 0.99)


def _rows(report: Report, subjects: Sequence[str]) -> Iterator[tuple[str, str, Group]]:
    for kind in subjects:
        groups = report.groups.get(kind, {})
        for name in sorted(groups, key=lambda name: (-groups[name].durations.count, name)):
            yield kind, name, groups[name]


def _tables(report: Report, subjects: Sequence[str]) -> Iterator[list[tuple[str, ...]]]:
    """Yield the table of each kind that has rows, its heading first."""
    for kind in subjects:
        rows = [(name, *_texts(group)) for _, name, group in _rows(report, [kind])]
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


def as_text(report: Report, subjects: Sequence[str], skipped: int, excesses: Sequence[str]) -> str:
    """Return tables for a terminal."""
    lines: list[str] = []
    for table in _tables(report, subjects):
        lines += [*aligned(table), ""]
    lines += [*_closing(report), *skipped_note(skipped), *(f"limit exceeded: {excess}" for excess in excesses)]
    return "\n".join(lines)


def as_markdown(report: Report, subjects: Sequence[str], skipped: int, excesses: Sequence[str]) -> str:
    """Return the same as Markdown."""
    lines: list[str] = []
    for heading, *rows in _tables(report, subjects):
        table = [heading, ("---",) * len(heading), *rows]
        # chr(92) is a backslash, which f-strings cannot contain before Python 3.12.
        lines += [*(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in table), ""]
    lines += [f"- {line.strip()}" for line in (*_closing(report), *skipped_note(skipped), *excesses)]
    return "\n".join(lines)


def as_csv(report: Report, subjects: Sequence[str], skipped: int, excesses: Sequence[str]) -> str:  # noqa: ARG001
    """Return one line per subject; times in seconds."""
    out = io.StringIO()
    # The default is \r\n on every system.
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["kind", "name", "runs", "errors", "p50_s", "p95_s", "p99_s", "first_chunk_p95_s",
                     "input_tokens", "output_tokens", "cost_usd"])  # fmt: skip
    for kind, name, group in _rows(report, subjects):
        # Counts by outcome and by error type do not fit into one row.
        values = [value for value in _facts(kind, name, group).values() if not isinstance(value, Mapping)]
        writer.writerow(["" if value is None else value for value in values])
    return out.getvalue().rstrip("\n")


def as_json(report: Report, subjects: Sequence[str], skipped: int, excesses: Sequence[str]) -> str:
    """Return one JSON document."""
    document = {
        "runs": _facts("all", "whole runs", report.roots),
        "cost_usd": report.cost_usd,
        "groups": [_facts(kind, name, group) for kind, name, group in _rows(report, subjects)],
        "slowest": [{"seconds": value, "trace_id": trace, "name": name} for value, trace, name in report.slowest],
        "most_expensive": [{"usd": value, "trace_id": trace, "name": name} for value, trace, name in report.dearest],
        "skipped_lines": skipped,
        "exceeded": list(excesses),
    }
    return json.dumps(document, indent=2)


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
    outcomes = ", ".join(f"{outcome} {count}" for outcome, count in roots.outcomes.most_common())
    p95 = duration_text(roots.durations.percentile(0.95) or 0)
    count = roots.durations.count
    yield f"{count} root run{'s' if count > 1 else ''} ({outcomes}), p95 {p95}, {report.cost_usd:.6f} USD"
    errors = report.errors_of_calls
    if errors:
        yield "errors of model and tool calls: " + ", ".join(f"{kind} {count}" for kind, count in errors.most_common())
    if report.slowest:
        yield "slowest traces"
        yield from (f"  {duration_text(value):>8}  {trace}  {name}" for value, trace, name in report.slowest)
    if report.dearest:
        yield "most expensive traces"
        yield from (f"  ${value:.6f}  {trace}  {name}" for value, trace, name in report.dearest)


FORMATS: Mapping[str, Callable[[Report, Sequence[str], int, Sequence[str]], str]] = {
    "text": as_text,
    "json": as_json,
    "csv": as_csv,
    "md": as_markdown,
}
