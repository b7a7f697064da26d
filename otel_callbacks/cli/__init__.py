"""Command line ``otel-callbacks``: runs the command and turns its end into an exit code.

One module per command, each with ``NAME``, ``HELP``, ``add_arguments(parser)`` and ``run(args) -> int``. What a command
needs is imported when it runs.
"""

import argparse
import io
import os
import sys
from collections.abc import Sequence

from otel_callbacks._version import __version__
from otel_callbacks.cli import dashboards, demo, doctor, report, stack, view
from otel_callbacks.cli._exit import BROKEN_PIPE, INTERRUPTED, Stop
from otel_callbacks.cli._terminal import show

COMMANDS = (demo, doctor, report, view, stack, dashboards)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: Arguments without the program's name. Default: ``sys.argv[1:]``.

    Returns:
        Exit code: 0 good, 1 a finding, 2 usage error, 130 stopped by Ctrl-C, 141 the output has no reader.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error: a name may need more than the locale has
    try:
        code = _run(argv)
        # Here, where a broken pipe is still caught; at exit it would print a traceback.
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes standard output once more at exit; let that succeed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return code


def _run(argv: Sequence[str] | None) -> int:
    try:
        args = _parser().parse_args(argv)
        code: int = args.run(args)
    except SystemExit as end:  # help, version and wrong arguments
        return int(end.code or 0)
    except Stop as stop:
        show(str(stop), sys.stderr)
        return stop.code
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="otel-callbacks", description="OpenTelemetry for LangChain and LangGraph.")
    parser.add_argument("--version", action="version", version=f"otel-callbacks {__version__}")
    # Without `required`, argparse accepts a call without a command, and `args.run` is missing.
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        subparser = commands.add_parser(command.NAME, help=command.HELP, description=command.HELP)
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    return parser
