"""Bounds of attributes that are not content but come from outside: nothing a caller does makes a span huge."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from otel_callbacks._langchain.run_start import plain_text

LONGEST = 1024
"""Characters of one text."""
MOST = 128
"""Texts of one attribute."""


def short(text: str) -> str:
    """Return `text`, the end of a long one replaced by its length."""
    if type(text) is not str:  # checked here too, because the call costs more than the check
        text = plain_text(text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"


def few(texts: Iterable[str]) -> list[str]:
    """Return the first of the texts, each `short`."""
    return [short(text) for text in islice(texts, MOST)]


def put_text(out: dict[str, Any], key: str, value: Any) -> None:
    """Put `value`, `short`, if it is a text that is not empty."""
    if isinstance(value, str) and value:
        out[key] = short(value)
