"""Code blocks in the documentation run, or visibly say why they do not."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import otel_callbacks
from otel_callbacks._pytest_plugin import otel_spans  # noqa: F401 - for environments without the installed package
from tests.support import global_providers

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(
    r"(?P<mark><!-- not run: (?P<reason>[^\n]+?) -->\n)?```(?P<language>\w*)\n(?P<code>.*?)```", re.DOTALL
)
RUN_ELSEWHERE = {"text", "json", "yaml", "promql", "ini", "mermaid"}
"""Languages that show output, data or configuration, not something to run."""


def _blocks() -> list[tuple[str, re.Match[str]]]:
    return [
        (path.relative_to(ROOT).as_posix(), block)
        for path in DOCUMENTS
        for block in BLOCK.finditer(path.read_text(encoding="utf-8"))
    ]


def _id(block: tuple[str, re.Match[str]]) -> str:
    name, match = block
    return f"{name}:{match.string[: match.start()].count(chr(10)) + 1}"


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The namespace of a program that starts in an empty folder without OpenTelemetry, and leaves none set up."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    with global_providers.none_set():
        yield names
        otel_callbacks.uninstrument()
        for value in names.values():
            if isinstance(value, otel_callbacks.Telemetry):
                value.shutdown()


@pytest.mark.parametrize("block", [pytest.param(b, id=_id(b)) for b in _blocks() if b[1]["language"] == "python"])
def test_python_blocks_run(
    block: tuple[str, re.Match[str]], program: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    """A Python block runs unchanged, and the tests that it defines pass."""
    if block[1]["reason"]:
        pytest.skip(f"not run: {block[1]['reason']}")
    try:
        exec(compile(block[1]["code"], _id(block), "exec"), program)  # noqa: S102 - our own documents
        for check in [value for name, value in program.items() if name.startswith("test_")]:
            check(**{name: request.getfixturevalue(name) for name in inspect.signature(check).parameters})
    except ModuleNotFoundError as missing:
        if "pip install 'otel-callbacks[" not in str(missing):
            raise
        pytest.skip(str(missing))


def test_every_other_block_says_why_it_is_not_run() -> None:
    """A block that is not run carries a visible reason; nothing that could run is left out silently."""
    silent = [
        _id(block)
        for block in _blocks()
        if block[1]["language"] not in RUN_ELSEWHERE | {"python"} and not block[1]["reason"]
    ]
    assert silent == []


def test_blocks_that_are_not_run_are_counted() -> None:
    """The blocks that are not run are counted, so that leaving one out is a decision."""
    assert sum(1 for name, block in _blocks() if block["reason"] and "/" not in name) == 5
