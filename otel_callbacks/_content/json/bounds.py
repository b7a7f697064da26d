"""Fitting a value into a number of bytes: what is small stays whole, what is large is shown by its two ends.

The result is valid JSON of the same shape: a list of messages stays one, and a mark in it is a message, too.
"""

from collections.abc import Callable
from typing import NamedTuple

from otel_callbacks._content.json.copying import CYCLE, MAX_DEPTH, TOO_DEEP, Copy, Path, TooBigError, key_text, pairs
from otel_callbacks._content.json.encoding import Json, decode, encode
from otel_callbacks._content.json.forms import simplified
from otel_callbacks._content.json.probing import probe
from otel_callbacks._content.json.scrub import NOTHING, Scrub
from otel_callbacks._content.json.texts import Fitted, fit_text

_WORTHWHILE = 160  # bytes below which a member of a list is shown whole or not at all
_LEADING = 4  # keys of a dictionary without which it is left out: records have what they require in front
_ATOM = 32  # characters up to which a text in a dictionary is a type, a role, an identifier: never cut
_PORTION = 4  # a large member takes at most one part in so many of what is left, so that later ones are not starved
_ROOM_FOR_ATOM = 1000  # characters, for the longest number
_MOST_MEMBERS = 256  # of a list or dictionary that is cut: more say nothing more, and cost time
_EMPTY = 2  # bytes of an empty text, list or dictionary
_ROOM_FOR_MARK = 48
_ROOM_FOR_RECORD_MARK = 110


def dumps(value: object, max_bytes: int, scrub: Scrub = NOTHING) -> str:
    """JSON text of any value, valid and of at most `max_bytes` bytes (2 or more) in UTF-8. Never raises."""
    try:
        text = _clean_text(value, max_bytes, scrub)
    except TooBigError:
        return encode(_shown(value, Fitter(scrub).cut, max_bytes)).decode()
    return (encode(plain(value, max_bytes, scrub)) if text is None else text).decode()


def plain(value: object, max_bytes: int, scrub: Scrub = NOTHING) -> Json:
    """The structure whose JSON text `dumps` gives: a bounded copy in exact JSON types. Never raises."""
    return _shown(value, Fitter(scrub).fit, max_bytes)


def _shown(value: object, fit: Callable[[object, int], Fitted | None], room: int) -> Json:
    try:
        fitted = fit(value, room)
    except Exception:  # noqa: BLE001 - a redactor that fails, or a stack without room for one more call
        fitted = None
    if fitted:
        return fitted.tree
    return {} if issubclass(type(value), dict) else [] if issubclass(type(value), (list, tuple)) else ""


def _clean_text(value: object, room: int, scrub: Scrub) -> bytes | None:
    """The value's text, if nothing in the value needs to be changed.

    Raises:
        TooBigError: it cannot lie within `room` bytes.
    """
    try:
        probed = probe(value, room)
        text = encode(value)  # type: ignore[arg-type]
        return text if len(text) <= room and scrub.is_clean(probed.keys, probed.texts) else None
    except TooBigError:
        raise
    except Exception:  # noqa: BLE001 - the long way finds out what it is and copes with it
        return None


class _Entry(NamedTuple):
    name: str
    value: object
    whole: Fitted | None
    """Of a short value; large ones get what short ones leave."""


