"""Run scenarios, each in its own process, and return their rows."""

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence

from benchmarks import callgrind
from benchmarks.measure import COUNT_ROUNDS, TIME_ROUNDS
from benchmarks.results import Row, row
from benchmarks.scenarios import SCENARIOS

_MODULE = "benchmarks.measure"


def time(name: str, modes: Sequence[str], rounds: int = TIME_ROUNDS) -> Row:
    """Measure the scenario's CPU time."""
    command = [sys.executable, "-m", _MODULE, "time", name, ",".join(modes), str(rounds)]
    figures = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    return row(figures, figures["seconds"], "cpu")


def instructions(name: str, modes: Sequence[str], rounds: int = COUNT_ROUNDS) -> Row:
    """Count the scenario's instructions; `callgrind.missing` tells whether that is possible here."""
    run = callgrind.run(_MODULE, "instructions", name, ",".join(modes), str(rounds))
    blocks = defaultdict(list)
    for label, count in run.instructions():
        blocks[label].append(count / SCENARIOS[name].calls)
    return row(json.loads(run.output), blocks, "instructions")
