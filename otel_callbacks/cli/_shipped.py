"""The files of the stack that travel with the package: compose file, configurations, boards and rules."""

import os
import shutil
from pathlib import Path
from typing import Final

_PACKED: Final = Path(__file__).parents[1] / "_stack"
BOARDS: Final = "dashboards"
RULES: Final = "dashboards/rules"
_STACK: Final = ("docker-compose.yml", "docker-compose.scale.yml", ".env.example", "deploy", BOARDS)
_SOURCES: Final = ("*.py", "__pycache__", "boards", "tests")


def shipped() -> Path:
    """Return the folder that holds them: in the installed package, or in the checkout it was installed from."""
    return _PACKED if _PACKED.is_dir() else Path(__file__).parents[2]


def copy_stack(folder: Path) -> None:
    """Copy all files of the stack into a folder, replacing older ones; everything else in it stays.

    Containers run as users other than the one who copies, so all users may read the files.
    """
    for name in _STACK:
        source, target = shipped() / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns(*_SOURCES), dirs_exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        # On a file, rglob yields nothing.
        for path in (target, *target.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)


def copy_boards(folder: Path) -> list[Path]:
    """Copy boards and rules into a folder, and return the paths written."""
    boards = sorted((shipped() / BOARDS).glob("*.json"))
    rules = sorted((shipped() / RULES).glob("*.yml"))
    targets = {
        **{path: folder / path.name for path in boards},
        **{path: folder / "rules" / path.name for path in rules},
    }
    for source, target in targets.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return list(targets.values())


def stack_folder() -> Path:
    """Return where the stack's files are kept for Docker to mount: in the user's data folder."""
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "otel-callbacks" / "stack"
