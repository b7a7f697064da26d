"""Fitting a value into a number of bytes: what is small stays whole, what is large is shown by its two ends.

The result is valid JSON of the same shape: a list of messages stays one, and a mark in it is a message, too.
"""

from typing import NamedTuple, Protocol

from otel_callbacks._json.binary import without_data, without_embedded_data
from otel_callbacks._json.copying import CYCLE, MAX_DEPTH, TOO_DEEP, Copy, Path, TooBigError, key_text, pairs
from otel_callbacks._json.encoding import Json, decode, encode, valid_text
from otel_callbacks._json.forms import simplified
from otel_callbacks._json.probing import probe

MARGIN = 512
"""Characters read beyond each side of a cut and thrown away after redaction: a secret that the cut halves ends there."""

_WORTHWHILE = 160  # bytes below which a member of a list is shown whole or not at all
_LEADING = 4  # keys of a dictionary without which it is left out: records have what they require in front
_ATOM = 32  # characters up to which a text in a dictionary is a type, a role, an identifier: never cut
_PORTION = 4  # of what is left, a large member may take one in so many parts, so that later ones are not starved
_LEAST = 2  # bytes of an empty text, list or dictionary
_TEXT_MARK = "…[cut from {} characters]…"
_ROOM_FOR_TEXT_MARK = 50  # bytes, quotes included, for texts of up to 10**13 characters
_KEYS_MARK = 48
_TOKEN_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./+=~"


class Scrub(Protocol):
    """What takes secrets out of content while it is cut."""

    def redact(self, structure: Json) -> Json:
        """A whole structure without its secrets."""

    def is_clean(self, text: bytes, keys: set[str]) -> bool:
        """Whether `redact` surely changes nothing in a structure with this JSON text and these keys."""

    def redact_text(self, text: str) -> str:
        """A text without its secrets."""

    def redact_key(self, key: str) -> str:
        """A dictionary's key, which may hold a secret itself."""

    def hidden(self, key: str, value: object) -> str | None:
        """What stands for the value of a key that names a secret, ``None`` for other keys."""


class _Nothing:
    """Takes nothing out."""

    def redact(self, structure: Json) -> Json:
        return structure

    def is_clean(self, _text: bytes, _keys: set[str]) -> bool:
        return True

    def redact_text(self, text: str) -> str:
        return text

    def redact_key(self, key: str) -> str:
        return key

    def hidden(self, _key: str, _value: object) -> str | None:
        return None


NOTHING: Scrub = _Nothing()


class Fitted(NamedTuple):
    """A bounded copy.

    Attributes:
        tree: plain JSON types.
        size: bytes of its compact JSON text in UTF-8.
    """

    tree: Json
    size: int


def dumps(value: object, max_bytes: int, scrub: Scrub = NOTHING) -> str:
    """JSON text of any value, valid and of at most `max_bytes` bytes (2 or more) in UTF-8. Never raises."""
    clean = _clean_text(value, max_bytes, scrub)
    return (encode(plain(value, max_bytes, scrub)) if clean is None else clean).decode()


def plain(value: object, max_bytes: int, scrub: Scrub = NOTHING) -> Json:
    """The structure whose JSON text `dumps` gives: a bounded copy in exact JSON types. Never raises."""
    fitted = fit(value, max_bytes, scrub)
    if fitted:
        return fitted.tree
    return {} if issubclass(type(value), dict) else [] if issubclass(type(value), (list, tuple)) else ""


def _clean_text(value: object, room: int, scrub: Scrub) -> bytes | None:
    """The value's text, if nothing in the value needs to be changed."""
    try:
        keys = probe(value, room)
        text = encode(value)  # type: ignore[arg-type]
    except Exception:  # noqa: BLE001 - the long way finds out what it is and copes with it
        return None
    return text if len(text) <= room and scrub.is_clean(text, keys) else None