class Fitter:
    """Fits values into bytes, secrets taken out by a `Scrub`.

    All its methods give ``None`` if nothing useful of a value can be shown in so little room. `path` holds the ids of
    the values that enclose this one.
    """

    __slots__ = ("_scrub",)

    def __init__(self, scrub: Scrub) -> None:
        self._scrub = scrub

    def fit(self, value: object, room: int, path: Path = ()) -> Fitted | None:
        """`value` within `room` bytes of JSON: whole if possible, else cut."""
        if type(value) is str:
            return fit_text(value, room, self._scrub)
        try:
            whole = self._scrub.redact(_copied(value, room, path))
        except TooBigError:
            return self.cut(value, room, path)
        size = len(encode(whole))
        return Fitted(whole, size) if size <= room else Fitter(NOTHING).cut(whole, room, path)

    def _fit_whole(self, value: object, room: int, path: Path) -> Fitted | None:
        try:
            whole = self._scrub.redact(_copied(value, room, path))
        except TooBigError:
            return None
        size = len(encode(whole))
        return Fitted(whole, size) if size <= room else None

    def cut(self, value: object, room: int, path: Path = ()) -> Fitted | None:
        """What can be shown of a value that is larger than `room`."""
        kind = type(value)
        if kind is str:
            return fit_text(value, room, self._scrub)  # type: ignore[arg-type]
        if value is None or kind is bool or kind is int or kind is float or room < _EMPTY:
            return None
        if id(value) in path or len(path) >= MAX_DEPTH:
            return fit_text(CYCLE if id(value) in path else TOO_DEEP, room, NOTHING)
        path = (*path, id(value))
        if kind is list or kind is tuple:
            return self._cut_list(value, room, path)  # type: ignore[arg-type]
        if kind is dict:
            return self._cut_dictionary(value, room, path)  # type: ignore[arg-type]
        return self.fit(simplified(value, room), room, path)

    def _cut_list(self, items: list[object] | tuple[object, ...], room: int, path: Path) -> Fitted:
        """First and last members, taken by turns as long as there is room, and a mark in the middle."""
        total = len(items)
        ends = list(items) if total <= _MOST_MEMBERS else [*items[: _MOST_MEMBERS // 2], *items[-_MOST_MEMBERS // 2 :]]
        reserve = _ROOM_FOR_RECORD_MARK if ends and type(ends[0]) is dict else _ROOM_FOR_MARK
        left = room - 1  # one bracket: each member brings a comma or the other bracket
        head: list[Json] = []
        tail: list[Json] = []
        for unseen in range(len(ends), 0, -1):
            beside = head if len(head) <= len(tail) else tail
            member = ends[len(head)] if beside is head else ends[-1 - len(tail)]
            share = left if unseen == 1 else _share(left - reserve, unseen)
            if total == 1:  # then it is too large itself
                fitted = self.cut(member, share - 1, path)
            else:
                fitted = self._fit_member(member, share - 1, path, may_cut=unseen == 1 or share >= _WORTHWHILE)
            if fitted is None:
                break
            left -= fitted.size + 1
            beside.append(fitted.tree)
        left_out = total - len(head) - len(tail)
        if left_out and reserve <= left:
            mark = _list_mark(ends[0], left_out, total)
            left -= len(encode(mark)) + 1
            head.append(mark)
        return Fitted([*head, *reversed(tail)], max(room - left, _EMPTY))

    def _fit_member(self, member: object, room: int, path: Path, *, may_cut: bool) -> Fitted | None:
        if _is_atom(member):
            return self._fit_atom(member, room)
        return self.fit(member, room, path) if may_cut else self._fit_whole(member, room, path)

    def _fit_atom(self, value: object, room: int) -> Fitted | None:
        whole = self._scrub.redact(Copy(_ROOM_FOR_ATOM).copy(value))
        size = len(encode(whole))
        return Fitted(whole, size) if size <= room else None

    def _cut_dictionary(self, mapping: dict[object, object], room: int, path: Path) -> Fitted | None:
        """Keys in order; short values stay whole, large ones share what is left; a mark for keys without room."""
        total = len(mapping)
        entries, left = self._entries(mapping, room - 1)
        large = total_large = sum(entry.whole is None for entry in entries)
        shown: dict[str, Json] = {}
        for name, value, whole in entries:
            fitted = whole
            if fitted is None:
                fit = self.cut if total_large == 1 else self.fit
                share = left if large == 1 else _share(left, large)
                fitted = fit(value, share + _EMPTY, path)
                large -= 1
                left -= fitted.size - _EMPTY if fitted else 0
            if fitted is None:
                break
            shown[name] = fitted.tree
        if len(shown) < min(total, _LEADING):
            return None
        if len(shown) < total and left >= _ROOM_FOR_MARK:
            shown["..."] = f"[{total - len(shown)} of {total} left out]"
        return Fitted(shown, len(encode(shown)))

    def _entries(self, mapping: dict[object, object], room: int) -> tuple[list[_Entry], int]:
        """The first entries that have room with their large values empty, and the room left then."""
        entries: list[_Entry] = []
        for key, value in pairs(mapping, _MOST_MEMBERS):
            name = self._scrub.redact_key(key_text(key))
            hidden = self._scrub.hidden(name, value, mapping)
            whole = None
            if hidden is not None:
                whole = Fitted(hidden, len(encode(hidden)))
            elif _is_atom(value):
                whole = self._fit_atom(value, room)
            need = len(encode(name)) + 2 + (whole.size if whole else _EMPTY)
            fits_without_mark = len(entries) < _LEADING or len(entries) + 1 == len(mapping)
            if need > (room if fits_without_mark else room - _ROOM_FOR_MARK):
                break
            room -= need
            entries.append(_Entry(name, value, whole))
        return entries, room


def _copied(value: object, room: int, path: Path) -> Json:
    try:
        probe(value, room)
        return decode(encode(value))  # type: ignore[arg-type]
    except TooBigError:
        raise
    except Exception:  # noqa: BLE001 - whatever is unusual about the value, this way copes with it
        return Copy(room).copy(value, path)


def _is_atom(value: object) -> bool:
    kind = type(value)
    return value is None or kind is bool or kind is int or kind is float or (kind is str and len(value) <= _ATOM)  # type: ignore[arg-type]


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
