"""``otel-callbacks view``: traces from files as one HTML page that needs no server and no network."""

import argparse
import sys
from pathlib import Path
from typing import Final

from otel_callbacks.cli._exit import GOOD, Stop

NAME: Final = "view"
HELP: Final = (
    "Write one self-contained HTML page with the traces of OTLP JSON lines: list, waterfall, details, messages."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="OTLP JSON lines, or folders of *.jsonl")
    parser.add_argument(
        "-o", "--out", type=Path, default=Path("traces.html"), metavar="FILE", help="default: traces.html"
    )


def run(args: argparse.Namespace) -> int:
    """Write the page.

    Raises:
        Stop: A file cannot be read or written.
    """
    from otel_callbacks.cli._report.reading import Source, paths_of, skipped_note
    from otel_callbacks.cli._view.page import page

    source = Source(paths_of(args.files), shows_progress=sys.stderr.isatty())
    try:
        args.out.write_text(page(source.raw()), encoding="utf-8")
    except OSError as error:
        raise Stop(f"{error.filename}: {error.strerror}") from error
    print(f"{args.out}: open it in a browser")
    for note in skipped_note(source.skipped):
        print(note, file=sys.stderr)
    return GOOD
