"""Emitted names stand in `semconv.py` alone, and the package uses each of them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import otel_callbacks
from otel_callbacks import semconv

PACKAGE = Path(otel_callbacks.__file__).parent
TABLE = PACKAGE / "semconv.py"
MODULES = [
    pytest.param(path, id=path.relative_to(PACKAGE).as_posix())
    for path in sorted(PACKAGE.rglob("*.py"))
    if path != TABLE
]
PAGES = [
    pytest.param(path, id=path.relative_to(PACKAGE).as_posix())
    for path in sorted((*PACKAGE.rglob("*.js"), *PACKAGE.rglob("*.html")))
]

IN_A_NAMESPACE = re.compile(
    r"(?:gen_ai|langchain|langgraph|otel_callbacks|error|server|openai|exception|http)\.[A-Za-z_.]+"
)
NOT_EMITTED = {
    "_langchain/graph_handler.py": {"langgraph.callbacks"},  # a module of LangGraph
    "_mapping/chain.py": {"langgraph.types"},  # a module of LangGraph
    "_runs/table.py": {"otel_callbacks.run"},  # a key in OpenTelemetry's context
    "_runs/start.py": {"otel_callbacks.resume"},  # a key in the metadata of a run
    "control.py": {"otel_callbacks.block"},  # a context variable
    "embeddings.py": {"otel_callbacks.embedding"},  # a context variable
}
"""Strings that look like emitted names, by module. Environment variables, the logger's name, the tracer's scope and
entry points have no dot and do not."""
READ_ELSEWHERE = {
    "DEFAULT_DIALECT",  # dashboards/queries.py
}


def strings(value: object) -> Iterator[str]:
    """Every string in a constant, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from strings((*value, *value.values()))
    elif isinstance(value, (tuple, frozenset)):
        for entry in value:
            yield from strings(entry)


EMITTED = {
    text
    for name, value in vars(semconv).items()
    if not name.startswith("__")
    for text in strings(value)
    if IN_A_NAMESPACE.fullmatch(text) or re.fullmatch(r"\w*_\w*", text)
}
"""Emitted names that are no ordinary words, as "chat" is one."""


def reads(path: Path) -> Iterator[str]:
    """Every name that a module reads, as a variable, an attribute or an import."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", MODULES)
def test_no_other_module_spells_an_emitted_name(path):
    """A module takes attribute keys, metric names and values from `semconv.py`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}

    spelled = {text for text in texts if text in EMITTED or IN_A_NAMESPACE.fullmatch(text)}
    assert spelled == NOT_EMITTED.get(path.relative_to(PACKAGE).as_posix(), set())


@pytest.mark.parametrize("path", PAGES)
def test_no_page_spells_an_emitted_name(path):
    """The page of ``otel-callbacks view`` gets its names when it is built."""
    text = path.read_text(encoding="utf-8")

    assert [name for name in EMITTED if re.search(rf"\b{re.escape(name)}\b", text)] == []


def test_every_name_is_read():
    """`semconv.py` holds no name, and its records no field, that nothing in the package reads."""
    tree = ast.parse(TABLE.read_text(encoding="utf-8"))
    names = {node.target.id for node in tree.body if isinstance(node, ast.AnnAssign)}
    fields = {*semconv.Instrument._fields, *semconv.Dialect._fields}
    read = {name for path in (TABLE, *(module.values[0] for module in MODULES)) for name in reads(path)}

    assert (names | fields) - read - READ_ELSEWHERE == set()
