"""JSON text of plain JSON types: `orjson` where it can be imported, else the standard library, with equal results."""

from collections.abc import Callable
from typing import NoReturn, TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

encode: Callable[[Json], bytes]
"""UTF-8 JSON of a tree of exact JSON types: finite numbers of at most 64 bits, text without lone surrogates."""

decode: Callable[[bytes | str], Json]
"""The tree of a JSON text; raises ``ValueError`` if the text is not JSON."""

_INT64_OR_UINT64 = range(-(2**63), 2**64)
_MOST_DIGITS = 20

try:
    import orjson
except ImportError:  # pragma: no cover - a test runs it in its own process
    import json

    def encode(tree: Json) -> bytes:
        return json.dumps(tree, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()

    def decode(text: bytes | str) -> Json:
        if isinstance(text, bytes):
            text = text.decode()  # the standard library would also take UTF-16 and UTF-32
        tree: Json = json.loads(text, parse_int=_whole, parse_float=_finite, parse_constant=_refuse)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(tree, ensure_ascii=False).encode()  # fails for an escaped lone surrogate
        return tree

    def _whole(digits: str) -> float:
        if len(digits) <= _MOST_DIGITS and (number := int(digits)) in _INT64_OR_UINT64:
            return number
        return _finite(digits)

    def _finite(digits: str) -> float:
        number = float(digits)
        return number if abs(number) != float("inf") else _refuse(digits)

    def _refuse(token: str) -> NoReturn:
        raise ValueError(f"{token} is not a number in JSON")
else:
    encode = orjson.dumps
    decode = orjson.loads


def valid_text(text: str) -> str:
    """Return `text` with lone surrogates, which UTF-8 cannot encode, replaced by U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
