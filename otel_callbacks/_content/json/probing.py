"""The fast path: most content is small and of plain types, and can be encoded without a copy."""

from math import isfinite
from typing import Any, NamedTuple

from otel_callbacks._content.json.binary import SHORTEST, without_data, without_embedded_data
from otel_callbacks._content.json.copying import MAX_DEPTH, MAX_KEY, TooBigError

_LARGE = 10**10  # integers from here on may be card or telephone numbers


class UnusualError(Exception):
    """The value holds something that must change before it can become JSON."""


class ProbeResult(NamedTuple):
    """What redaction must check in a value.

    Attributes:
        keys: All keys of dictionaries.
        texts: All texts, and integers so large that they may be identifiers.
    """

    keys: set[str]
    texts: list[str]


def probe(value: object, room: int) -> ProbeResult:
    """Read a value that can be encoded unchanged: of exact JSON types, not too deep, without binary data.

    Level by level, so that neither depth nor cycles need book-keeping.

    Raises:
        TooBigError: Its JSON cannot fit into `room` bytes; raised after work in proportion to `room`.
        UnusualError: It cannot be encoded unchanged.
    """
    reader = _LevelReader(room)
    level = [value]
    for _ in range(MAX_DEPTH):
        level = reader.read(level)
        if not level:
            return reader.result()
    raise UnusualError


class _LevelReader:
    __slots__ = ("_keys", "_room", "_texts")

    def __init__(self, room: int) -> None:
        self._room = room
        self._keys: set[str] = set()
        self._texts: list[str] = []

    def result(self) -> ProbeResult:
        if not all(type(key) is str and len(key) <= MAX_KEY for key in self._keys):
            raise UnusualError
        return ProbeResult(self._keys, self._texts)

    def read(self, level: list[object]) -> list[object]:
        """Read the values of one level and return those of the next."""
        deeper: list[Any] = []
        item: Any
        for item in level:
            kind = type(item)
            if kind is str:
                self._read_text(item)
            elif kind is dict:
                self._read_dictionary(item, deeper)
            elif kind is list or kind is tuple:
                self._room -= 1 + len(item)
                deeper += item if self._room >= 0 else ()
            elif item is not None and kind is not bool:
                self._read_number(item, kind)
            if self._room < 0:
                raise TooBigError
        return deeper

    def _read_text(self, text: str) -> None:
        if len(text) >= SHORTEST:
            _refuse_data(text, self._room)
        self._texts.append(text)
        self._room -= len(text) + 2

    def _read_dictionary(self, mapping: dict[str, object], deeper: list[object]) -> None:
        self._room -= 1 + 4 * len(mapping)
        if self._room >= 0:
            self._room -= sum(map(len, mapping))
            self._keys.update(mapping)
            deeper += mapping.values()

    def _read_number(self, number: float, kind: type) -> None:
        if kind is int and not -_LARGE < number < _LARGE:
            if not -(2**63) <= number < 2**63:
                raise UnusualError
            self._texts.append(str(number))
        elif (kind is not int and kind is not float) or not isfinite(number):
            raise UnusualError


def _refuse_data(text: str, room: int) -> None:
    if without_data(text) is not text or (len(text) <= room and without_embedded_data(text) is not text):
        raise UnusualError
