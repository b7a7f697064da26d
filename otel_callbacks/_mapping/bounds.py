"""Bounds of attributes that are no content but come from outside: nothing a caller does makes a span huge."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from otel_callbacks._langchain.run_start import plain_text

LONGEST = 1024
"""Characters of one text."""
MOST = 128
"""Texts of one attribute."""


def short(text: str) -> str:
    """`text`, its end replaced by its length where it is too long."""
    if type(text) is not str:  # asked here, too: a call costs more than the answer
        text = plain_text(text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"


def few(texts: Iterable[str]) -> list[str]:
    """The first of the texts, each `short`."""
    return [short(text) for text in islice(texts, MOST)]


def put_text(out: dict[str, Any], key: str, value: Any) -> None:
    """Put `value`, `short`, if it is a text and not an empty one."""
    if isinstance(value, str) and value:
        out[key] = short(value)
