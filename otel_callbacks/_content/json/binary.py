"""Binary data inside JSON-like values: its media type and size stay, the data never does."""

import re

SHORTEST = 64
"""Characters below which a text is not searched for binary data."""

_BARE = 512  # characters from which bare base64, without `data:` in front, counts as binary data
_SAMPLE = 64  # characters

_DATA_URL = re.compile(r"data:([\w.+-]{1,64}/[\w.+-]{1,64})?((?:;[\w.=+-]{1,64}){0,4}),", re.ASCII | re.IGNORECASE)
_EMBEDDED = re.compile(
    r"data:(?P<type>[\w.+-]{1,64}/[\w.+-]{1,64})?(?:;[\w.=+-]{1,64}){0,4};base64,(?P<data>[\w+/=-]*)", re.ASCII
)
_BASE64 = re.compile(r"[A-Za-z0-9+/_=\r\n-]+")


def bytes_mark(size: int, media_type: str | None = None) -> str:
    """Return what stands in place of `size` bytes."""
    return f"<{media_type or 'binary'}, {size} bytes>"


def decoded_size(text: str) -> int:
    """Return the number of bytes that a base64 text holds."""
    return len(text) * 3 // 4 - text.count("=", -2)


def data_url(text: str) -> tuple[str | None, int] | None:
    """Return media type and size in bytes of a text that is one ``data:`` URL, ``None`` for any other text."""
    if text[:5].lower() != "data:":
        return None
    head = _DATA_URL.match(text)
    if head is None or not (head[1] or head[2]):
        return None
    data = len(text) - head.end()
    if head[2].lower().endswith(";base64"):
        data = data * 3 // 4 - text.count("=", -2)
    return head[1], data


def without_data(text: str) -> str:
    """Return the mark for a text that is nothing but binary data, any other text unchanged. Reads only samples."""
    if len(text) < SHORTEST:
        return text
    whole = data_url(text)
    if whole:
        return bytes_mark(whole[1], whole[0])
    if len(text) >= _BARE and _is_base64(text):
        return bytes_mark(decoded_size(text))
    return text


def without_embedded_data(text: str) -> str:
    """Return `text` with marks in place of the ``data:`` URLs in it. Reads every character."""
    if ";" in text and ";base64," in text:  # one character is found much faster than eight
        return _EMBEDDED.sub(lambda url: bytes_mark(decoded_size(url["data"]), url["type"]), text)
    return text


def _is_base64(text: str) -> bool:
    """Judge by samples: base64 of any data soon has digits and letters of both cases."""
    if not _BASE64.fullmatch(text, len(text) - _SAMPLE):
        return False
    head = text[: 4 * _SAMPLE]
    mixed = head.lower() != head != head.upper() and any(character.isdigit() for character in head)
    middle = len(text) // 2
    return mixed and bool(_BASE64.fullmatch(head) and _BASE64.fullmatch(text, middle, middle + _SAMPLE))
