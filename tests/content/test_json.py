"""JSON of any object: valid, bounded, whole if it fits, at a cost set by the bound."""

import json
import re
import subprocess
import sys
import threading
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_callbacks._content.json import dumps, plain
from tests.content import values

PLENTY = 1 << 20


def strict(text: str) -> Any:
    """Return the value of a JSON text; NaN and Infinity are not JSON."""

    def refuse(constant: str) -> Any:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def compact(value: Any) -> str:
    """Return the shortest JSON text of a value."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@settings(max_examples=400, deadline=None)
@given(values.anything, st.integers(2, 4000))
def test_any_object_gives_valid_json_within_the_bound(value, max_bytes):
    """The text of any value is JSON, and in UTF-8 no longer than the bound."""
    text = dumps(value, max_bytes)

    strict(text)
    assert len(text.encode()) <= max_bytes


@settings(max_examples=300, deadline=None)
@given(values.json_values, st.integers(2, 4000))
def test_what_fits_is_whole(value, max_bytes):
    """A JSON value whose text is within the bound comes out unchanged."""
    if len(compact(value).encode()) <= max_bytes - 8:  # encoders differ by a character in a float's exponent
        assert strict(dumps(value, max_bytes)) == value


@settings(max_examples=200, deadline=None)
@given(values.anything, st.integers(2, 2000))
def test_structure_equals_the_text(value, max_bytes):
    """`plain` returns the structure that the text of `dumps` holds."""
    assert plain(value, max_bytes) == strict(dumps(value, max_bytes))


@pytest.mark.parametrize("max_bytes", [2, 3, 40, 300, 16_384])
@pytest.mark.parametrize("index", range(len(values.ODD)))
def test_odd_value_gives_valid_json(index, max_bytes):
    """Each odd kind of object becomes JSON on its own, in a list, and in a dictionary."""
    value = values.ODD[index]  # by index: pytest cannot handle hostile objects as parameters
    for wrapped in (value, [value] * 3, {"key": value}):
        text = dumps(wrapped, max_bytes)
        strict(text)
        assert len(text.encode()) <= max_bytes


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        pytest.param(lambda: values.Colour.RED, "red", id="enum"),
        pytest.param(lambda: values.Level.HIGH, 3, id="integer enum"),
        pytest.param(lambda: values.Point(1, 2), {"x": 1, "y": 2}, id="named tuple"),
        pytest.param(
            lambda: values.Order("tea", [1]), {"item": "tea", "lines": [1]}, id="dataclass without hidden fields"
        ),
        pytest.param(
            lambda: values.Customer(name="Ada"),
            {"name": "Ada", "orders": [], "password": "<pydantic.types.SecretStr>"},
            id="pydantic model without hidden fields",
        ),
        pytest.param(lambda: values.Customer, "<class tests.content.values.Customer>", id="class"),
        pytest.param(lambda: values.ODD[8], "2026-01-02 00:00:00+00:00", id="datetime"),
        pytest.param(lambda: b"data", "<binary, 4 bytes>", id="bytes"),
        pytest.param(lambda: {2}, [2], id="set"),
        pytest.param(lambda: values.np.float32(0.5), 0.5, id="numpy scalar"),
        pytest.param(lambda: values.np.array([[1, 2]]), [[1, 2]], id="numpy array"),
        pytest.param(lambda: values.np.zeros((40, 40)), "<array of float64, shape (40, 40)>", id="large numpy array"),
        pytest.param(lambda: [float("nan"), float("inf")], ["nan", "inf"], id="not finite"),
        pytest.param(lambda: 2**63, "9223372036854775808", id="more than 64 bits"),
        pytest.param(lambda: 10**5000, "<integer of 16610 bits>", id="huge integer"),
        pytest.param(lambda: "a\ud800b", "a\ufffdb", id="lone surrogate"),
        pytest.param(lambda: {None: 1, (1, 2): 2, 1.5: 3}, {"null": 1, "[1,2]": 2, "1.5": 3}, id="keys"),
        pytest.param(lambda: ValueError("bad"), "ValueError: bad", id="exception"),
        pytest.param(object, "<builtins.object>", id="unknown object"),
        pytest.param(values.Hostile, "<tests.content.values.Hostile>", id="hostile object"),
        pytest.param(lambda: [values.HostileClass()], ["<unreadable>"], id="object of a hostile class"),
        pytest.param(lambda: values.Celsius(1.5), 1.5, id="kind of float"),
        pytest.param(lambda: values.Pair((1, 2)), [1, 2], id="kind of tuple"),
        pytest.param(lambda: re.compile("a+"), "a+", id="pattern"),
        pytest.param(
            lambda: values.Order.__new__(values.Order),
            {"item": "<unreadable>", "lines": "<unreadable>"},
            id="no fields",
        ),
        pytest.param(lambda: {("k",) * 200: 1}, {"<class builtins.tuple>": 1}, id="large key that is no text"),
        pytest.param(lambda: {"k" * 300: 1}, {"k" * 256 + "...": 1}, id="large key"),
        pytest.param(lambda: values.HostileText("abc"), "abc", id="hostile text"),
        pytest.param(lambda: values.HostileDict(a=1), {"a": 1}, id="hostile dictionary"),
        pytest.param(lambda: values.HostileList([1]), [1], id="hostile list"),
        pytest.param(lambda: values.HostileInt(5), 5, id="hostile integer"),
        pytest.param(
            values.cycle,
            {"name": "outer", "members": ["<contains itself>", {"owner": "<contains itself>"}]},
            id="cycle",
        ),
    ],
)
def test_value_has_this_form(make, expected):
    """Each kind of object has its own form in JSON."""
    actual = strict(dumps(make(), PLENTY))

    assert actual == expected


def test_representation_of_unknown_objects_is_not_read():
    """``repr`` is not called on unknown objects: it may be slow, huge, or hold secrets."""

    class Client:
        def __repr__(self) -> str:
            return "Client(key='kept back')"

    assert "kept back" not in dumps({"client": Client()}, PLENTY)


def test_iterators_are_left_alone():
    """An iterator is not read: it may be a stream, which its reader would then miss."""
    stream = iter([1, 2])
    dumps({"stream": stream}, PLENTY)

    assert list(stream) == [1, 2]


def test_deep_nesting_ends_in_a_mark():
    """Ten thousand levels of nesting end in a mark."""
    assert "<nested too deeply>" in dumps(values.nested(10_000), PLENTY)


def test_without_orjson_the_result_is_the_same():
    """The standard library's encoder gives the same texts as orjson."""
    with_orjson = "\n".join(dumps(value, size) for value in _corpus() for size in (60, 5000))
    program = (
        "import sys; sys.modules['orjson'] = None\n"
        "from tests.content.test_json import _corpus, dumps\n"
        "sys.stdout.buffer.write('\\n'.join(dumps(value, size) for value in _corpus() for size in (60, 5000)).encode())"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[2], capture_output=True, check=True
    )

    assert run.stdout.decode() == with_orjson


