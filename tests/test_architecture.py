"""Tests of imports in the source: what maps is pure, and the core is light."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import otel_callbacks

PACKAGE = Path(otel_callbacks.__file__).parent
PURE = {"semconv", "types", "_langchain", "_mapping", "config"}
"""Parts that map values to values. Within the package they may import only each other."""
PURE_CONTENT = {"policy", "extractors", "messages", "json", "redaction"}
"""Parts of `_content` that do the same; they may also import each other."""
WITH_SDK = {"providers", "_setup", "console", "files", "testing", "cli"}
"""Parts for applications that have not set up OpenTelemetry; they are loaded only on request."""
KNOWS_SDK = {"_metrics/bound.py": {"_consumer_of", "_aggregations", "_adds_up"}}
"""The one module of the core that knows the SDK from the inside -> its functions that load it, if the SDK is in use."""
WITH_LANGCHAIN = {"cli"}
"""Parts that run real LangChain programs."""

MODULES = [
    pytest.param(path, id=path.relative_to(PACKAGE).as_posix().removesuffix(".py"))
    for path in sorted(PACKAGE.rglob("*.py"))
]


def part(path: Path) -> str:
    """Return the first name below the package, such as ``_mapping`` for every module in that folder."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def runtime_imports(node: ast.AST) -> Iterator[str]:
    """Yield each name that an import statement at any depth may load, except those that only type checkers follow."""
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        children: list[ast.stmt] = node.orelse
    else:
        children = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    for child in children:
        yield from runtime_imports(child)


def loads(path: Path, *packages: str) -> set[str]:
    """Return the imports of a module that lie in one of the packages."""
    names = runtime_imports(ast.parse(path.read_text(encoding="utf-8")))
    return {name for name in names if f"{name}.".startswith(tuple(f"{package}." for package in packages))}


def test_imports_are_found_in_functions_and_not_for_type_checkers():
    """All forms of imports are found, also inside functions, except those that only type checkers follow."""
    source = """
if TYPE_CHECKING:
    import hidden
else:
    import fallback
def late():
    import a.b as c
    from d import e, f
"""
    assert set(runtime_imports(ast.parse(source))) == {"fallback", "a.b", "d.e", "d.f"}


def is_pure(path: Path) -> bool:
    """Tell whether the module is one of those that map values to values."""
    inside = path.relative_to(PACKAGE).with_suffix("").parts
    return part(path) in PURE or (inside[0] == "_content" and inside[1] in PURE_CONTENT)


@pytest.mark.parametrize("path", [module for module in MODULES if is_pure(module.values[0])])
def test_pure_modules_import_only_each_other(path):
    """Mapping and content load neither OpenTelemetry nor LangChain, directly or through the package."""
    own = {tuple(name.split(".")[1:3]) for name in loads(path, "otel_callbacks")}

    assert loads(path, "opentelemetry", "langchain_core", "langchain", "langgraph", "langsmith") == set()
    assert [
        name for name in own if name[0] not in PURE and not (name[0] == "_content" and name[1] in PURE_CONTENT)
    ] == []


@pytest.mark.parametrize("path", [module for module in MODULES if part(module.values[0]) not in WITH_SDK])
def test_core_works_without_the_sdk(path):
    """Everything that runs in an application with OpenTelemetry needs only the OpenTelemetry API."""
    if path.relative_to(PACKAGE).as_posix() not in KNOWS_SDK:
        assert loads(path, "opentelemetry.sdk", "opentelemetry.exporter") == set()


@pytest.mark.parametrize("name", KNOWS_SDK)
def test_the_sdk_is_known_from_the_inside_in_few_functions(name):
    """The one module that knows the SDK loads it only inside the functions that are called where it is in use."""
    body = ast.parse((PACKAGE / name).read_text(encoding="utf-8")).body
    loading = {
        getattr(statement, "name", "the module itself")
        for statement in body
        if any(imported.startswith("opentelemetry.sdk") for imported in runtime_imports(statement))
    }
    assert loading == KNOWS_SDK[name]


@pytest.mark.parametrize("path", [module for module in MODULES if part(module.values[0]) not in WITH_LANGCHAIN])
def test_core_works_without_langchain_above_its_core(path):
    """The core needs only langchain-core, and uses LangGraph only if the application has loaded it."""
    assert loads(path, "langchain", "langgraph", "langsmith", "langchain_openai", "langchain_classic") == set()


def test_public_names_are_sorted_and_exist():
    """``__all__`` lists the public names in order, and the package has each of them."""
    names = list(otel_callbacks.__all__)

    assert names == sorted(names)
    assert [name for name in names if not hasattr(importlib.import_module("otel_callbacks"), name)] == []
