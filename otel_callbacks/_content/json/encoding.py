"""JSON text of plain JSON types: `orjson` where it can be imported, else the standard library, with equal results."""

from collections.abc import Callable
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

encode: Callable[[Json], bytes]
"""UTF-8 JSON of a tree of exact JSON types: finite numbers of at most 64 bits, text without lone surrogates."""

decode: Callable[[bytes | str], Json]
"""The tree of a JSON text; raises ``ValueError`` if the text is not JSON."""

try:
    import orjson
except ImportError:  # pragma: no cover - a test runs it in its own process
    import json

    def encode(tree: Json) -> bytes:
        return json.dumps(tree, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()

    decode = json.loads
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
