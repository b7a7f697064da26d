"""A separate environment for each other tracer, since their requirements exclude each other."""

import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.behaviour import PROBES
from benchmarks.modes import BASE
from benchmarks.peers import PEERS
from benchmarks.scenarios import SCENARIOS

_ROOT = Path(__file__).parent.parent
_ENVIRONMENTS = _ROOT / ".cache" / "peers"
OURS = "ours"
_PATIENCE_S = 300
_COMMON = ("pip", "langchain", "langgraph", "orjson", "opentelemetry-exporter-otlp")
_COMPARED = [name for name, scenario in SCENARIOS.items() if scenario.curve is None and not scenario.serialise]


def compare(names: Sequence[str], path: Path) -> None:
    """Measure the tracers beside this package, and add the figures to the results at `path`.

    Raises:
        KeyError: There is no tracer of that name.
        subprocess.CalledProcessError: It cannot be installed or measured.
    """
    for name in names or PEERS:
        figures = _measure(_install(name), name)
        measured = results.load(path)
        measured.setdefault("peers", {})[name] = figures
        results.save(path, measured)


def behaviour(names: Sequence[str], path: Path) -> None:
    """Run each probe of `benchmarks.behaviour` under this package and the tracers, and keep the answers at `path`.

    Raises:
        KeyError: There is no tracer of that name.
        subprocess.CalledProcessError: It cannot be installed.
    """
    for name in names or (OURS, *PEERS):
        python = Path(sys.executable) if name == OURS else _install(name)
        package = "otel-callbacks" if name == OURS else PEERS[name].requirement.partition("[")[0]
        tracers = results.load(path)
        tracers[name] = {
            "package": _version(python, package),
            "answers": {probe: _answer(python, name, probe) for probe in PROBES},
        }
        results.save(path, tracers)


def _answer(python: Path, name: str, probe: str) -> bool | None:
    """Return a probe's answer; ``None`` if the program itself fails under the tracer."""
    command = [str(python), "-m", "benchmarks.behaviour", name, probe]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False, timeout=_PATIENCE_S)
    last = done.stdout.strip().rpartition("\n")[2]
    return {"true": True, "false": False}.get(last)


def _install(name: str) -> Path:
    folder = _ENVIRONMENTS / name
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True, symlinks=True)
        _pip(python, "--upgrade", "pip")
        _pip(python, *_COMMON, PEERS[name].requirement, "--editable", str(_ROOT))
    return python


def _pip(python: Path, *arguments: str) -> None:
    subprocess.run([python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *arguments], check=True)


def _measure(python: Path, name: str) -> dict[str, Any]:
    path = _ENVIRONMENTS / f"{name}.json"
    command = [str(python), "-m", "benchmarks", "run", "--results", str(path)]
    for modes, parts in ((",".join((*BASE, name)), _COMPARED), (name, ("other",))):
        subprocess.run([*command, "--modes", modes, *parts], cwd=_ROOT, stdout=subprocess.DEVNULL, check=True)
    return {**results.load(path), "package": _version(python, PEERS[name].requirement.partition("[")[0])}


def _version(python: Path, package: str) -> list[str]:
    program = f"import importlib.metadata; print(importlib.metadata.version({package!r}), end='')"
    version = subprocess.run([python, "-c", program], stdout=subprocess.PIPE, text=True, check=True).stdout
    return [package, version]
