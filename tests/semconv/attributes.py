"""Attribute values of OTLP/JSON as pairs of type name and Python value."""

from typing import Any

_SCALARS = {
    "stringValue": ("string", str),
    "boolValue": ("boolean", bool),
    "intValue": ("int", int),
    "doubleValue": ("double", float),
    "bytesValue": ("bytes", str),
}

Typed = tuple[str, Any]


def attributes(entries: Any) -> dict[str, Typed]:
    """``[{"key": ..., "value": {"intValue": "1"}}]`` as ``{key: ("int", 1)}``."""
    return {entry["key"]: _decode(entry.get("value", {})) for entry in entries or ()}


def _decode(value: dict[str, Any]) -> Typed:
    if not value:
        return "empty", None
    form, content = next(iter(value.items()))
    if form in _SCALARS:
        name, convert = _SCALARS[form]
        return name, convert(content)
    if form == "kvlistValue":
        return "map", {key: member for key, (_, member) in attributes(content.get("values")).items()}
    members = [_decode(member) for member in content.get("values", ())]
    types = {name for name, _ in members}
    return _array_type(types), [member for _, member in members]


def _array_type(types: set[str]) -> str:
    if not types:
        return "[]"
    return f"{next(iter(types))}[]" if len(types) == 1 else "any[]"
