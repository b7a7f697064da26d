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
"""The name for everything that is not a cost per event."""
HOT_SPOTS = "hot-spots"
"""The name for the profiles."""
_PROFILED = {"lcel": "ours-all", "agent": "ours"}
"""Scenario -> mode."""


def run(names: Sequence[str], modes: Sequence[str], path: Path, *, quick: bool) -> None:
    """Measure what `names` lists, by default everything, and keep the earlier results of the rest."""
    missing = callgrind.missing()
    if missing:
        print(f"CPU time only: counting instructions needs {missing}.", file=sys.stderr)
    measured = results.load(path)
    measured["versions"] = results.versions()
    for name in names or [*SCENARIOS, OTHER, HOT_SPOTS]:
        print(f"{name} ...", file=sys.stderr, flush=True)
        if name in SCENARIOS:
            measured.setdefault("scenarios", {})[name] = _scenario(
                name, modes or SCENARIOS[name].modes, count=not missing, quick=quick
            )
        elif name == OTHER:
            measured[OTHER] = {mode: other.measure(mode) for mode in modes or BASE}
        else:
            measured[HOT_SPOTS] = _hot_spots(measured.get(HOT_SPOTS, {}))
        results.save(path, measured)


def _scenario(name: str, modes: Sequence[str], *, count: bool, quick: bool) -> results.Row:
    rounds = {"rounds": 1} if quick else {}
    time = pairing.time(name, modes, **rounds)
    return results.merged(time, pairing.instructions(name, modes, **rounds) if count else None)


def _hot_spots(earlier: dict[str, Any]) -> dict[str, Any]:
    missing = hotspots.missing()
    if missing:
        print(f"Hot spots are kept unchanged: telling functions apart needs {missing}.", file=sys.stderr)
        return earlier
    return {name: [hotspots.HEAD, *hotspots.measure(name, mode)] for name, mode in _PROFILED.items()}


def _arguments(arguments: Sequence[str] | None) -> Any:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="measure this package beside no handler and the bound")
    run.add_argument("names", nargs="*", metavar="NAME", help=f"scenarios, {OTHER!r} or {HOT_SPOTS!r}; all by default")
    run.add_argument("--modes", type=lambda text: text.split(","), default=(), help="instead of the scenario's own")
    run.add_argument("--results", type=Path, default=RESULTS, help="JSON file to update")
    run.add_argument("--quick", action="store_true", help="one round of everything")
    compare = commands.add_parser("peers", help="install other tracers, each in its own environment, and measure them")
    compare.add_argument("names", nargs="*", metavar="NAME", help=", ".join(peers.PEERS))
    probe = commands.add_parser("behaviour", help="run the probes of docs/comparison.md under each tracer")
    probe.add_argument("names", nargs="*", metavar="NAME", help=", ".join((environments.OURS, *peers.PEERS)))
    count = commands.add_parser("check", help="compare instruction counts with the committed baseline")
    count.add_argument("--update", action="store_true", help="make the current counts the baseline")
    _add_simulation(commands.add_parser("simulate", help="run a fleet of traced processes, and count their spans"))
    commands.add_parser("size", help="measure what a fleet must carry, and write it into docs/scale.md")
    commands.add_parser("document", help="write the results into docs/performance.md and docs/comparison.md")
    args = parser.parse_args(arguments)
    choices = {
        "run": {*SCENARIOS, OTHER, HOT_SPOTS},
        "peers": set(peers.PEERS),
        "behaviour": {environments.OURS, *peers.PEERS},
    }.get(args.command, set())
    unknown = set(getattr(args, "names", ())) - choices
    if unknown:
        parser.error(f"no such name: {', '.join(sorted(unknown))}; choose from {', '.join(sorted(choices))}")
    return args


def _add_simulation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--processes", type=_whole, default=4, metavar="N", help="how many (default: 4)")
    parser.add_argument(
        "--rate",
        type=_positive,
        default=20.0,
        metavar="R",
        help="runs per second of all processes together (default: 20)",
    )
    parser.add_argument("--for", type=_seconds, default=10.0, dest="duration", metavar="TIME", help="10s or 2m")
    parser.add_argument(
        "--endpoint", type=_local, default="http://127.0.0.1:4318", metavar="URL", help="OTLP/HTTP, on this machine"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def _local(text: str) -> str:
    try:
        simulate.require_loopback(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _whole(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _positive(text: str) -> float:
    if re.fullmatch(r"\d+(\.\d+)?", text) is None or float(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return float(text)


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m)?", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 10s or 2m")
    return float(match[1]) * (60 if match[2] == "m" else 1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return the exit code."""
    args = _arguments(arguments)
    if args.command == "check":
        return check.main(update=args.update)
    if args.command == "run":
        run(args.names, args.modes, args.results, quick=args.quick)
        print(report.text(results.load(args.results)))
    elif args.command == "peers":
        environments.compare(args.names, RESULTS)
    elif args.command == "behaviour":
        environments.behaviour(args.names, BEHAVIOUR)
    elif args.command == "size":
        results.save(sizing.RESULTS, sizing.measure())
        report.fill(sizing.DOCUMENT, sizing.committed())
    elif args.command == "simulate":
        fates = simulate.fleet(args.endpoint, args.processes, args.rate, args.duration)
        print(json.dumps(simulate.as_json(fates), indent=2) if args.json else simulate.as_text(fates))
    else:
        report.fill(report.PERFORMANCE, report.tables(results.load(RESULTS)))
        report.fill(report.COMPARISON, {"behaviour": report.comparison(results.load(BEHAVIOUR))})
    return 0


if __name__ == "__main__":
    sys.exit(main())
