"""What is not a cost per event: memory, imports, what an application notices. Labels and numbers per mode."""

import json
import os
import subprocess
import sys
import tempfile
import time

from benchmarks import peers
from benchmarks.modes import OURS

KINDS = ("refusing", "silent")
"""Collectors that are down: one refuses connections, the other accepts them and never answers."""


_PROGRAM = """
import sys
from json import dumps
from time import process_time
from langchain_core.callbacks import BaseCallbackHandler, CallbackManager
from opentelemetry import _logs, context, metrics, trace
before, started = set(sys.modules), process_time()
{statement}
print(dumps({{"ms": (process_time() - started) * 1000, "modules": len(set(sys.modules) - before)}}))
"""
_IMPORT = "from otel_callbacks import OTelCallbackHandler"


def measure(mode: str) -> dict[str, float]:
    """Measure all of it, each part in its own process; takes some minutes."""
    figures = _output("memory", mode) | _imports(mode) | _output("outage", "lag", mode)
    for kind in KINDS:
        figures |= _output("outage", "collector", mode, kind)
        figures[f"s to exit, collector {kind}"] = exit_time(mode, kind)
    return figures


def _imports(mode: str) -> dict[str, float]:
    """Measure what importing the mode's package costs; empty for modes without one."""
    if mode in OURS:
        return imports(_IMPORT)
    return imports(peers.PEERS[mode].statement) if mode in peers.PEERS else {}


def imports(statement: str, repetitions: int = 10) -> dict[str, float]:
    """Measure what `statement` costs beside LangChain's callbacks and OpenTelemetry's API.

    Returns:
        CPU milliseconds (the least of `repetitions` processes, after one that compiled) and number of modules.
    """
    with tempfile.TemporaryDirectory() as compiled:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        command = [sys.executable, "-c", _PROGRAM.format(statement=statement)]
        loads = [_json(command, environment) for _ in range(repetitions + 1)][1:]
    return {"ms to import": min(load["ms"] for load in loads), "modules": loads[0]["modules"]}


def exit_time(mode: str, kind: str) -> float:
    """Measure the seconds from the end of the program to the end of its process."""
    left = _output("outage", "exit", mode, kind)["left"]
    return time.time() - left


def _output(module: str, *arguments: str) -> dict[str, float]:
    return _json([sys.executable, "-m", f"benchmarks.{module}", *arguments], stderr=subprocess.DEVNULL)


def _json(command: list[str], environment: dict[str, str] | None = None, stderr: int | None = None) -> dict[str, float]:
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True, check=True)
    return dict(json.loads(done.stdout))
