"""Bounded copies of any Python value in plain JSON types, made without ever trusting the value."""

from itertools import islice
from math import isfinite

from otel_callbacks._content.json.binary import SHORTEST, without_data, without_embedded_data
from otel_callbacks._content.json.encoding import Json, encode, valid_text
from otel_callbacks._content.json.forms import UNREADABLE, simplified

MAX_DEPTH = 40
"""Levels of nesting that are shown: more than real data has, and far from what recursion or a reader bears."""
MAX_KEY = 256
"""Characters of a dictionary's key that are shown."""
CYCLE = "<contains itself>"
TOO_DEEP = "<nested too deeply>"

_LARGEST_PRINTED_BITS = 2000  # str() refuses integers of more digits than an interpreter-wide limit, 640 or more

Path = tuple[int, ...]
"""Ids of the values that enclose a value."""


class TooBigError(Exception):
    """The value needs more characters than there is room for."""


class Copy:
    """Copies a value as long as its JSON can lie within `room` characters; counts low, never too high.

    It raises `TooBigError` once that is impossible, after work in proportion to `room`.
    """

    __slots__ = ("_left",)

    def __init__(self, room: int) -> None:
        self._left = room

    def copy(self, value: object, path: Path = ()) -> Json:
        """The copy of `value`, which stands inside the values of `path`."""
        kind = type(value)
        if kind is str:
            return self._text(value)  # type: ignore[arg-type]
        if value is None or kind is bool or kind is int or kind is float:
            return self._constant(value)  # type: ignore[arg-type]
        if id(value) in path or len(path) >= MAX_DEPTH:
            return self._text(CYCLE if id(value) in path else TOO_DEEP)
        path = (*path, id(value))
        if kind is dict:
            return self._mapping(value, path)  # type: ignore[arg-type]
        if kind is list or kind is tuple:
            return self._sequence(value, path)  # type: ignore[arg-type]
        return self.copy(simplified(value, self._left), path)

    def _take(self, characters: int) -> None:
        self._left -= characters
        if self._left < 0:
            raise TooBigError

    def _text(self, text: str) -> str:
        if len(text) >= SHORTEST:
            text = without_data(text)
            if len(text) <= self._left:
                text = without_embedded_data(text)
        self._left -= len(text) + 2
        if self._left < 0:
            raise TooBigError
        return text if text.isascii() else valid_text(text)

    def _constant(self, value: float | None) -> Json:
        self._take(1)
        form = value if value is None or type(value) is bool else number_form(value)
        return self._text(form) if type(form) is str else form

    def _sequence(self, items: list[object] | tuple[object, ...], path: Path) -> list[Json]:
        self._take(1 + len(items))
        return [self.copy(item, path) for item in tuple(items)]

    def _mapping(self, mapping: dict[object, object], path: Path) -> dict[str, Json]:
        self._take(1 + 4 * len(mapping))
        copied: dict[str, Json] = {}
        for key, value in pairs(mapping):
            name = key if type(key) is str and key.isascii() and len(key) <= MAX_KEY else key_text(key)
            self._left -= len(name)
            copied[name] = self.copy(value, path)
        return copied


def number_form(number: float) -> int | float | str:
    """A number as JSON can hold it; text for NaN, infinities, and integers of more than 64 bits."""
    if type(number) is float:
        return number if isfinite(number) else str(number)
    if -(2**63) <= number < 2**63:
        return number
    bits = int(number).bit_length()
    return str(number) if bits <= _LARGEST_PRINTED_BITS else f"<integer of {bits} bits>"


def key_text(key: object) -> str:
    """A dictionary's key as JSON can hold it; what is no text becomes JSON text."""
    if type(key) is str and len(key) <= MAX_KEY:
        return valid_text(key)
    text = key if type(key) is str else _other_key(key)
    return valid_text(text if len(text) <= MAX_KEY else f"{text[:MAX_KEY]}...")


def _other_key(key: object) -> str:
    try:
        form = Copy(MAX_KEY).copy(key)
    except TooBigError:
        return simplified(type(key), MAX_KEY)  # type: ignore[return-value]
    return form if type(form) is str else encode(form).decode()


def pairs(mapping: dict[object, object], limit: int | None = None) -> list[tuple[object, object]]:
    """The first entries of a dictionary at one moment, also while another thread changes it."""
    try:
        return list(mapping.items() if limit is None else islice(mapping.items(), limit))
    except RuntimeError:  # pragma: no cover - without a global lock, or a finaliser ran and changed it
        return [("...", UNREADABLE)]
