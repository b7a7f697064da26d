"""Readers of values whose types LangChain and its providers do not guarantee."""

from collections.abc import Mapping
from typing import Any

_EMPTY: Mapping[str, Any] = {}


def mapping(value: Any) -> Mapping[str, Any]:
    """Return `value` if it is a mapping, else an empty one."""
    # Nearly always a dict or None, and an isinstance check against an abstract class costs twenty times as much.
    if type(value) is dict:
        return value
    return value if value is not None and isinstance(value, Mapping) else _EMPTY


def first_text(fields: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    """Return the first non-empty text under one of `keys`, in their order."""
    for key in keys:
        value = fields.get(key)
        # Most keys are missing, which costs least to rule out; the truth of a foreign object may raise.
        if value is not None and isinstance(value, str) and value:
            return value
    return None
