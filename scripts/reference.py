"""Write the reference pages from the code: options, attributes, metrics.

usage: python scripts/reference.py            write docs/reference/
       python scripts/reference.py --check    print which pages differ from the code; exit code 1 if any
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_PAGES = _ROOT / "docs" / "reference"
sys.path.insert(0, str(_ROOT))

from otel_callbacks import semconv  # noqa: E402 - from this checkout, whatever is installed

_NO_ATTRIBUTES = {"Values", "Operations", "Metrics that all dialects share"}
_UNIT_WORDS = {"s": "seconds", "USD": "US dollars"}


def main(arguments: list[str]) -> int:
    """Write or check the pages, and return the exit code."""
    pages = {"options.md": options(), "spans.md": spans(), "metrics.md": metrics()}
    if arguments != ["--check"]:
        for name, text in pages.items():
            (_PAGES / name).write_text(text, encoding="utf-8")
        return 0
    stale = [name for name, text in pages.items() if (_PAGES / name).read_text(encoding="utf-8") != text]
    if stale:
        print(f"out of date: {', '.join(stale)}; write them again: make reference")
    return int(bool(stale))


def options() -> str:
    """List every option with its variable, default and meaning, from `Config`."""
    source = (_ROOT / "otel_callbacks" / "config.py").read_text(encoding="utf-8")
    [config] = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == "Config"]
    lines = [
        "# Options",
        "",
        "`OTelCallbackHandler(config=Config(...))`; without a configuration the environment is read. A wrong value is",
        "an error in code, and one warning with the default in the environment.",
        "",
    ]
    for field, text in _documented(config):
        name = ast.unparse(field.target)
        variable = "" if "'env': False" in ast.unparse(field) else f" · `OTEL_CALLBACKS_{name.upper()}`"
        lines += [f"## {name}", "", f"`{ast.unparse(field.annotation)}`, default `{_default(field)}`{variable}", ""]
        lines += [re.sub(r"``([^`]+)``", r"`\1`", text), ""]
    return "\n".join(lines)


def _documented(config: ast.ClassDef) -> Iterator[tuple[ast.AnnAssign, str]]:
    for field, after in zip(config.body, config.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr):
            yield field, re.sub(r"\s+", " ", str(ast.literal_eval(after.value))).strip()


def _default(field: ast.AnnAssign) -> str:
    value = field.value
    if isinstance(value, ast.Call):
        arguments = {keyword.arg: ast.unparse(keyword.value) for keyword in value.keywords}
        return arguments.get("default", "{}")
    return ast.unparse(value) if value is not None else ""


def spans() -> str:
    """List every attribute key by section, from `semconv`."""
    lines = [
        "# Spans",
        "",
        "| Span | Kind | For |",
        "| --- | --- | --- |",
        "| `chat MODEL`, `text_completion MODEL` | CLIENT | model calls |",
        "| `embeddings MODEL` | CLIENT | calls of `trace_embeddings` |",
        "| `execute_tool NAME` | INTERNAL | tools |",
        "| `retrieval` | CLIENT | retrievers |",
        "| `invoke_agent NAME` | INTERNAL | agents |",
        "| `invoke_workflow NAME` | INTERNAL | other root chains and graphs |",
        '| `node NAME`, `graph NAME`, `chain NAME` | INTERNAL | steps; with `detail` "all" also prompts and plumbing |',
        "",
        "Keys under `gen_ai.`, `server.`, `error.`, `exception.` and `openai.` are OpenTelemetry's, others our own.",
        "[What holds content](../privacy.md) leaves only when asked for.",
        "",
    ]
    for section, keys in _sections():
        lines += [f"## {section}", "", *(f"- `{key}`" for key in keys), ""]
    return "\n".join(lines)


def _sections() -> Iterator[tuple[str, list[str]]]:
    source = (_ROOT / "otel_callbacks" / "semconv.py").read_text(encoding="utf-8")
    head = source.split("class Instrument")[0]
    for part in re.split(r"^# ", head, flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        names = re.findall(r"^([A-Z][A-Z_]+): Final", body, flags=re.MULTILINE)
        keys = [key for name in names for key in _keys(getattr(semconv, name)) if "." in key]
        if keys and title not in _NO_ATTRIBUTES:
            yield title, keys


def _keys(value: object) -> list[str]:
    if isinstance(value, dict):
        return list(value.values())
    return [value] if isinstance(value, str) else []


def metrics() -> str:
    """List every metric in each dialect, from `semconv`."""
    lines = [
        "# Metrics",
        "",
        "Histograms carry exemplars and are complete when the trace is not sampled. Labels come from a fixed list, at",
        "most 200 values each (the rest reads `_OTHER`).",
        "",
    ]
    for name, dialect in semconv.DIALECTS.items():
        lines += [f"## Dialect {name}", "", "| Metric | Unit | Meaning | Buckets |", "| --- | --- | --- | --- |"]
        own = [value for value in dialect if isinstance(value, semconv.Instrument)]
        instruments = {one.name: one for one in [*own, *dialect.usage_counters.values(), *_shared()]}
        lines += [_row(instruments[name]) for name in sorted(instruments)]
        lines += [""]
    return "\n".join(lines)


def _shared() -> list[semconv.Instrument]:
    return [value for name, value in vars(semconv).items() if isinstance(value, semconv.Instrument) and name.isupper()]


def _row(instrument: semconv.Instrument) -> str:
    buckets = "counter" if instrument.buckets is None else ", ".join(f"{bound:g}" for bound in instrument.buckets)
    unit = _UNIT_WORDS.get(instrument.unit, instrument.unit.strip("{}").replace("_", " ") + "s")
    return f"| `{instrument.name}` | {unit} | {instrument.description} | {buckets} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
