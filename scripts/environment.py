"""Make a virtual environment with exactly the versions of a constraints file.

usage: python scripts/environment.py FOLDER CONSTRAINTS PIP_INSTALL_ARGUMENT...

The environment belongs to the interpreter that runs this script. It replaces an existing folder. pip itself and
the tools that build the package always have the versions of constraints/newest.txt.
"""

import subprocess
import sys
import venv
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_NEWEST = _ROOT / "constraints" / "newest.txt"


def create(folder: Path, constraints: Path, *arguments: str) -> None:
    """Make the environment in `folder`, and install what the arguments for ``pip install`` name.

    Raises:
        subprocess.CalledProcessError: pip failed, and has printed why.
    """
    venv.create(folder, clear=True, with_pip=True, symlinks=True)
    # The pip that comes with Python 3.10 to 3.13 has neither --group nor --build-constraint.
    _pip_install(folder, "--constraint", str(_NEWEST), "pip")
    install(folder, constraints, *arguments)


def install(folder: Path, constraints: Path, *arguments: str) -> None:
    """Install what the arguments for ``pip install`` name into the environment in `folder`."""
    _pip_install(folder, "--constraint", str(constraints), "--build-constraint", str(_NEWEST), *arguments)


def _pip_install(folder: Path, *arguments: str) -> None:
    pip = (str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check")
    subprocess.run([*pip, "install", "--quiet", *arguments], cwd=_ROOT, check=True)


if __name__ == "__main__":
    try:
        create(Path(sys.argv[1]), Path(sys.argv[2]).resolve(), *sys.argv[3:])
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
