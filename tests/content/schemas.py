"""The conventions' JSON schemas of content."""

import json
from pathlib import Path
from typing import Any

from tests.semconv.schema import faults

_FILE = Path(__file__).parent.parent / "semconv" / "genai.json"
_SCHEMAS: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))["schemas"]
_FREE = {"hook", "input", "output", "tool_call_arguments", "tool_call_result"}
"""Content of any shape: the conventions want an object only if there is one."""


def problems(name: str, value: Any) -> list[str]:
    """Return where a value departs from the schema of its name."""
    return [] if name in _FREE else faults(_SCHEMAS[name], value, _SCHEMAS[name])
