"""``otel-callbacks report``: figures of traffic from files, without a server."""

import argparse
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from otel_callbacks.cli._durations import seconds_of
from otel_callbacks.cli._exit import FINDING, GOOD, Stop

NAME: Final = "report"
HELP: Final = "Latency, errors, tokens and cost by model, tool, agent and node, from OTLP JSON lines; gates for CI."

_SUBJECTS: Final = ("model", "tool", "agent", "workflow", "node")
_FORMATS: Final = ("text", "json", "csv", "md")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="OTLP JSON lines, or folders of *.jsonl")
    parser.add_argument("--by", default=",".join(_SUBJECTS), metavar="WHAT,...", help=f"some of {', '.join(_SUBJECTS)}")
    parser.add_argument(
        "--since", metavar="TIME", help="only spans that started since: 30m, 2h, 7d, or an ISO 8601 time"
    )
    parser.add_argument("--slowest", type=int, default=5, metavar="N", help="how many traces to name (default: 5)")
    parser.add_argument("--format", choices=_FORMATS, default="text", help="how to print (default: text)")
    parser.add_argument("--json", action="store_true", help="the same as --format json")
    parser.add_argument(
        "--max-p95", metavar="TIME", help="exit 1 if the 95th percentile of root runs is above this, e.g. 3s"
    )
    parser.add_argument(
        "--max-error-ratio", type=float, metavar="RATIO", help="exit 1 if a larger share of root runs fails, e.g. 0.01"
    )
    parser.add_argument("--max-cost", type=float, metavar="USD", help="exit 1 if all model calls cost more, e.g. 0.10")


def run(args: argparse.Namespace) -> int:
    """Read the files and print the report. Return 1 if a limit is exceeded.

    Raises:
        Stop: A file cannot be read, or an option is invalid.
    """
    from otel_callbacks.cli._report import figures, formats, reading

    subjects = _subjects(args.by)
    since_ns = _since_ns(args.since) if args.since else 0
    max_p95_s = _seconds(args.max_p95, "--max-p95") if args.max_p95 else None
    source = reading.Source(reading.paths_of(args.files), shows_progress=sys.stderr.isatty())
    report = figures.Report(args.slowest)
    try:
        for span in source.spans():
            if span.start_ns >= since_ns:
                report.add(span)
    except OSError as error:
        raise Stop(f"{error.filename}: {error.strerror}") from error
    excesses = figures.excesses(report, max_p95_s, args.max_error_ratio, args.max_cost)
    print(formats.FORMATS["json" if args.json else args.format](report, subjects, source, excesses))
    return FINDING if excesses else GOOD


def _subjects(text: str) -> list[str]:
    subjects = [name.strip() for name in text.split(",") if name.strip()]
    for name in subjects:
        if name not in _SUBJECTS:
            raise Stop(f"--by {name}: must be one of {', '.join(_SUBJECTS)}")
    return subjects


def _seconds(text: str, option: str) -> float:
    seconds = seconds_of(text)
    if seconds is None:
        raise Stop(f"{option} {text}: must be a time such as 500ms, 3s or 2h")
    return seconds


def _since_ns(text: str) -> int:
    try:
        # `fromisoformat` reads "Z" only from Python 3.11 on.
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return time.time_ns() - int(_seconds(text, "--since") * 1e9)
    # A time without a zone is UTC.
    return int((moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp() * 1e9)
