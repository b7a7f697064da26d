"""Bounded copies of any Python value in plain JSON types; the value is never trusted."""

from itertools import islice
from math import isfinite

from otel_callbacks._content.json.binary import SHORTEST, without_data, without_embedded_data
from otel_callbacks._content.json.encoding import Json, encode, valid_text
from otel_callbacks._content.json.forms import UNREADABLE, simplify

MAX_DEPTH = 40
"""Levels of nesting that are kept: more than real data has, and far below what recursion or a reader can bear."""
MAX_KEY = 256
"""Characters kept of a dictionary's key."""
CYCLE = "<contains itself>"
TOO_DEEP = "<nested too deeply>"

_LARGEST_PRINTED_BITS = 2000  # str() refuses integers beyond an interpreter-wide limit of at least 640 digits

Path = tuple[int, ...]
"""The ids of the values that enclose a value."""


class TooBigError(Exception):
    """The value needs more characters than it has room for."""


class Copier:
    """Copies values while their JSON can still fit into `room` characters; the count may be low, never high.

    Raises `TooBigError` once they cannot fit, after work in proportion to `room`.
    """

    __slots__ = ("_left",)

    def __init__(self, room: int) -> None:
        self._left = room

    def copy(self, value: object, path: Path = ()) -> Json:
        """Return a copy of `value`, which the values in `path` enclose."""
        kind = type(value)
        if kind is str:
            return self._copy_text(value)  # type: ignore[arg-type]
        if value is None or kind is bool or kind is int or kind is float:
            return self._copy_constant(value)  # type: ignore[arg-type]
        if id(value) in path or len(path) >= MAX_DEPTH:
            return self._copy_text(CYCLE if id(value) in path else TOO_DEEP)
        path = (*path, id(value))
        if kind is dict:
            return self._copy_dictionary(value, path)  # type: ignore[arg-type]
        if kind is list or kind is tuple:
            return self._copy_sequence(value, path)  # type: ignore[arg-type]
        return self.copy(simplify(value, self._left), path)

    def _spend(self, characters: int) -> None:
        self._left -= characters
        if self._left < 0:
            raise TooBigError

    def _copy_text(self, text: str) -> str:
        if len(text) >= SHORTEST:
            text = without_data(text)
            if len(text) <= self._left:
                text = without_embedded_data(text)
        self._left -= len(text) + 2
        if self._left < 0:
            raise TooBigError
        return text if text.isascii() else valid_text(text)

    def _copy_constant(self, value: float | None) -> Json:
        self._spend(1)
        form = value if value is None or type(value) is bool else number_form(value)
        return self._copy_text(form) if type(form) is str else form

    def _copy_sequence(self, items: list[object] | tuple[object, ...], path: Path) -> list[Json]:
        self._spend(1 + len(items))
        return [self.copy(item, path) for item in tuple(items)]  # another thread may change a list meanwhile

    def _copy_dictionary(self, mapping: dict[object, object], path: Path) -> dict[str, Json]:
        self._spend(1 + 4 * len(mapping))
        copied: dict[str, Json] = {}
        for key, value in first_entries(mapping):
            name = key if type(key) is str and key.isascii() and len(key) <= MAX_KEY else key_text(key)
            self._left -= len(name)
            copied[name] = self.copy(value, path)
        return copied


def number_form(number: float) -> int | float | str:
    """Return a number in a form JSON can hold: text for NaN, infinities and integers of more than 64 bits."""
    if type(number) is float:
        return number if isfinite(number) else str(number)
    if -(2**63) <= number < 2**63:
        return number
    bits = int(number).bit_length()
    return str(number) if bits <= _LARGEST_PRINTED_BITS else f"<integer of {bits} bits>"


def key_text(key: object) -> str:
    """Return a dictionary's key in a form JSON can hold; a key that is not text becomes JSON text."""
    if type(key) is str and len(key) <= MAX_KEY:
        return valid_text(key)
    text = key if type(key) is str else _other_key(key)
    return valid_text(text if len(text) <= MAX_KEY else f"{text[:MAX_KEY]}...")


def _other_key(key: object) -> str:
    try:
        form = Copier(MAX_KEY).copy(key)
    except TooBigError:
        return simplify(type(key), MAX_KEY)  # type: ignore[return-value]
    return form if type(form) is str else encode(form).decode()


def first_entries(mapping: dict[object, object], limit: int | None = None) -> list[tuple[object, object]]:
    """Return the first entries of a dictionary as of one moment, even while another thread changes it."""
    try:
        return list(mapping.items() if limit is None else islice(mapping.items(), limit))
    except RuntimeError:  # pragma: no cover - without a global lock, or a finaliser ran and changed it
        return [("...", UNREADABLE)]
