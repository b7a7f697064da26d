"""Fitting a text into a number of bytes: its two ends around a mark that gives its full length."""

from typing import NamedTuple

from otel_callbacks._content.json.binary import without_data, without_embedded_data
from otel_callbacks._content.json.encoding import Json, encode, valid_text
from otel_callbacks._content.json.redactor import ContentRedactor

MARGIN = 512
"""Characters read beyond a cut and dropped after redaction: a secret that the end of the read splits lies within."""

_ROOM_FOR_MARK = 48  # bytes, for texts of up to 10**16 characters
_TOKEN_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./+=~"


class SizedTree(NamedTuple):
    """A bounded copy of a value.

    Attributes:
        tree: Plain JSON types.
        size: Bytes of its compact JSON text in UTF-8.
    """

    tree: Json
    size: int


def fit_text(text: str, room: int, redactor: ContentRedactor) -> SizedTree | None:
    """Return `text`, whole or cut, as JSON of at most `room` bytes; ``None`` if even the shortest cut is longer.

    Only `room` and two margins of a long text are read. A secret that begins in front of a cut is redacted before the
    cut is made; one that the end of the read splits lies within the margin and is dropped with it.
    """
    text = without_data(text)
    both_ends = max(room - _ROOM_FOR_MARK, 0)
    front, back = both_ends - both_ends // 3, both_ends // 3
    if len(text) <= both_ends + 2 * MARGIN:
        head = _clean(text, redactor)
        size = len(encode(head))
        if size <= room:
            return SizedTree(head, size)
        beginning = _prefix(head, front)
        rest = head[len(beginning) :]
    else:
        head = _clean(text[: front + MARGIN], redactor)[:-MARGIN]
        beginning = _prefix(head, front)
        # A token longer than the margin, such as a JWT, reaches beyond it: drop what is left of that one as well.
        rest = _clean(text[-back - MARGIN :], redactor)[MARGIN:].lstrip(_TOKEN_CHARACTERS)
    if not both_ends:
        return _fit_beginning(head, room)
    cut = f"{beginning}...[cut from {len(text)} characters]...{_suffix(rest, back)}"
    return SizedTree(cut, len(encode(cut)))


def _clean(part: str, redactor: ContentRedactor) -> str:
    return redactor.redact_text(valid_text(without_embedded_data(part)))


def _fit_beginning(text: str, room: int) -> SizedTree | None:
    cut = _prefix(text, room - len(encode("..."))) + "..." if room >= len(encode("...")) else ""
    size = len(encode(cut))
    return SizedTree(cut, size) if size <= room else None


def _prefix(text: str, room: int) -> str:
    """Return nearly the longest beginning whose JSON, without quotes, has at most `room` bytes."""
    while (size := len(encode(text)) - 2) > room:
        text = text[: len(text) * room // size]
    return text


def _suffix(text: str, room: int) -> str:
    while (size := len(encode(text)) - 2) > room:
        text = text[len(text) - len(text) * room // size :]
    return text
