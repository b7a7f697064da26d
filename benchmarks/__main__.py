"""The benchmark's command line; see docs/performance.md.

usage: python -m benchmarks run [--modes MODE,MODE] [--results FILE] [--quick] [NAME ...]
       python -m benchmarks peers [NAME ...]
       python -m benchmarks behaviour [NAME ...]
       python -m benchmarks check [--update]
       python -m benchmarks document
       python -m benchmarks simulate [--processes N] [--rate R] [--for 10s] [--endpoint URL] [--json]
       python -m benchmarks size
"""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import (
    callgrind,
    check,
    environments,
    hotspots,
    other,
    pairing,
    peers,
    report,
    results,
    simulate,
    sizing,
)
from benchmarks.modes import BASE
from benchmarks.scenarios import SCENARIOS

RESULTS = Path(__file__).parent / "results.json"
BEHAVIOUR = RESULTS.with_name("behaviour.json")
OTHER = "other"
"""Name of everything that is not a cost per event."""
HOT_SPOTS = "hot-spots"
"""Name of the profiles."""
_PROFILED = {"lcel": "ours-all", "agent": "ours"}
"""Scenario -> mode."""


def run(names: Sequence[str], modes: Sequence[str], path: Path, *, quick: bool) -> None:
    """Measure, and keep what is known already of everything else."""
    lacking = callgrind.missing()
    if lacking:
        print(f"CPU time only: counting instructions needs {lacking}.", file=sys.stderr)
    found = results.load(path)
    found["versions"] = results.versions()
    for name in names or [*SCENARIOS, OTHER, HOT_SPOTS]:
        print(f"{name} ...", file=sys.stderr, flush=True)
        if name in SCENARIOS:
            wanted = modes or SCENARIOS[name].modes
            found.setdefault("scenarios", {})[name] = _scenario(name, wanted, count=not lacking, quick=quick)
        elif name == OTHER:
            found[OTHER] = {mode: other.measure(mode) for mode in modes or BASE}
        else:
            found[HOT_SPOTS] = _hot_spots(found.get(HOT_SPOTS, {}))
        results.save(path, found)


def _scenario(name: str, modes: Sequence[str], *, count: bool, quick: bool) -> results.Row:
    rounds = {"rounds": 1} if quick else {}
    time = pairing.time(name, modes, **rounds)
    return results.merged(time, pairing.instructions(name, modes, **rounds) if count else None)


def _hot_spots(known: dict[str, Any]) -> dict[str, Any]:
    lacking = hotspots.missing()
    if lacking:
        print(f"Hot spots left as they are: telling functions apart needs {lacking}.", file=sys.stderr)
        return known
    return {name: [hotspots.HEAD, *hotspots.measure(name, mode)] for name, mode in _PROFILED.items()}


def _arguments(arguments: Sequence[str] | None) -> Any:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    measuring = commands.add_parser("run", help="measure this package beside no handler and the bound")
    measuring.add_argument(
        "names", nargs="*", metavar="NAME", help=f"scenarios, {OTHER!r} or {HOT_SPOTS!r}; all by default"
    )
    measuring.add_argument(
        "--modes", type=lambda text: text.split(","), default=(), help="instead of the scenario's own"
    )
    measuring.add_argument("--results", type=Path, default=RESULTS, help="JSON file to complete")
    measuring.add_argument("--quick", action="store_true", help="one round of everything")
    comparing = commands.add_parser("peers", help="install other tracers, each by itself, and measure them, too")
    comparing.add_argument("names", nargs="*", metavar="NAME", help=", ".join(peers.PEERS))
    asking = commands.add_parser("behaviour", help="ask this package and other tracers what docs/comparison.md tells")
    asking.add_argument("names", nargs="*", metavar="NAME", help=", ".join((environments.OURS, *peers.PEERS)))
    checking = commands.add_parser("check", help="compare instruction counts with the committed baseline")
    checking.add_argument("--update", action="store_true", help="make what is counted now the baseline")
    _simulating(commands.add_parser("simulate", help="run a fleet of traced processes, and count their spans"))
    commands.add_parser("size", help="measure what a fleet has to carry, and put it into docs/scale.md")
    commands.add_parser("document", help="put the results into docs/performance.md and docs/comparison.md")
    chosen = parser.parse_args(arguments)
    known = {
        "run": {*SCENARIOS, OTHER, HOT_SPOTS},
        "peers": set(peers.PEERS),
        "behaviour": {environments.OURS, *peers.PEERS},
    }.get(chosen.command, set())
    unknown = set(getattr(chosen, "names", ())) - known
    if unknown:
        parser.error(f"no such name: {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    return chosen


def _simulating(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--processes", type=_whole, default=4, metavar="N", help="how many (default: 4)")
    parser.add_argument(
        "--rate", type=_positive, default=20.0, metavar="R", help="runs a second, of all together (default: 20)"
    )
    parser.add_argument("--for", type=_seconds, default=10.0, dest="duration", metavar="TIME", help="10s or 2m")
    parser.add_argument(
        "--endpoint", type=_here, default="http://127.0.0.1:4318", metavar="URL", help="OTLP over HTTP, on this machine"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def _here(text: str) -> str:
    try:
        simulate.require_loopback(text)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(str(wrong)) from wrong
    return text


def _whole(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def _positive(text: str) -> float:
    found = re.fullmatch(r"\d+(\.\d+)?", text)
    if found is None or float(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return float(text)


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m)?", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 10s or 2m")
    return float(found[1]) * (60 if found[2] == "m" else 1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code."""
    chosen = _arguments(arguments)
    if chosen.command == "check":
        return check.main(update=chosen.update)
    if chosen.command == "run":
        run(chosen.names, chosen.modes, chosen.results, quick=chosen.quick)
        print(report.text(results.load(chosen.results)))
    elif chosen.command == "peers":
        environments.compare(chosen.names, RESULTS)
    elif chosen.command == "behaviour":
        environments.behaviour(chosen.names, BEHAVIOUR)
    elif chosen.command == "size":
        results.save(sizing.RESULTS, sizing.measure())
        report.fill(sizing.DOCUMENT, sizing.committed())
    elif chosen.command == "simulate":
        fates = simulate.fleet(chosen.endpoint, chosen.processes, chosen.rate, chosen.duration)
        print(json.dumps(simulate.as_json(fates), indent=2) if chosen.json else simulate.as_text(fates))
    else:
        report.fill(report.PERFORMANCE, report.tables(results.load(RESULTS)))
        report.fill(report.COMPARISON, {"behaviour": report.comparison(results.load(BEHAVIOUR))})
    return 0


if __name__ == "__main__":
    sys.exit(main())
