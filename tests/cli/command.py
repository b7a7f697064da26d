"""The command line as a user runs it: in a process of its own, without this process's OpenTelemetry and keys."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
_HIDDEN = re.compile("(OTEL|LANG|OPENAI|ANTHROPIC|COLUMNS|NO_COLOR|FORCE_COLOR).*")


def environment(**variables):
    """Return the variables of a command, `variables` among them."""
    others = {name: value for name, value in os.environ.items() if not _HIDDEN.fullmatch(name)}
    return {**others, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", **variables}


def start(*arguments, cwd, **variables):
    """Start ``otel-callbacks`` with its output in pipes."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # Pytest may run as a shell's background job, which ignores Ctrl-C; so would every process it starts.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(
        [sys.executable, "-m", "otel_callbacks", *map(str, arguments)],
        cwd=cwd,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def run(*arguments, cwd, **variables):
    """Run ``otel-callbacks`` to its end. Return its exit code, standard output and standard error."""
    process = start(*arguments, cwd=cwd, **variables)
    output, errors = process.communicate()
    return process.returncode, output, errors
