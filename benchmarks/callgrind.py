"""Count instructions: the process runs under valgrind, and marks where the measured blocks begin and end."""

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
    """Each mark, in order, and valgrind's account of what happened in all threads since the one before."""

    def instructions(self) -> list[tuple[str, int]]:
        """Return the number of instructions up to each mark."""
        return [(label, int(_TOTAL.findall(dump)[-1])) for label, dump in self.dumps]


def missing() -> str | None:
    """Return what must be installed before instructions can be counted here; ``None`` if nothing is missing."""
    if shutil.which("valgrind") is None:
        return "valgrind"
    return None if shutil.which("cc") else "a C compiler"


def run(module: str, *arguments: str, options: Sequence[str] = ()) -> Run:
    """Run ``python OPTIONS -m MODULE ARGUMENTS`` under callgrind.

    Raises:
        subprocess.CalledProcessError: It failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        valgrind = ["valgrind", "--tool=callgrind", "--quiet", "--instr-atstart=no", f"--callgrind-out-file={out}"]
        # Hashes of strings decide collisions in dictionaries: without a fixed seed no two runs count the same.
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
    """Valgrind's counter, for use in the measured process."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(os.environ[_LIBRARY])

    def start(self) -> None:
        """Start counting, in all threads."""
        self._library.start()

    def stop(self) -> None:
        """Stop counting, and run at full speed again."""
        self._library.stop()

    def mark(self, label: str) -> None:
        """Assign what was counted since the last mark to `label`."""
        self._library.mark(label.encode())
