"""JSON Schema, as far as the message schemas of the conventions use it."""

from collections.abc import Callable
from typing import Any

_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
}


def faults(schema: dict[str, Any], value: Any, root: dict[str, Any], path: str = "$") -> list[str]:
    """Return the faults of `value`, each with its path. `root`: the document that ``$ref`` refers to."""
    if "$ref" in schema:
        return faults(_referred(schema["$ref"], root), value, root, path)
    wrong = _simple_fault(schema, value, root)
    if wrong:
        return [f"{path}: {wrong}"]
    problems = []
    if isinstance(value, dict):
        problems += [f"{path}: {key!r} missing" for key in schema.get("required", ()) if key not in value]
        for key, inner in schema.get("properties", {}).items():
            if key in value:
                problems += faults(inner, value[key], root, f"{path}.{key}")
    if isinstance(value, list) and "items" in schema:
        for index, member in enumerate(value):
            problems += faults(schema["items"], member, root, f"{path}[{index}]")
    if "anyOf" in schema:
        problems += _alternative_faults(schema["anyOf"], value, root, path)
    return problems


def _simple_fault(schema: dict[str, Any], value: Any, root: dict[str, Any]) -> str | None:
    if "const" in schema and value != schema["const"]:
        return f"{value!r} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{value!r} is not one of {schema['enum']}"
    if "not" in schema and not faults(schema["not"], value, root):
        return f"{value!r} is not allowed here"
    if "type" in schema and not _TYPES[schema["type"]](value):
        return f"{type(value).__name__} instead of {schema['type']}"
    if "minimum" in schema and isinstance(value, (int, float)) and value < schema["minimum"]:
        return f"{value} below {schema['minimum']}"
    return None


def _alternative_faults(alternatives: list[dict[str, Any]], value: Any, root: dict[str, Any], path: str) -> list[str]:
    """Return nothing if one alternative fits, else the faults of the one that `value` names by its ``type``."""
    by_alternative = [faults(alternative, value, root, path) for alternative in alternatives]
    if not all(by_alternative):
        return []
    named = value.get("type") if isinstance(value, dict) else None
    for alternative, problems in zip(alternatives, by_alternative, strict=True):
        if named is not None and alternative.get("properties", {}).get("type", {}).get("const") == named:
            return problems
    return [f"{path}: fits none of the allowed forms"]


def _referred(reference: str, root: dict[str, Any]) -> dict[str, Any]:
    target = root
    for part in reference.lstrip("#/").split("/"):
        target = target[part]
    return target