def fit(value: object, room: int, scrub: Scrub = NOTHING, path: Path = ()) -> Fitted | None:
    """`value` within `room` bytes: whole if possible, else cut; ``None`` if nothing useful of it can be shown.

    Args:
        value: anything.
        room: bytes of JSON text in UTF-8.
        scrub: what takes secrets out; sees each text once.
        path: ids of the values that enclose this one.
    """
    try:
        copied = _copied(value, room, path)
    except TooBigError:
        return _cut(value, room, scrub, path)
    whole = _fitted(scrub.redact(copied))
    return whole if whole.size <= room else _cut(whole.tree, room, NOTHING, path)


def _fit_whole(value: object, room: int, scrub: Scrub, path: Path) -> Fitted | None:
    try:
        whole = _fitted(scrub.redact(_copied(value, room, path)))
    except TooBigError:
        return None
    return whole if whole.size <= room else None


def _copied(value: object, room: int, path: Path) -> Json:
    try:
        probe(value, room)
        return decode(encode(value))
    except TooBigError:
        raise
    except Exception:
        return Copy(room).copy(value, path)


def _fitted(tree: Json) -> Fitted:
    return Fitted(tree, len(encode(tree)))


def _cut(value: object, room: int, scrub: Scrub, path: Path) -> Fitted | None:
    kind = type(value)
    if kind is str:
        return _fitted(cut_text(value, room, scrub)) if room >= _LEAST else None  # type: ignore[arg-type]
    if value is None or kind in {bool, int, float}:
        return None
    if id(value) in path or len(path) >= MAX_DEPTH:
        return _fit_whole(CYCLE if id(value) in path else TOO_DEEP, room, NOTHING, path)
    path = (*path, id(value))
    if kind is list or kind is tuple:
        return _cut_list(value, room, scrub, path)  # type: ignore[arg-type]
    if kind is dict:
        return _cut_dictionary(value, room, scrub, path)  # type: ignore[arg-type]
    return fit(simplified(value, room), room, scrub, path)


def _cut_list(items: list[object] | tuple[object, ...], room: int, scrub: Scrub, path: Path) -> Fitted | None:
    """First and last members, taken by turns as long as there is room, and a mark in the middle."""
    total = len(items)
    ends = items if total <= 2 * room else [*items[:room], *items[-room:]]
    left = room - _LEAST
    reserve = _fitted(_list_mark(ends[0], total, total)).size + 1 if ends else 0
    head: list[Json] = []
    tail: list[Json] = []
    while len(head) + len(tail) < len(ends):
        remaining = len(ends) - len(head) - len(tail)
        member = ends[len(head)] if len(head) <= len(tail) else ends[-1 - len(tail)]
        share = left if remaining == 1 else _share(left - reserve, remaining)
        may_cut = remaining == 1 or share >= _WORTHWHILE
        fitted = (fit if may_cut else _fit_whole)(member, share - 1, scrub, path)
        if fitted is None:
            break
        left -= fitted.size + 1
        (head if len(head) <= len(tail) else tail).append(fitted.tree)
    left_out = total - len(head) - len(tail)
    mark = [_list_mark(ends[0], left_out, total)] if left_out and reserve <= left else []
    return _fitted([*head, *mark, *reversed(tail)]) if room >= _LEAST else None


