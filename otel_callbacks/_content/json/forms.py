"""One level of any object in simpler types: what a pydantic model, a set, a date or an unknown object is as JSON.

Nothing here trusts an object: methods of built-in types are called past what a subclass made of them, everything
else may raise, and no representation is asked of unknown objects (it may be slow, huge, or hold secrets).
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
"""Types of the standard library whose ``str`` is short and says all there is to say."""
_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))


def simplified(value: object, limit: int) -> object:
    """`value` as text, number, list or dictionary of exact type, or as a simpler object; unreadable ones as a mark.

    Members stay what they are. Of collections that are not lists, at most `limit` members are looked at.
    """
    try:
        return _simplified(value, type(value), max(limit, 1))
    except Exception:  # noqa: BLE001 - a hostile object may raise anything
        return UNREADABLE


def _simplified(value: Any, kind: type, limit: int) -> object:
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
    return dict(_first(dict.items(value), limit))


def _namespace(value: Any, limit: int) -> object:
    return _dictionary(object.__getattribute__(value, "__dict__"), limit)


def _mapping(value: Any, limit: int) -> object:
    return dict(_first(value.items(), limit))


def _tuple(value: Any, limit: int) -> object:
    fields = getattr(type(value), "_fields", None)
    if fields is not None:
        return dict(zip(fields, tuple.__iter__(value), strict=True))
    return _first(tuple.__iter__(value), limit, tuple.__len__(value))


def _list(value: Any, limit: int) -> object:
    return _first(list.__iter__(value), limit, list.__len__(value))


def _collection(value: Any, limit: int) -> object:
    return _first(value, limit, len(value))


def _first(members: Iterable[Any], limit: int, total: int = 0) -> list[Any]:
    """The first members, and a mark for the rest."""
    taken = list(islice(members, limit))
    return taken if total <= len(taken) else [*taken, f"[{total - len(taken)} of {total} left out]"]


def _printed(value: Any, _limit: int) -> str:
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
    (_PRINTABLE, _printed),
    (re.Pattern, _pattern),
    (BaseException, _exception),
    (SimpleNamespace, _namespace),
    (Mapping, _mapping),
)
"""What is told by its base class."""


def _dataclass(value: Any, _limit: int) -> object:
    shown = [name for name, field in type(value).__dataclass_fields__.items() if field.repr]
    return _attributes(value, shown)


def _model(value: Any, _limit: int) -> object:
    """A pydantic model of version 2 or 1, without the fields that its class keeps out of dumps or representations."""
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
    """A numpy array or scalar; of larger arrays the shape only."""
    if value.size <= min(limit, _LARGEST_ARRAY):
        return value.tolist()
    return f"<array of {value.dtype}, shape {value.shape}>"


_LARGEST_ARRAY = 64
"""Numbers of an array that are shown; an embedding has more and says nothing to a reader."""

_RECORDS: tuple[tuple[tuple[str, ...], Callable[[Any, int], object]], ...] = (
    (("__pydantic_fields__", "__fields_set__"), _model),
    (("__dataclass_fields__",), _dataclass),
    (("__array_interface__",), _array),
)
"""What is told by an attribute of its class."""
