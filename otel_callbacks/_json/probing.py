"""The short way: most content is small and of plain types, and can be encoded without a copy."""

from math import isfinite
from typing import Any

from otel_callbacks._json.binary import SHORTEST, without_data, without_embedded_data
from otel_callbacks._json.copying import MAX_DEPTH, MAX_KEY, TooBigError


class UnusualError(Exception):
    """The value holds something that must be changed before it can be JSON."""


def probe(value: Any, room: int) -> set[str]:
    """All keys of a value that can be encoded as it is: of exact JSON types, not too deep, without binary data.

    Goes level by level, so that neither depth nor cycles need book-keeping.

    Raises:
        TooBigError: its JSON cannot lie within `room` bytes; found after work in proportion to `room`.
        UnusualError: it cannot be encoded as it is.
    """
    keys: set[str] = set()
    level = [value]
    for _ in range(MAX_DEPTH):
        deeper: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is str:
                if len(item) >= SHORTEST:
                    _refuse_data(item, room)
                room -= len(item) + 2
            elif kind is dict:
                room -= 1 + 4 * len(item) + sum(map(len, item))
                keys.update(item)
                deeper += item.values() if room >= 0 else ()
            elif kind is list or kind is tuple:
                room -= 1 + len(item)
                deeper += item if room >= 0 else ()
            elif item is not None and kind is not bool and not (kind in {int, float} and isfinite(item)):
                raise UnusualError
            if room < 0:
                raise TooBigError
        if not deeper:
            break
        level = deeper
    else:
        raise UnusualError
    if not all(type(key) is str and len(key) <= MAX_KEY for key in keys):
        raise UnusualError
    return keys


def _refuse_data(text: str, room: int) -> None:
    if without_data(text) is not text or (len(text) <= room and without_embedded_data(text) is not text):
        raise UnusualError
