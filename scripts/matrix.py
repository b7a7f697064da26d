"""Run the tests with the oldest, the first stable and the newest releases that the package supports.

usage: python scripts/matrix.py [ENVIRONMENT...]      such as "oldest" or "newest-3.12"; default: all that can run here

The interpreter that runs this script gets all three sets of versions, every other one only the newest. Environments
stay in $XDG_CACHE_HOME/otel-callbacks (default ~/.cache/otel-callbacks), so a second run starts at once. As many run
side by side as there are processors. Tests of what no other package can change run only in `make test`.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import environment
import native_build

_ROOT = Path(__file__).resolve().parent.parent
_CACHE = native_build.cache_dir()
_HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
_PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
_SAME_EVERYWHERE = ("tests/cli", "tests/docs", "tests/content/test_linear_time.py", "tests/content/test_redaction.py")
_NO_TEST_RAN = 5
"""pytest's exit code when its arguments select nothing."""


class _Cell(NamedTuple):
    versions: str
    """Name of a file in constraints/."""
    python: str

    @property
    def name(self) -> str:
        return f"{self.versions}-{self.python}"


def _interpreters() -> dict[str, str]:
    """Return each Python version that really starts, and its executable; a command may be only a shim of pyenv's."""
    executables = {python: _executable(f"python{python}", _all_of_pyenv()) for python in _PYTHONS}
    return {python: path for python, path in executables.items() if path} | {_HERE: sys.executable}


def _all_of_pyenv() -> Mapping[str, str]:
    """Return an environment in which pyenv's shims start every version it has, not only the selected ones."""
    versions = _output(["pyenv", "versions", "--bare"], os.environ).split()
    return {**os.environ, "PYENV_VERSION": ":".join(versions)} if versions else os.environ


def _executable(command: str, variables: Mapping[str, str]) -> str:
    return _output([command, "-c", "import sys, venv; print(sys.executable)"], variables).strip()


def _output(command: list[str], variables: Mapping[str, str]) -> str:
    try:
        return subprocess.run(command, env=variables, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def _cells(interpreters: Mapping[str, str]) -> list[_Cell]:
    others = [_Cell("newest", python) for python in interpreters if python != _HERE]
    return [_Cell("oldest", _HERE), _Cell("core-1.0", _HERE), _Cell("newest", _HERE), *others]


@contextmanager
def _locked(cell: _Cell) -> Iterator[Path]:
    """Lock the folder of the cell's environment against other checkouts that use the same cache."""
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / f"{cell.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield _CACHE / cell.name


def _prepare(folder: Path, cell: _Cell, executable: str) -> None:
    """Bring the environment in line with the constraints and this checkout; rebuild it only if the former changed."""
    constraints = _ROOT / "constraints" / f"{cell.versions}.txt"
    fingerprint = hashlib.sha256(constraints.read_bytes() + executable.encode()).hexdigest()
    stamp = folder / "made-for"
    content = ["--group", "test", "--editable", "."]
    if stamp.is_file() and stamp.read_text() == fingerprint:
        environment.install(folder, constraints, *content)
        return
    create = [executable, environment.__file__, str(folder), str(constraints), *content]
    subprocess.run(create, check=True)
    stamp.write_text(fingerprint)


def _test(cell: _Cell, executable: str) -> tuple[str, float]:
    """Run the tests in the cell's environment, and print their output; return the result and the seconds it took."""
    started = time.monotonic()
    result, output = _run_tests(cell, executable)
    print(f"\n{cell.versions} releases on Python {cell.python}\n{output}", flush=True)
    return result, time.monotonic() - started


def _run_tests(cell: _Cell, executable: str) -> tuple[str, str]:
    with _locked(cell) as folder:
        try:
            _prepare(folder, cell, executable)
        except subprocess.CalledProcessError as error:
            return "not installable", str(error.stdout or error)
        ignored = [f"--ignore={path}" for path in _SAME_EVERYWHERE]
        python, selection = str(folder / "bin" / "python"), "not stack and not scale and not slow"
        pytest = [python, "-m", "pytest", "-q", "-m", selection, *ignored]
        cache = ["-o", f"cache_dir={folder / 'pytest-cache'}"]
        done = subprocess.run(
            [*pytest, *cache], cwd=_ROOT, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    return {0: "passed", _NO_TEST_RAN: "ran no test"}.get(done.returncode, "failed"), done.stdout


def _report(results: Mapping[_Cell, tuple[str, float]], missing: list[str]) -> None:
    print("\nTest matrix")
    for cell, (result, seconds) in results.items():
        print(f"  {cell.versions:9} Python {cell.python:5} {result:15} {seconds:6.0f} s")
    for python in missing:
        print(f"  newest    Python {python:5} not run: no python{python} on this machine")


def main(names: list[str]) -> int:
    """Run the cells whose names begin with one of `names`, by default all, and return the exit code."""
    interpreters = _interpreters()
    possible = _cells(interpreters)
    cells = [cell for cell in possible if cell.name.startswith(tuple(names or [""]))]
    if not cells:
        sys.exit(
            f"No environment matches {', '.join(names)}. On this machine: {', '.join(cell.name for cell in possible)}"
        )
    print("Running", ", ".join(cell.name for cell in cells), flush=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        outcomes = pool.map(lambda cell: _test(cell, interpreters[cell.python]), cells)
    results = dict(zip(cells, outcomes, strict=True))
    _report(results, [python for python in _PYTHONS if python not in interpreters])
    return 0 if all(result == "passed" for result, _ in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
