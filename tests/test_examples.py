"""Every example runs, shows its point, and is short."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))
SHOWN = {
    "stdout": r"invoke_workflow story",
    "file": r"^[1-9]\d+ bytes",
    "logging_trace_ids": r"trace=- outside(.|\n)*trace=[0-9a-f]{32} working on 6",
    "metrics_summary": r"gen_ai.execute_tool.duration +3 x",
    "async_stream": r"(chat +[<\d](.|\n)*){3}first chunk: O\n.*chat .*cancelled",
    "database": r"chat ok 3",
    "analytics": r"chat 3",
    "monitoring": r"ALERT invoke_workflow look up: TimeoutError",
    "security_audit": r"ada delete_account ok [0-9a-f]{12}\nbob",
    "event_bus": r"(event: chat ok\n){2}",
    "router": r"audit: 1 span, measured: True\ndefault: 1 span, measured: True",
    "batch": r"invoke_workflow survey.*(\n +[├└]─ chat.*){3}",
    "resilient": r"answer: The cache says yes",
    "fastapi_langgraph": r"node talk(.|\n)*It is sunny",
    "rag": r"retrieval(.|\n)*embeddings",
    "threads": r"(.*invoke_workflow with_.*(\n +[├└]─ chat.*){2}\n +trace.*\s*){2}",
    "fork": r"worker 1: recorded 1 span, open 0(.|\n)*master: recorded \['invoke_workflow master'\]",
    "zero_code": r"chat",
}
"""Example -> a regular expression that its output must match."""


def test_every_example_is_known_here_and_in_the_index():
    """Every example is tested, and the index lists it with the first line of its docstring."""
    assert {path.stem for path in EXAMPLES} == set(SHOWN)
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    docstrings = [ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "" for path in EXAMPLES]
    rows = [
        f"| [`{path.name}`]({path.name}) | {docstring.splitlines()[0]} |"
        for path, docstring in zip(EXAMPLES, docstrings, strict=True)
    ]
    assert re.findall(r"^\| \[.*", index, re.MULTILINE) == rows


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_short_and_says_how_to_run_it(path):
    """An example has at most 60 lines, and a docstring that names its command."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60
    assert f"run: python examples/{path.name}" in text


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(path, tmp_path):
    """An example runs in a process of its own, without network or keys, and shows what it should."""
    if path.stem == "analytics":
        pytest.importorskip("duckdb")
    command = [sys.executable, "-W", "ignore", str(path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert re.search(SHOWN[path.stem], output), output
