r"""How a text reads once its escapes are resolved: ``%3D`` is a sign of equality, and ``\u001b`` ends a word.

The readable form has the length of the text, so that a place found in one is the same place in the other.
"""

FILLER = "\0"
"""Stands for the rest of an escape, behind the character that it means."""

_MEANT = "\t\n\r \x1b\0\"&',:;<=>?"
"""Characters that begin or end a name or a value. Others stay escaped: they are part of a value."""
_ENTITIES = {"quot": '"', "apos": "'", "amp": "&", "lt": "<", "gt": ">", "equals": "=", "colon": ":", "nbsp": " "}
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
_WITHOUT_INVISIBLE = dict.fromkeys(map(ord, _INVISIBLE))


def _forms(character: str) -> list[tuple[str, str]]:
    """Return the escaped forms of a character, each behind the piece with which it begins."""
    code = ord(character)
    digits = sorted({f"{code:02x}", f"{code:02X}"})
    return [
        *((f"%{pair[0]}", f"%{pair}") for pair in digits),
        *(("\\u00", f"\\u00{pair}") for pair in digits),
        *(("\\x", f"\\x{pair}") for pair in digits),
        *(("&#", f"&#x{pair};") for pair in digits),
        ("&#", f"&#{code};"),
    ]


def _by_beginning() -> dict[str, list[tuple[str, str]]]:
    """Return the escapes and what stands in their places: one search for a beginning spares those for its escapes."""
    forms = [(beginning, form, character) for character in _MEANT for beginning, form in _forms(character)]
    forms += [(f"&{name[0]}", f"&{name};", character) for name, character in _ENTITIES.items()]
    escapes: dict[str, list[tuple[str, str]]] = {}
    for beginning, form, character in forms:
        escapes.setdefault(beginning, []).append((form, character + FILLER * (len(form) - 1)))
    return escapes


_ESCAPES = [
    (mark, [entry for entry in _by_beginning().items() if entry[0].startswith(mark)]) for mark in ("%", "\\", "&")
]


def readable(text: str) -> str:
    """Return a text of the same length in which escaped separators, quotes and white space stand as what they mean."""
    for mark, beginnings in _ESCAPES:
        if mark in text:  # one character is found much faster than two
            for beginning, escapes in beginnings:
                if beginning in text:
                    for form, meaning in escapes:
                        text = text.replace(form, meaning)
    return text


def visible(text: str) -> str:
    """Return the text without characters of no width, which can split a secret unseen."""
    if text.isascii() or not any(map(text.__contains__, _INVISIBLE)):
        return text
    return text.translate(_WITHOUT_INVISIBLE)
