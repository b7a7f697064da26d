"""Where the instructions go: the cost of our functions.

usage: python -m benchmarks.hotspots SCENARIO [MODE]

Needs Python 3.12 or later on Linux: it gives each Python function a few bytes of machine code of its own
(``-X perf``), by whose addresses valgrind's figures can be told apart. That slows calls down, so figures are some 15 %
above those of the tables.
"""

import re
import sys
from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks import callgrind
from benchmarks.report import table
from benchmarks.scenarios import SCENARIOS

HEAD = ("function", "file", "calls", "thousand instructions, with what it calls")
_MOST_ROWS = 40
_CALLED = re.compile(rb"^cfn=\((\d+)\)(?: (\S+))?.*\n^calls=(\d+) .*\n\S+ (\d+)", re.MULTILINE)
_NAME = re.compile(rb"fn=\((\d+)\) (\S+)")
_OURS_AND_BELOW = re.compile(r"(.+):.*/((?:otel_callbacks|opentelemetry)/.+)")


class Function(NamedTuple):
    """A Python function and everything that it called."""

    name: str
    calls: int
    instructions: int


class Stubs:
    """The addresses of Python's functions, from the file that it writes for ``perf``."""

    def __init__(self, lines: Iterable[str]) -> None:
        parts = (line.split(" ", 2) for line in lines)
        self._entries = sorted((int(address, 16), int(size, 16), name) for address, size, name in parts)
        self._starts = [start for start, _, _ in self._entries]

    def name(self, address: int) -> str | None:
        """Return the function at an address."""
        index = bisect(self._starts, address) - 1
        if index < 0:
            return None
        start, size, name = self._entries[index]
        return name.removeprefix("py::").strip() if address < start + size else None


def functions(dump: bytes, stubs: Stubs) -> list[Function]:
    """List the Python functions in one of valgrind's dumps, the most expensive first."""
    calls: Counter[str] = Counter()
    instructions: Counter[str] = Counter()
    for symbol, count, cost in _calls(dump):
        name = stubs.name(int(symbol, 16)) if symbol.startswith("0x") else None
        if name is not None:
            calls[name] += count
            instructions[name] += cost
    return [Function(name, calls[name], cost) for name, cost in instructions.most_common()]


def _calls(dump: bytes) -> Iterator[tuple[str, int, int]]:
    """Yield callee, calls and inclusive instructions of each edge; valgrind names a symbol once, then by number."""
    names = dict(_NAME.findall(dump))
    for number, _, count, cost in _CALLED.findall(dump):
        yield names[number].decode().partition("'")[0], int(count), int(cost)


def missing() -> str | None:
    """Return what must be there before functions can be told apart; ``None`` if nothing is missing."""
    return callgrind.missing() or (None if sys.version_info >= (3, 12) else "Python 3.12 or later")


def measure(scenario: str, mode: str) -> list[list[str]]:
    """Rank functions of this package and of OpenTelemetry by cost per run of the program: rows for `HEAD`."""
    arguments = ("instructions", scenario, f"none,{mode}", "1")
    run = callgrind.run("benchmarks.measure", *arguments, options=["-X", "perf"])
    addresses = Path(f"/tmp/perf-{run.pid}.map")  # noqa: S108 - where Python puts it
    ranking = functions(dict(run.dumps)[mode], Stubs(addresses.read_text().splitlines()))
    addresses.unlink()
    calls = SCENARIOS[scenario].calls
    return [
        [f"`{place[1]}`", place[2], f"{function.calls / calls:.2f}", f"{function.instructions / calls / 1000:.1f}"]
        for function in ranking
        if (place := _OURS_AND_BELOW.fullmatch(function.name))
    ][:_MOST_ROWS]


def main(scenario: str, mode: str = "ours") -> None:
    """Print the ranking as a table."""
    if lack := missing():
        sys.exit(f"Telling functions apart needs {lack}.")
    print(table(HEAD, measure(scenario, mode)))


if __name__ == "__main__":
    main(*sys.argv[1:])
