"""The plan of the house: rooms stand on floors, and each knows only what lies below it. Type-only imports count."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import otel_callbacks

PACKAGE = Path(otel_callbacks.__file__).parent
FLOORS = (
    {"_version", "semconv", "types", "_langchain", "_process", "_spans", "files"},
    {"config", "_drawing"},
    {"_mapping", "control", "console"},
    {"_content", "_metrics"},
    {"_runs", "feedback"},
    {"handler", "embeddings"},
    {"_setup", "instrumentor", "testing"},
    {"providers", "_pytest_plugin"},
    {"__init__"},
    {"cli", "auto"},
    {"__main__"},
)
"""From the ground up. Neighbours on the ground floor may know each other, those on other floors may not."""
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
MOST_ROOT_MODULES = 18
MODULES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    """The room a module lies in: a folder of the package, or the module itself."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def own_imports(source: str, rooms: set[str]) -> Iterator[str]:
    """The rooms that a module imports from, wherever in it the import stands."""
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            package, *inside = name.split(".")
            if package == "otel_callbacks":
                yield inside[0] if inside and inside[0] in rooms else "__init__"


def module_name(path: Path) -> str:
    """The dotted name of a module."""
    return ".".join(("otel_callbacks", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


def imported_modules(path: Path, names: set[str]) -> set[str]:
    """The package's own modules that a module imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in names else node.module for name in inside}
    return found & names - {module_name(path)}


def test_imports_count_in_every_form():
    """An import is seen at the top, inside a function, for type checkers only, and of the package itself."""
    source = """
import otel_callbacks.config
from otel_callbacks import semconv, setup
if TYPE_CHECKING:
    from otel_callbacks._runs.run import OpenRun
def late():
    from otel_callbacks.files import span_exporter
"""
    assert sorted(own_imports(source, set(FLOOR))) == ["__init__", "_runs", "config", "files", "semconv"]


def test_every_room_has_one_floor():
    """No module stands outside the plan, and the plan names no room that is gone or stands twice."""
    assert sorted(name for rooms in FLOORS for name in rooms) == sorted({room(path) for path in MODULES})


@pytest.mark.parametrize("path", [pytest.param(path, id=path.relative_to(PACKAGE).as_posix()) for path in MODULES])
def test_a_room_imports_only_from_below(path):
    """Imports lead down; only on the ground do they lead to a neighbour."""
    here = room(path)
    others = set(own_imports(path.read_text(encoding="utf-8"), set(FLOOR))) - {here}

    upwards = {other for other in others if FLOOR[other] >= FLOOR[here]}
    neighbours = {other for other in upwards if FLOOR[other] == FLOOR[here] == 0}
    assert upwards - neighbours == set()


def test_no_circle():
    """No module reaches itself by its imports, those for type checkers included."""
    names = {module_name(path) for path in MODULES}
    edges = {module_name(path): imported_modules(path, names) for path in MODULES}

    while leaves := {name for name, targets in edges.items() if not targets & edges.keys()}:
        edges = {name: targets for name, targets in edges.items() if name not in leaves}
    assert edges == {}


def test_the_root_holds_the_public_modules_and_little_else():
    """A newcomer sees the whole plan in one listing: public modules and rooms."""
    root = [path.stem for path in PACKAGE.glob("*.py")]

    private = {name for name in root if name.startswith("_")}
    assert private == {"__init__", "__main__", "_version", "_pytest_plugin", "_drawing"}
    assert len(root) <= MOST_ROOT_MODULES


def test_public_names_say_where_they_are_public():
    """The module that a public class or function names is one that users may import."""
    homes = {name: getattr(otel_callbacks, name).__module__ for name in otel_callbacks.__all__}

    assert {name: home for name, home in homes.items() if "._" in home} == {}
