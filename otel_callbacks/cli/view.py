"""``otel-callbacks view``: traces from files as one HTML page that needs no server and no network."""

import argparse
import sys
from pathlib import Path
from typing import Final

from otel_callbacks.cli._exit import GOOD, Stop
from otel_callbacks.cli._terminal import show

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
        Stop: A file cannot be read or written, the page would replace a file it is made of, or would be too large.
    """
    from otel_callbacks.cli._report.reading import Source, paths_of
    from otel_callbacks.cli._view.page import MOST_BYTES, TooLargeError, page

    paths = paths_of(args.files)
    source = Source(paths, shows_progress=sys.stderr.isatty())
    try:
        if args.out.exists() and any(path.samefile(args.out) for path in paths):
            raise Stop(f"{args.out} is one of the files to read: name another file for the page with -o")
        args.out.write_bytes(page(source.spans()))
    except TooLargeError:
        raise Stop(
            f"the page would be larger than {MOST_BYTES // 10**6} MB, which no browser shows well: name fewer files, "
            "such as the newest one, or only its last lines (tail -n 1000 FILE > some.jsonl)"
        ) from None
    except OSError as error:
        raise Stop(f"{error.filename}: {error.strerror}") from error
    show(f"{args.out}: open it in a browser")
    for note in source.skipped_notes():
        print(note, file=sys.stderr)
    return GOOD
