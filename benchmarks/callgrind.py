"""Counting instructions: the process runs under valgrind and tells it where the measured blocks begin and end."""

import ctypes
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

_LIBRARY = "OTEL_CALLBACKS_BENCHMARK_LIBRARY"
_SOURCE = """
#include <valgrind/callgrind.h>
void start(void) { CALLGRIND_START_INSTRUMENTATION; }
void stop(void) { CALLGRIND_STOP_INSTRUMENTATION; }
void mark(const char *label) { CALLGRIND_DUMP_STATS_AT(label); }
"""
_LABEL = re.compile(rb"^desc: Trigger: Client Request: (.+)$", re.MULTILINE)
_TOTAL = re.compile(rb"^(?:summary|totals): (\d+)", re.MULTILINE)


class Run(NamedTuple):
    """A process that has ended."""

    pid: int
    output: str
    dumps: list[tuple[str, bytes]]
    """Each mark it made, in order, and valgrind's account of what happened since the one before, in all threads."""

    def instructions(self) -> list[tuple[str, int]]:
        """The number of instructions up to each mark."""
        return [(label, int(_TOTAL.findall(dump)[-1])) for label, dump in self.dumps]


def missing() -> str | None:
    """What has to be installed before instructions can be counted here; ``None`` when all is there."""
    if shutil.which("valgrind") is None:
        return "valgrind"
    return None if shutil.which("cc") else "a C compiler"


def run(module: str, *arguments: str, options: Sequence[str] = ()) -> Run:
    """Run ``python OPTIONS -m MODULE ARGUMENTS`` under callgrind.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        valgrind = ["valgrind", "--tool=callgrind", "--quiet", "--instr-atstart=no", f"--callgrind-out-file={out}"]
        # Hashes of strings decide about collisions in dictionaries, so without a fixed seed no two runs are alike.
        environment = {**os.environ, "PYTHONHASHSEED": "0", _LIBRARY: str(_build(Path(folder)))}
        command = [*valgrind, sys.executable, *options, "-m", module, *arguments]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            output, _ = process.communicate()
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
        return Run(process.pid, output, list(_dumps(out)))


def _build(folder: Path) -> Path:
    source, library = folder / "marks.c", folder / "marks.so"
    source.write_text(_SOURCE)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return library


def _dumps(out: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(out.parent.glob(f"{out.name}.*"), key=lambda path: int(path.suffix[1:])):
        dump = path.read_bytes()
        label = _LABEL.search(dump)
        if label:
            yield label[1].decode(), dump


class Marks:
    """For the measured process: tells valgrind what to count."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(os.environ[_LIBRARY])

    def start(self) -> None:
        """Count from here on, in all threads."""
        self._library.start()

    def stop(self) -> None:
        """Run at full speed again."""
        self._library.stop()

    def mark(self, label: str) -> None:
        """What was counted since the last mark belongs to `label`."""
        self._library.mark(label.encode())
