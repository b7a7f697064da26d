"""Fitting a value into a number of bytes: small values stay whole, large ones keep their two ends.

The result is valid JSON of the same shape: a list of messages stays one, and a mark in it is itself a message.
"""

from collections.abc import Callable
from typing import NamedTuple

from otel_callbacks._content.json.copying import (
    CYCLE,
    MAX_DEPTH,
    TOO_DEEP,
    Copier,
    Path,
    TooBigError,
    first_entries,
    key_text,
)
from otel_callbacks._content.json.encoding import Json, decode, encode
from otel_callbacks._content.json.forms import simplify
from otel_callbacks._content.json.probing import probe
from otel_callbacks._content.json.redactor import NO_REDACTION, ContentRedactor
from otel_callbacks._content.json.texts import SizedTree, fit_text

_WORTHWHILE = 160  # bytes; with less room, a member of a list is shown whole or not at all
_LEADING = 4  # a dictionary without room for so many keys is left out: records have their required keys first
_ATOM = 32  # characters; so short a text is a type, a role or an identifier, and is never cut
_PORTION = 4  # a large member gets at most this fraction (1/4) of the remaining room, to leave some for later ones
_ROOM_FOR_ATOM = 1000  # characters, for the longest number
_MOST_MEMBERS = 256  # of a cut list or dictionary: more would add cost, not information
_EMPTY = 2  # bytes of an empty text, list or dictionary
_ROOM_FOR_MARK = 48
_ROOM_FOR_RECORD_MARK = 110


def dumps(value: object, max_bytes: int, redactor: ContentRedactor = NO_REDACTION) -> str:
    """Return valid JSON text of any value, at most `max_bytes` bytes (2 or more) in UTF-8. Never raises."""
    try:
        text = _unchanged_json(value, max_bytes, redactor)
    except TooBigError:
        return encode(_tree(value, Fitter(redactor).cut, max_bytes)).decode()
    return (encode(plain(value, max_bytes, redactor)) if text is None else text).decode()


def plain(value: object, max_bytes: int, redactor: ContentRedactor = NO_REDACTION) -> Json:
    """Return the structure whose JSON text `dumps` gives: a bounded copy in exact JSON types. Never raises."""
    return _tree(value, Fitter(redactor).fit, max_bytes)


def _tree(value: object, fit: Callable[[object, int], SizedTree | None], room: int) -> Json:
    try:
        copy = fit(value, room)
    except Exception:  # noqa: BLE001 - a redactor that fails, or a stack without room for one more call
        copy = None
    if copy:
        return copy.tree
    return {} if issubclass(type(value), dict) else [] if issubclass(type(value), (list, tuple)) else ""


def _unchanged_json(value: object, room: int, redactor: ContentRedactor) -> bytes | None:
    """Return the value's JSON if nothing in the value has to change, else ``None``.

    Raises:
        TooBigError: It cannot fit into `room` bytes.
    """
    try:
        strings = probe(value, room)
        text = encode(value)  # type: ignore[arg-type]
        return text if len(text) <= room and redactor.is_clean(strings.keys, strings.texts) else None
    except TooBigError:
        raise
    except Exception:  # noqa: BLE001 - the slow path copes with whatever it is
        return None


class _Entry(NamedTuple):
    name: str
    value: object
    whole: SizedTree | None
    """The whole value if it is short, else ``None``: large values share the room that short ones leave."""