def _corpus() -> list[Any]:
    message = {"role": "user", "parts": [{"type": "text", "content": 'He said "né\n" \x00\u2028 ' * 40}]}
    return [message, [message] * 50, list(range(3000)), {"a": 1.5, "b": [None, True]}, values.cycle(), "\ud800", 2**70]


def test_dictionary_may_change_while_it_is_read():
    """A dictionary is read correctly while another thread adds and removes keys."""
    shared: dict[str, Any] = {f"key{number}": {"n": number} for number in range(50)}
    stop = threading.Event()

    def change() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            shared[f"new{number % 97}"] = {"n": number}
            shared.pop(f"new{(number * 7) % 97}", None)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(300):
            output = strict(dumps({"state": shared, "again": [shared, shared]}, 4000))
            assert output["state"]["key0"] == output["again"][0]["key0"] == {"n": 0}
    finally:
        stop.set()
        thread.join()


def cheapest(call: Any) -> float:
    """Return the least CPU time of several calls, in seconds."""
    times = []
    for _ in range(7):
        started = process_time()
        call()
        times.append(process_time() - started)
    return min(times)


def words(length: int) -> str:
    """Return running text of `length` characters."""
    return ("some words, and more of them. " * (length // 30 + 1))[:length]


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(words, id="text"),
        pytest.param(lambda size: list(range(size)), id="list"),
        pytest.param(lambda size: dict.fromkeys(map(str, range(size)), 1), id="dictionary"),
        pytest.param(lambda size: [{"role": "user", "content": words(size)}] * 20, id="messages"),
        pytest.param(lambda size: [[words(60), {"n": 1}]] * size, id="records"),
        pytest.param(lambda size: set(range(size)), id="set"),
        pytest.param(lambda size: "data:image/png;base64," + "QUJD" * size, id="picture"),
    ],
)
def test_cost_follows_the_bound_not_the_value(make):
    """A value fifty times as large costs about the same."""
    small, large = make(20_000), make(1_000_000)

    assert cheapest(lambda: dumps(large, 4000)) < 6 * cheapest(lambda: dumps(small, 4000)) + 0.001
