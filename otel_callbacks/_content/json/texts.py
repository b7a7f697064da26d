"""Fitting a text into a number of bytes: its two ends round a mark that says how long it was."""

from typing import NamedTuple

from otel_callbacks._content.json.binary import without_data, without_embedded_data
from otel_callbacks._content.json.encoding import Json, encode, valid_text
from otel_callbacks._content.json.scrub import Scrub

MARGIN = 512
"""Characters read beyond a cut and thrown away after redaction: what reading stopped in the middle of lies there."""

_ROOM_FOR_MARK = 48  # bytes, for texts of up to 10**16 characters
_TOKEN_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./+=~"


class Fitted(NamedTuple):
    """A bounded copy.

    Attributes:
        tree: plain JSON types.
        size: bytes of its compact JSON text in UTF-8.
    """

    tree: Json
    size: int


def fit_text(text: str, room: int, scrub: Scrub) -> Fitted | None:
    """`text` whole or cut, as JSON of at most `room` bytes; ``None`` if there is none so short.

    Of a long text, `room` and two margins are looked at. A secret that begins in front of a cut is found before the
    cut is made; one that reading stopped in the middle of lies within the margin, and is gone with it.
    """
    text = without_data(text)
    kept = max(room - _ROOM_FOR_MARK, 0)
    front, back = kept - kept // 3, kept // 3
    if len(text) <= kept + 2 * MARGIN:
        head = _clean(text, scrub)
        size = len(encode(head))
        if size <= room:
            return Fitted(head, size)
        shown = _prefix(head, front)
        tail = head[len(shown) :]
    else:
        head = _clean(text[: front + MARGIN], scrub)[:-MARGIN]
        shown = _prefix(head, front)
        tail = _clean(text[-back - MARGIN :], scrub)[MARGIN:].lstrip(_TOKEN_CHARACTERS)
    if not kept:
        return _fit_beginning(head, room)
    cut = f"{shown}...[cut from {len(text)} characters]...{_suffix(tail, back)}"
    return Fitted(cut, len(encode(cut)))


def _clean(part: str, scrub: Scrub) -> str:
    return scrub.redact_text(valid_text(without_embedded_data(part)))


def _fit_beginning(text: str, room: int) -> Fitted | None:
    cut = _prefix(text, room - len(encode("..."))) + "..." if room >= len(encode("...")) else ""
    size = len(encode(cut))
    return Fitted(cut, size) if size <= room else None


def _prefix(text: str, room: int) -> str:
    """The longest beginning, or nearly, whose JSON without quotes has at most `room` bytes."""
    while (size := len(encode(text)) - 2) > room:
        text = text[: len(text) * room // size]
    return text


def _suffix(text: str, room: int) -> str:
    while (size := len(encode(text)) - 2) > room:
        text = text[len(text) - len(text) * room // size :]
    return text