class Fitter:
    """Fits values into bytes, and removes secrets with a `ContentRedactor`.

    Its methods return ``None`` if the room is too small to show anything useful of a value. `path` holds the ids of the
    values that enclose this one.
    """

    __slots__ = ("_redactor",)

    def __init__(self, redactor: ContentRedactor) -> None:
        self._redactor = redactor

    def fit(self, value: object, room: int, path: Path = ()) -> SizedTree | None:
        """Return `value` within `room` bytes of JSON: whole if possible, else cut."""
        if type(value) is str:
            return fit_text(value, room, self._redactor)
        try:
            whole = self._redactor.redact(_copy(value, room, path))
        except TooBigError:
            return self.cut(value, room, path)
        # Redacted already: a redactor sees each text once.
        return _sized(whole, room) or Fitter(NO_REDACTION).cut(whole, room, path)

    def _fit_whole(self, value: object, room: int, path: Path) -> SizedTree | None:
        try:
            return _sized(self._redactor.redact(_copy(value, room, path)), room)
        except TooBigError:
            return None

    def cut(self, value: object, room: int, path: Path = ()) -> SizedTree | None:
        """Return what fits of a value that is larger than `room`."""
        kind = type(value)
        if kind is str:
            return fit_text(value, room, self._redactor)  # type: ignore[arg-type]
        if value is None or kind is bool or kind is int or kind is float or room < _EMPTY:
            return None
        if id(value) in path or len(path) >= MAX_DEPTH:
            return fit_text(CYCLE if id(value) in path else TOO_DEEP, room, NO_REDACTION)
        path = (*path, id(value))
        if kind is list or kind is tuple:
            return self._cut_list(value, room, path)  # type: ignore[arg-type]
        if kind is dict:
            return self._cut_dictionary(value, room, path)  # type: ignore[arg-type]
        return self.fit(simplify(value, room), room, path)

    def _cut_list(self, items: list[object] | tuple[object, ...], room: int, path: Path) -> SizedTree:
        """Keep first and last members, by turns while there is room, and put a mark in the middle."""
        total = len(items)
        ends = list(items) if total <= _MOST_MEMBERS else [*items[: _MOST_MEMBERS // 2], *items[-_MOST_MEMBERS // 2 :]]
        reserve = _ROOM_FOR_RECORD_MARK if ends and type(ends[0]) is dict else _ROOM_FOR_MARK
        left = room - 1  # one bracket: each member brings a comma or the other bracket
        head: list[Json] = []
        tail: list[Json] = []
        for remaining in range(len(ends), 0, -1):
            beside = head if len(head) <= len(tail) else tail
            member = ends[len(head)] if beside is head else ends[-1 - len(tail)]
            share = left if remaining == 1 else _share(left - reserve, remaining)
            if total == 1:  # too large itself, so that there is no point in trying it whole
                copy = self.cut(member, share - 1, path)
            else:
                copy = self._fit_member(member, share - 1, path, may_cut=remaining == 1 or share >= _WORTHWHILE)
            if copy is None:
                break
            left -= copy.size + 1
            beside.append(copy.tree)
        left_out = total - len(head) - len(tail)
        if left_out and reserve <= left:
            mark = _list_mark(ends[0], left_out, total)
            left -= len(encode(mark)) + 1
            head.append(mark)
        return SizedTree([*head, *reversed(tail)], max(room - left, _EMPTY))

    def _fit_member(self, member: object, room: int, path: Path, *, may_cut: bool) -> SizedTree | None:
        if _is_atom(member):
            return self._fit_atom(member, room)
        return self.fit(member, room, path) if may_cut else self._fit_whole(member, room, path)

    def _fit_atom(self, value: object, room: int) -> SizedTree | None:
        return _sized(self._redactor.redact(Copier(_ROOM_FOR_ATOM).copy(value)), room)

    def _cut_dictionary(self, mapping: dict[object, object], room: int, path: Path) -> SizedTree | None:
        """Keep keys in order: short values whole, large ones sharing the rest, and a mark for keys without room."""
        total = len(mapping)
        entries, left = self._entries(mapping, room - 1)
        large = total_large = sum(entry.whole is None for entry in entries)
        tree: dict[str, Json] = {}
        for name, value, whole in entries:
            copy = whole
            if copy is None:
                fit = self.cut if total_large == 1 else self.fit
                share = left if large == 1 else _share(left, large)
                copy = fit(value, share + _EMPTY, path)  # its place was counted as an empty value
                large -= 1
                left -= copy.size - _EMPTY if copy else 0
            if copy is None:
                break
            tree[name] = copy.tree
        if len(tree) < min(total, _LEADING):
            return None
        if len(tree) < total and left >= _ROOM_FOR_MARK:
            tree["..."] = f"[{total - len(tree)} of {total} left out]"
        return SizedTree(tree, len(encode(tree)))

    def _entries(self, mapping: dict[object, object], room: int) -> tuple[list[_Entry], int]:
        """Return the first entries that fit with their large values empty, and the room that is then left."""
        entries: list[_Entry] = []
        for key, value in first_entries(mapping, _MOST_MEMBERS):
            name = self._redactor.redact_key(key_text(key))
            mark = self._redactor.key_mark(name, value, mapping)
            whole = None
            if mark is not None:
                whole = SizedTree(mark, len(encode(mark)))
            elif _is_atom(value):
                whole = self._fit_atom(value, room)
            need = len(encode(name)) + 2 + (whole.size if whole else _EMPTY)
            fits_without_mark = len(entries) < _LEADING or len(entries) + 1 == len(mapping)
            if need > (room if fits_without_mark else room - _ROOM_FOR_MARK):
                break
            room -= need
            entries.append(_Entry(name, value, whole))
        return entries, room


def _sized(tree: Json, room: int) -> SizedTree | None:
    size = len(encode(tree))
    return SizedTree(tree, size) if size <= room else None


def _copy(value: object, room: int, path: Path) -> Json:
    try:
        probe(value, room)
        return decode(encode(value))  # type: ignore[arg-type]
    except TooBigError:
        raise
    except Exception:  # noqa: BLE001 - the copier copes with anything unusual
        return Copier(room).copy(value, path)


def _is_atom(value: object) -> bool:
    kind = type(value)
    return value is None or kind is bool or kind is int or kind is float or (kind is str and len(value) <= _ATOM)  # type: ignore[arg-type]


def _share(left: int, members: int) -> int:
    return max(left // min(members, _PORTION), min(_WORTHWHILE, left))


def _list_mark(neighbour: object, left_out: int, total: int) -> Json:
    """Return a member that counts the missing ones, in its neighbours' shape so that their readers can read it."""
    note = f"[{left_out} of {total} left out]"
    if type(neighbour) is not dict:
        return note
    if "role" in neighbour and "parts" in neighbour:
        return {"role": "omitted", "parts": [{"type": "text", "content": note}]}
    if "type" in neighbour:
        return {"type": "text", "name": "omitted", "content": note}
    return {"content": note}
