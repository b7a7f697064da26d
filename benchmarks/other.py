"""Everything that is not a cost per event: memory, import, what an application feels. Labels and numbers per mode."""

import json
import subprocess
import sys
import time

from benchmarks import imports, peers
from benchmarks.modes import OURS

KINDS = ("refusing", "silent")
"""Collectors that are down: one that refuses connections, one that takes them and never answers."""


def measure(mode: str) -> dict[str, float]:
    """All of it, each part in a process of its own; some minutes."""
    found = _output("memory", mode) | loading(mode) | _output("outage", "lag", mode)
    for kind in KINDS:
        found |= _output("outage", "collector", mode, kind)
        found[f"s to exit, collector {kind}"] = exit_time(mode, kind)
    return found


def loading(mode: str) -> dict[str, float]:
    """What importing the mode's package costs; nothing for modes that have none."""
    if mode in OURS:
        return imports.measure()
    return imports.measure(peers.PEERS[mode].statement) if mode in peers.PEERS else {}


def exit_time(mode: str, kind: str) -> float:
    """Seconds from the end of the program to the end of its process."""
    left = _output("outage", "exit", mode, kind)["left"]
    return time.time() - left


def _output(module: str, *arguments: str) -> dict[str, float]:
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return dict(json.loads(done.stdout))
