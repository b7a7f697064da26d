"""Fitting a value into a number of bytes: what is small stays whole, what is large is shown by its two ends.

The result is valid JSON of the same shape: a list of messages stays one, a mark in it is a message, too.
"""

from typing import Literal, NamedTuple, Protocol

from otel_callbacks._json.binary import without_binary, without_leading_base64
from otel_callbacks._json.copying import CYCLE, MAX_DEPTH, TOO_DEEP, Copy, Path, TooBigError, key_text, number_form, pairs
from otel_callbacks._json.encoding import Json, encode, valid_text
from otel_callbacks._json.forms import simplified

MARGIN = 512
"""Characters read beyond each side of a cut and thrown away after redaction: a secret that the cut halves ends there."""
WORTHWHILE = 160
"""Bytes below which a member of a list is shown whole or not at all."""
LEADING = 4
"""Keys of a dictionary that are shown or else the dictionary is left out: records keep their required ones in front."""
ATOM = 32
"""Characters up to which a text is an identifier, a type, a name: never cut."""

_ROOM_FOR_TEXT_MARK = 44
_TOKEN_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./+=~"


class Scrub(Protocol):
    """What takes secrets out of content while it is cut."""

    def redact(self, structure: Json) -> Json:
        """A whole structure without its secrets."""

    def redact_text(self, text: str) -> str:
        """A text without its secrets."""

    def redact_key(self, key: str) -> str:
        """A dictionary's key, should it hold a secret itself."""

    def hidden(self, key: str, value: object) -> str | None:
        """What stands for the value of a key that names a secret; ``None`` for other keys."""


class _Nothing:
    """Takes nothing out."""

    def redact(self, structure: Json) -> Json:
        return structure

    def redact_text(self, text: str) -> str:
        return text

    def redact_key(self, key: str) -> str:
        return key

    def hidden(self, key: str, value: object) -> str | None:  # noqa: ARG002
        return None


NOTHING: Scrub = _Nothing()


class Fitted(NamedTuple):
    """A bounded copy.

    Attributes:
        tree: plain JSON types.
        size: bytes of its compact UTF-8 JSON text.
    """

    tree: Json
    size: int


def dumps(value: object, max_bytes: int, scrub: Scrub = NOTHING) -> str:
    """Valid JSON text of any value, at most `max_bytes` (of at least 2) in UTF-8. Never raises."""
    return encode(plain(value, max_bytes, scrub)).decode()


def plain(value: object, max_bytes: int, scrub: Scrub = NOTHING) -> Json:
    """The structure whose JSON text `dumps` gives: a copy in exact JSON types. Never raises."""
    fitted = fit(value, max_bytes, scrub)
    return fitted.tree if fitted else _empty(value)


def _empty(value: object) -> Json:
    form: Json = {} if issubclass(type(value), dict) else [] if issubclass(type(value), (list, tuple)) else ""
    return form


def fit(value: object, room: int, scrub: Scrub = NOTHING, path: Path = ()) -> Fitted | None:
    """`value` within `room` bytes: whole if possible, else cut, ``None`` if nothing of it can be shown."""
    try:
        copied = Copy(room)(value, path)
    except TooBigError:
        return _cut(value, room, scrub, path)
    whole = _fitted(scrub.redact(copied))
    return whole if whole.size <= room else _cut(whole.tree, room, NOTHING, path)


def _whole(value: object, room: int, scrub: Scrub, path: Path) -> Fitted | None:
    try:
        whole = _fitted(scrub.redact(Copy(room)(value, path)))
    except TooBigError:
        return None
    return whole if whole.size <= room else None


def _fitted(tree: Json) -> Fitted:
    return Fitted(tree, len(encode(tree)))


def _cut(value: object, room: int, scrub: Scrub, path: Path) -> Fitted | None:
    kind = type(value)
    if id(value) in path or len(path) >= MAX_DEPTH:
        value, kind = (CYCLE if id(value) in path else TOO_DEEP), str
    if kind is str:
        return _fitted(cut_text(value, room, scrub)) if room >= 2 else None
    if value is None or kind in {bool, int, float}:
        return None
    path = (*path, id(value))
    if kind is list or kind is tuple:
        return _cut_list(value, room, scrub, path)
    if kind is dict:
        return _cut_dictionary(value, room, scrub, path)
    return fit(simplified(value, room), room, scrub, path)


def _cut_list(items, room, scrub, path) -> Fitted | None:
    ...