def _share(left: int, members: int) -> int:
    return max(left // min(members, _PORTION), min(_WORTHWHILE, left))


def _list_mark(neighbour: object, left_out: int, total: int) -> Json:
    """A member that says how many are missing; it has its neighbours' shape, so whoever reads those reads it."""
    note = f"[{left_out} of {total} left out]"
    if type(neighbour) is not dict:
        return note
    if "role" in neighbour and "parts" in neighbour:
        return {"role": "omitted", "parts": [{"type": "text", "content": note}]}
    if "type" in neighbour:
        return {"type": "text", "name": "omitted", "content": note}
    return {"content": note}


class _Entry(NamedTuple):
    name: str
    value: object
    whole: Fitted | None
    """Of a short value; large ones get what short ones leave."""


def _cut_dictionary(mapping: dict[object, object], room: int, scrub: Scrub, path: Path) -> Fitted | None:
    """Keys in order; short values stay whole, large ones share what is left; a mark for keys without room."""
    total = len(mapping)
    entries, left = _entries(mapping, room - _LEAST, scrub)
    large = sum(entry.whole is None for entry in entries)
    shown: dict[str, Json] = {}
    for entry in entries:
        fitted = entry.whole
        if fitted is None:
            share = left if large == 1 else _share(left, large)
            large -= 1
            fitted = fit(entry.value, share + _LEAST, scrub, path)
            left -= fitted.size - _LEAST if fitted else 0
        if fitted is None:
            break
        shown[entry.name] = fitted.tree
    if len(shown) < min(total, _LEADING):
        return None
    left_out = total - len(shown)
    marked = _fitted(shown | {"…": f"[{left_out} of {total} left out]"} if left_out else shown)
    return marked if marked.size <= room else _fitted(shown)


def _entries(mapping: dict[object, object], room: int, scrub: Scrub) -> tuple[list[_Entry], int]:
    """The first entries that have room with their large values empty, and the room left then."""
    entries: list[_Entry] = []
    for key, value in pairs(mapping, room // 4 + 1):
        name = scrub.redact_key(key_text(key))
        hidden = scrub.hidden(name, value)
        whole = None
        if hidden is not None or _is_atom(value):
            whole = _fit_whole(hidden or value, room, NOTHING if hidden else scrub, ())
        need = len(encode(name)) + 2 + (whole.size if whole else _LEAST)
        may_be_last = len(entries) < _LEADING or len(entries) + 1 == len(mapping)
        if need > room - (0 if may_be_last else _KEYS_MARK):
            break
        room -= need
        entries.append(_Entry(name, value, whole))
    return entries, room


def _is_atom(value: object) -> bool:
    kind = type(value)
    return value is None or kind in {bool, int, float} or (kind is str and len(value) <= _ATOM)  # type: ignore[arg-type]


def cut_text(text: str, room: int, scrub: Scrub = NOTHING) -> str:
    """The two ends of a text round a mark with its length: as JSON, quotes included, at most `room` (2 or more) bytes.

    What is not shown is not looked at, `MARGIN` characters apart, and what was cut through does not count as seen:
    a secret that begins before the cut is found, or ends within the margin and is gone with it.
    """
    text = without_data(text)
    kept = max(room - _ROOM_FOR_TEXT_MARK, 0)
    front, back = kept - kept // 3, kept // 3
    if len(text) <= kept + 2 * MARGIN:
        head = tail = scrub.redact_text(valid_text(without_embedded_data(text)))
        if len(encode(head)) <= room:
            return head
    else:
        head = _window(text[: front + MARGIN], scrub)[:-MARGIN]
        tail = _window(text[-back - MARGIN :], scrub)[MARGIN:].lstrip(_TOKEN_CHARACTERS)
    if not kept:
        return _prefix(head, room - len("…".encode()) - _LEAST) + "…" if room > _LEAST + 2 else ""
    head = _prefix(head, front)
    return head + _TEXT_MARK.format(len(text)) + _suffix(tail if tail is not head else tail[len(head) :], back)


def _window(part: str, scrub: Scrub) -> str:
    return scrub.redact_text(valid_text(without_embedded_data(part)))


def _prefix(text: str, room: int) -> str:
    """The longest beginning, or nearly, whose JSON without quotes has at most `room` bytes."""
    while (size := len(encode(text)) - 2) > room:
        text = text[: len(text) * room // size]
    return text


def _suffix(text: str, room: int) -> str:
    while (size := len(encode(text)) - 2) > room:
        text = text[len(text) - len(text) * room // size :]
    return text
