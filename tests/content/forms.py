"""Shorthands for the conventions' forms."""

from typing import Any

from otel_callbacks._content.messages.message import input_messages

PLENTY = 1 << 20
"""Bytes; more than any value in these tests takes."""
PICTURE = "iVBORw0KGgoAAAANSUhEUg=="
SIZE = 16
"""Bytes of `PICTURE`."""


def text(content: str) -> dict[str, Any]:
    """Return a text part."""
    return {"type": "text", "content": content}


def user(content: str) -> dict[str, Any]:
    """Return a user's message."""
    return {"role": "user", "parts": [text(content)]}


def parts(*blocks: Any) -> list[Any]:
    """Return the parts of a user's message with these content blocks."""
    return input_messages([{"role": "user", "content": list(blocks)}])[0]["parts"]
