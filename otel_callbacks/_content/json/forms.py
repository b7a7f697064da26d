"""One level of any object in simpler types: the JSON form of a pydantic model, a set, a date or an unknown object.

Nothing here trusts an object: methods of built-in types are called past a subclass's overrides, everything else may
raise, and ``repr`` is never called on unknown objects (it may be slow, huge, or hold secrets).
"""

import datetime as dt
import decimal
import enum
import fractions
import ipaddress
import re
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import PurePath
from types import SimpleNamespace
from typing import Any

from otel_callbacks._content.json.binary import bytes_mark

UNREADABLE = "<unreadable>"

_PRINTABLE = (
    dt.date, dt.time, dt.timedelta, dt.tzinfo, uuid.UUID, decimal.Decimal, fractions.Fraction,
    complex, PurePath, ipaddress.IPv4Address, ipaddress.IPv6Address, ipaddress.IPv4Network, ipaddress.IPv6Network,
)  # fmt: skip
"""Standard library types whose ``str`` is short and complete."""
_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))


def simplify(value: object, limit: int) -> object:
    """Return `value` as text, number, list or dictionary of exact type, or as a simpler object; a mark if unreadable.

    Members stay unchanged. At most `limit` members of a collection are read.
    """
    try:
        return _simplify(value, type(value), max(limit, 1))
    except Exception:  # noqa: BLE001 - a hostile object may raise anything
        return UNREADABLE


def _simplify(value: Any, kind: type, limit: int) -> object:
    for base, form in _FORMS:
        if issubclass(kind, base):
            return form(value, limit)
    for names, form in _RECORDS:
        if any(hasattr(kind, name) for name in names):
            return form(value, limit)
    return f"<{kind.__module__}.{kind.__qualname__}>"


def _enum(value: Any, _limit: int) -> object:
    return value.value


def _text(value: Any, _limit: int) -> str:
    return str.__getitem__(value, slice(None))


def _integer(value: Any, _limit: int) -> int:
    return int.__pos__(value)


def _float(value: Any, _limit: int) -> float:
    return float.__pos__(value)


def _bytes(value: Any, _limit: int) -> str:
    return bytes_mark(memoryview(value).nbytes)


def _dictionary(value: Any, limit: int) -> object:
    return dict(_first_members(dict.items(value), limit))


def _namespace(value: Any, limit: int) -> object:
    return _dictionary(object.__getattribute__(value, "__dict__"), limit)


def _mapping(value: Any, limit: int) -> object:
    return dict(_first_members(value.items(), limit))


def _tuple(value: Any, limit: int) -> object:
    fields = getattr(type(value), "_fields", None)
    if fields is not None:
        return dict(zip(fields, tuple.__iter__(value), strict=True))
    return _first_members(tuple.__iter__(value), limit, tuple.__len__(value))


def _list(value: Any, limit: int) -> object:
    return _first_members(list.__iter__(value), limit, list.__len__(value))


def _collection(value: Any, limit: int) -> object:
    return _first_members(value, limit, len(value))


def _first_members(members: Iterable[Any], limit: int, total: int = 0) -> list[Any]:
    """Return the first members, and a mark for the rest."""
    head = list(islice(members, limit))
    return head if total <= len(head) else [*head, f"[{total - len(head)} of {total} left out]"]


def _printable(value: Any, _limit: int) -> str:
    return str(value)


def _pattern(value: Any, _limit: int) -> object:
    return value.pattern


def _class(value: Any, _limit: int) -> str:
    return f"<class {value.__module__}.{value.__qualname__}>"


def _exception(value: Any, _limit: int) -> str:
    return f"{type(value).__qualname__}: {value!s}"


_FORMS: tuple[tuple[type | tuple[type, ...], Callable[[Any, int], object]], ...] = (
    (enum.Enum, _enum),
    (str, _text),
    (int, _integer),
    (float, _float),
    ((bytes, bytearray, memoryview), _bytes),
    (dict, _dictionary),
    (list, _list),
    (tuple, _tuple),
    ((set, frozenset, deque, range, *_VIEWS), _collection),
    (type, _class),
    (_PRINTABLE, _printable),
    (re.Pattern, _pattern),
    (BaseException, _exception),
    (SimpleNamespace, _namespace),
    (Mapping, _mapping),
)
"""Base class -> form; the first that matches counts."""


def _dataclass(value: Any, _limit: int) -> object:
    # ``repr=False`` hides a field on purpose, often because it holds a secret.
    names = [name for name, field in type(value).__dataclass_fields__.items() if field.repr]
    return _attributes(value, names)


def _model(value: Any, _limit: int) -> object:
    """Return a pydantic model, version 2 or 1, without the fields its class excludes from dumps or representations."""
    kind = type(value)
    fields = kind.__pydantic_fields__ if hasattr(kind, "__pydantic_fields__") else kind.__fields__
    hidden = {
        name for name, field in fields.items() if getattr(field, "exclude", None) or not getattr(field, "repr", True)
    }
    values = object.__getattribute__(value, "__dict__") | (getattr(value, "__pydantic_extra__", None) or {})
    return {name: entry for name, entry in values.items() if name not in hidden}


def _attributes(value: object, names: Iterable[str]) -> dict[str, object]:
    values: dict[str, object] = {}
    for name in names:
        try:
            values[name] = getattr(value, name)
        except Exception:  # noqa: BLE001 - one unreadable field leaves the others readable
            values[name] = UNREADABLE
    return values


def _array(value: Any, limit: int) -> object:
    """Return a numpy array or scalar; of a large array, only its type and shape."""
    if value.size <= min(limit, _LARGEST_ARRAY):
        return value.tolist()
    return f"<array of {value.dtype}, shape {value.shape}>"


_LARGEST_ARRAY = 64
"""Numbers of an array that are shown; an embedding has more, and means nothing to a reader."""

_RECORDS: tuple[tuple[tuple[str, ...], Callable[[Any, int], object]], ...] = (
    (("__pydantic_fields__", "__fields_set__"), _model),
    (("__dataclass_fields__",), _dataclass),
    (("__array_interface__",), _array),
)
"""Attributes of a class, any of which marks it -> form."""
