"""Binary data inside JSON-like values: what remains of it is its media type and its size, never the data."""

import re

_SHORTEST = 64
"""Characters below which a text is not looked through for binary data."""
_UNMARKED = 512
"""Characters from which on bare base64, without a ``data:`` in front, is taken for binary data."""

_DATA_URL = re.compile(r"data:([\w.+-]{0,64}/[\w.+-]{0,64})?((?:;[\w.=+-]{1,64}){0,4}),", re.ASCII | re.IGNORECASE)
_BASE64_IN_TEXT = re.compile(
    r"data:(?P<type>[\w.+-]{1,64}/[\w.+-]{1,64})?(?:;[\w.=+-]{1,64}){0,4};base64,(?P<data>[\w+/=-]*)", re.ASCII
)
_BASE64 = re.compile(r"[A-Za-z0-9+/_=\r\n-]+")
_BASE64_START = re.compile(rf"[A-Za-z0-9+/_-]{{{_SHORTEST},}}={{0,2}}")


def bytes_mark(size: int, media_type: str | None = None) -> str:
    """What stands in place of `size` bytes."""
    return f"<{media_type or 'binary'}, {size} bytes>"


def decoded_size(characters: int, text: str = "") -> int:
    """Bytes that so many characters of base64 hold; `text` ends as they do, so that padding can be told."""
    return characters * 3 // 4 - (len(text) - len(text.rstrip("="))) if characters else 0


def data_url(text: str) -> tuple[str | None, int] | None:
    """Media type and size in bytes of a text that is one ``data:`` URL, ``None`` for any other text."""
    head = _DATA_URL.match(text)
    if head is None or not (head[1] or head[2]):
        return None
    characters = len(text) - head.end()
    if head[2].lower().endswith(";base64"):
        return head[1], decoded_size(characters, text[max(head.end(), len(text) - 2) :])
    return head[1], characters


def without_binary(text: str) -> str:
    """`text` with each ``data:`` URL and, if it is nothing but base64, itself replaced by type and size."""
    if len(text) < _SHORTEST:
        return text
    whole = data_url(text) if text[:5].lower() == "data:" else None
    if whole:
        return bytes_mark(whole[1], whole[0])
    if len(text) >= _UNMARKED and _is_base64(text):
        return bytes_mark(decoded_size(len(text), text[-2:]))
    if ";" in text and ";base64," in text:
        return _BASE64_IN_TEXT.sub(_mark, text)
    return text


def without_leading_base64(text: str) -> str:
    """`text`, the end of a longer one, without the rest of binary data that it may begin with."""
    return _BASE64_START.sub("", text, count=1) if _BASE64_START.match(text) else text


def _mark(found: re.Match[str]) -> str:
    return bytes_mark(decoded_size(len(found["data"]), found["data"][-2:]), found["type"])


def _is_base64(text: str) -> bool:
    """Judged by samples: base64 of anything soon shows digits and letters of both cases."""
    head = text[:256]
    if not _BASE64.fullmatch(head):
        return False
    middle = len(text) // 2
    mixed = head.lower() != head != head.upper() and any(character.isdigit() for character in head)
    return mixed and all(_BASE64.fullmatch(part) for part in (text[middle : middle + _SHORTEST], text[-_SHORTEST:]))
