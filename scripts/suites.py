"""Run the tests of LangChain and LangGraph themselves under the tracer, and compare with a handler that does nothing.

usage: python scripts/suites.py [SUITE...]      such as "langgraph"; default: all four

The tests come from the source distributions of the releases in constraints/suites.txt. No test may fail that passes
with the other handler; every run must be a span in its place, no failure of the tracer counted, and nothing left open.
Environment and distributions stay in $XDG_CACHE_HOME/otel-callbacks (default ~/.cache/otel-callbacks).
"""

import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import environment
import native_build

_ROOT = Path(__file__).resolve().parent.parent
_CONSTRAINTS = _ROOT / "constraints" / "suites.txt"
_CACHE = native_build.cache_dir() / "suites"
_ENVIRONMENT = _CACHE / "environment"
_MODES = ("idle", "traced")
_TAIL = 20


class _Suite(NamedTuple):
    tests: str
    """Folder or file in the distribution."""
    options: tuple[str, ...] = ()


_SUITES = {
    "langchain-core": _Suite("tests/unit_tests", ("--disable-socket", "--allow-unix-socket")),
    "langchain": _Suite("tests/unit_tests", ("--disable-socket", "--allow-unix-socket")),
    "langgraph": _Suite("tests"),
    "langgraph-prebuilt": _Suite("tests"),
}
_BY_THE_CLOCK = (
    "test_runnable_gen_context_config",
    "test_delta_channel_benchmark",
    "time_travel_timing",
)
"""Parts of the names of tests that judge by the clock, which another process on the machine can fail as well."""


def _prepare() -> None:
    """Make the environment unless it has these constraints and this package already."""
    stamp = _ENVIRONMENT / "stamp"
    wanted = _CONSTRAINTS.read_text(encoding="utf-8")
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        print("Setting up the environment, some two minutes ...", flush=True)
        environment.create(_ENVIRONMENT, _CONSTRAINTS, "--group", "suites", "--editable", ".")
        stamp.write_text(wanted, encoding="utf-8")


def _distribution(name: str) -> Path:
    """Return the folder of the unpacked source distribution of the release that the environment has."""
    python = str(_ENVIRONMENT / "bin" / "python")
    code = f"import importlib.metadata as m; print(m.version({name!r}))"
    version = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    folder = _CACHE / f"{name.replace('-', '_')}-{version}"
    if not folder.is_dir():
        pip = [python, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        subprocess.run([*pip, "--no-build-isolation", "--dest", str(_CACHE), f"{name}=={version}"], check=True)
        with tarfile.open(f"{folder}.tar.gz") as archive:
            archive.extractall(_CACHE, filter="data")
    return folder


def _start(name: str, suite: _Suite, mode: str) -> tuple["subprocess.Popen[str]", Path]:
    folder = _distribution(name)
    report = _CACHE / f"{name}-{mode}.json"
    report.unlink(missing_ok=True)
    command = [
        str(_ENVIRONMENT / "bin" / "python"), "-m", "pytest", suite.tests, "-q", "-p", "suite_plugin", "--no-header",
        "-p", "no:cacheprovider", "--override-ini", "addopts=", "-m", "not benchmark", *suite.options,
    ]  # fmt: skip
    variables = {
        **os.environ,
        "NO_DOCKER": "true",
        "PYTHONPATH": os.pathsep.join((str(_ROOT / "scripts"), str(_ROOT))),
        "SUITE_HANDLER": mode,
        "SUITE_REPORT": str(report),
    }
    log = (_CACHE / f"{name}-{mode}.log").open("w", encoding="utf-8")
    return subprocess.Popen(command, cwd=folder, env=variables, stdout=log, stderr=subprocess.STDOUT, text=True), report


def _read(name: str, mode: str, report: Path) -> dict[str, Any]:
    if not report.is_file():
        log = (_CACHE / f"{name}-{mode}.log").read_text(encoding="utf-8").splitlines()
        raise SystemExit("\n".join([f"{name} ({mode}) wrote no report; the end of its output:", *log[-_TAIL:]]))
    seen: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return seen


def _judge(name: str, idle: dict[str, Any], traced: dict[str, Any]) -> list[str]:
    """Return what is wrong with a suite under the tracer."""
    passed = [test for test, outcome in idle["outcomes"].items() if outcome == "passed"]
    broken = [test for test in passed if traced["outcomes"].get(test) != "passed"]
    by_the_clock = [test for test in broken if any(part in test for part in _BY_THE_CLOCK)]
    print(
        f"{name}: {len(passed)} of {len(idle['outcomes'])} tests pass with a handler that does nothing, "
        f"{len(passed) - len(broken)} of them under the tracer; {traced['spans']} spans",
        flush=True,
    )
    for test in by_the_clock:
        print(f"  by the clock: {test}")
    wrong = [f"fails only under the tracer: {test}" for test in broken if test not in by_the_clock]
    return [f"{name}: {problem}" for problem in (*wrong, *traced["problems"])] or (
        [] if passed else [f"{name}: no test passed"]
    )


def main(names: list[str]) -> int:
    """Run the suites; return the exit code."""
    unknown = set(names) - set(_SUITES)
    if unknown:
        print(f"no such suite: {', '.join(sorted(unknown))}; there are {', '.join(_SUITES)}", file=sys.stderr)
        return 2
    _CACHE.mkdir(parents=True, exist_ok=True)
    _prepare()
    wrong: list[str] = []
    for name in names or _SUITES:
        started = time.monotonic()
        running = {mode: _start(name, _SUITES[name], mode) for mode in _MODES}
        for process, _ in running.values():
            process.wait()
        wrong += _judge(name, *(_read(name, mode, report) for mode, (_, report) in running.items()))
        print(f"  {time.monotonic() - started:.0f} s", flush=True)
    print("\n".join(wrong) or "Every test passes that passes without the tracer, and every run is in its place.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
