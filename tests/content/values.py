"""Values that break encoders: hostile objects, odd types, and Hypothesis strategies for any object."""

import dataclasses
import datetime as dt
import decimal
import enum
import math
import pathlib
import uuid
from collections import ChainMap, OrderedDict, UserDict, deque
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Point(NamedTuple):
    x: int
    y: int


@dataclasses.dataclass
class Order:
    item: str
    lines: list[Any]
    key: str = dataclasses.field(default="kept back", repr=False)


class Customer(BaseModel):
    name: str
    orders: list[Any] = []
    password: SecretStr = SecretStr("kept back")
    internal: str = Field("kept back", exclude=True)


def _fail(*_args: object, **_kwargs: object) -> Any:
    raise ValueError("hostile")


class Hostile:
    """Raises on any use."""

    __getattribute__ = __repr__ = __str__ = __len__ = __iter__ = __bool__ = __hash__ = __eq__ = __getitem__ = _fail
    __class__ = property(_fail)
    model_dump = dict = to_json = property(_fail)


class HostileText(str):
    __slots__ = ()
    __len__ = __getitem__ = __iter__ = __str__ = __hash__ = encode = isascii = _fail


class HostileDict(dict):
    __len__ = __iter__ = __getitem__ = items = keys = values = copy = _fail


class HostileList(list):
    __len__ = __iter__ = __getitem__ = __reversed__ = _fail


class HostileInt(int):
    __pos__ = __index__ = __str__ = __repr__ = bit_length = __lt__ = __ge__ = _fail


class Celsius(float):
    __slots__ = ()


class Pair(tuple):
    __slots__ = ()


class HostileMeta(type):
    __getattribute__ = __repr__ = __hash__ = __eq__ = __instancecheck__ = __subclasscheck__ = _fail


class HostileClass(metaclass=HostileMeta):
    pass


def cycle() -> dict[str, Any]:
    """Return a dictionary in a list in itself."""
    outer: dict[str, Any] = {"name": "outer"}
    outer["members"] = [outer, {"owner": outer}]
    return outer


def nested(depth: int) -> list[Any]:
    """Return lists in lists."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def grown() -> dict[str, Any]:
    """Return a structure that repeats its members: small in memory, huge as text."""
    value: dict[str, Any] = {"end": 1}
    for _ in range(40):
        value = {"left": value, "right": value}
    return value


ODD = [
    Colour.RED, Level.HIGH, Point(1, 2), Order("tea", [1]), Customer(name="Ada"), Customer, Order, int,
    dt.datetime(2026, 1, 2, tzinfo=dt.timezone.utc), dt.timedelta(seconds=1), uuid.UUID(int=7),
    decimal.Decimal("1.50"), pathlib.PurePosixPath("a/b"), b"data", bytearray(b"data"), memoryview(b"data"), {1, 2},
    frozenset("a"), deque([1, 2]), range(3), {}.keys(), OrderedDict(a=1), MappingProxyType({"a": 1}), UserDict(a=1),
    ChainMap({"a": 1}), SimpleNamespace(a=1), np.float32(0.5), np.int64(4), np.bool_(True), np.array([[1, 2], [3, 4]]),
    np.zeros(1000), np.datetime64("2026-01-02"), math.nan, math.inf, -math.inf, 10**30, -(2**63), 2**63, 10**5000,
    "\ud800", "\udc00\ud800", "\x00\x1f\u2028", 1 + 2j, ValueError("bad"), object(), object, len,
    lambda: 1, (x for x in "ab"),
    Hostile(), HostileText("abc"), HostileDict(a=1), HostileList([1]), HostileInt(5), HostileClass(), HostileClass,
    cycle(), nested(10_000), grown(), {(1, "a"): 1, None: 2, True: 3, 1.5: 4, Colour.RED: 5, "k" * 1000: 6},
]  # fmt: skip
"""One of each kind."""

text = st.text(st.characters(codec=None), max_size=80)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    text,
    st.binary(max_size=80),
    st.integers(0, len(ODD) - 1).map(lambda index: [ODD[index]]),  # in a list: bare hostile objects break Hypothesis
)
keys = st.one_of(text, st.integers(), st.none(), st.booleans(), st.tuples(st.integers(), text))


def _containers(members: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(members, max_size=12),
        st.lists(members, max_size=4).map(tuple),
        st.dictionaries(keys, members, max_size=12),
        st.builds(Order, text, st.lists(members, max_size=3)),
        st.builds(Customer, name=text.filter(str.isprintable), orders=st.lists(members, max_size=3)),
        members.map(lambda member: [member] * 200),
    )


anything = st.recursive(scalars, _containers, max_leaves=25)
"""Any Python object."""

json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**53), 2**53),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=60),
    ),
    lambda members: st.one_of(
        st.lists(members, max_size=8), st.dictionaries(st.text(max_size=20), members, max_size=8)
    ),
    max_leaves=30,
)
"""Any JSON value."""
