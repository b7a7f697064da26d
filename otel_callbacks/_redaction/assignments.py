"""Secrets in running text that only their names give away: ``password=...``, ``"api_key": "..."``, ``token: ...``."""

import re
from collections.abc import Callable
from typing import NamedTuple

from otel_callbacks._redaction.rules import mark

_STEMS = (
    b"pass", b"pwd", b"secret", b"token", b"key", b"auth", b"cookie", b"cred", b"conn", b"dsn", b"cv", b"jwt",
    b"bearer", b"sig",
)  # fmt: skip
"""One of them is part of every key that a rule knows."""

_LONGEST_KEY = 72
_LONGEST_ENDING = 24
_SEPARATOR = re.compile(r"[:=]")
_KEY_REVERSED = re.compile(r"[ \t]{0,4}[\"']?\\?(?P<key>[A-Za-z0-9_.-]{1,64})(?P<before>[?&;]?)")
_QUOTED = re.compile(r"[ \t]{0,4}\\?[\"'](?P<value>[^\"'\\\s]{3,})")
_ASSIGNED = re.compile(r"(?P<value>[^\s\"'&;,<>(){}\[\]$|]{4,})(?=[\s\"'&;,<>)}\]]|\Z)")
_STATED = re.compile(r"[ \t]{0,4}(?P<value>[^\s\"'&;,<>(){}\[\]$|]{6,})[ \t]*(?=[\r\n,;}&]|\Z)")
_SPECIAL = frozenset("0123456789!@#%^*+~")
_PLACEHOLDERS = (
    "[redacted", "your", "xxx", "...", "***", "none", "null", "true", "false", "undefined", "example", "placeholder",
    "string", "required", "optional",
)  # fmt: skip
_SIGNATURES = frozenset({"sig", "signature", "x-amz-signature", "x-amz-credential", "x-goog-signature"})


class _Secret(NamedTuple):
    start: int
    end: int
    rule: str


def may_assign(text: bytes) -> bool:
    """Whether `redact_assignments` can find something; `text` may be the JSON form of what it will be asked about."""
    if b":" not in text and b"=" not in text:
        return False
    sides = text.replace(b"=", b":").split(b":")
    names = b" ".join([side[-_LONGEST_ENDING:] for side in sides[:-1]]).lower()
    return any(stem in names for stem in _STEMS)


def redact_assignments(text: str, rule_of: Callable[[str], str | None], report: Callable[[str, int], None]) -> str:
    """`text` with marks in place of values that are given to names of secrets; `rule_of` tells those."""
    pieces: list[str] = []
    end = 0
    for separator in _SEPARATOR.finditer(text):
        secret = _secret(text, separator.start(), rule_of) if separator.start() >= end else None
        if secret:
            pieces += (text[end : secret.start], mark(secret.rule))
            end = secret.end
            report(secret.rule, 1)
    return "".join(pieces) + text[end:] if pieces else text


def _secret(text: str, at: int, rule_of: Callable[[str], str | None]) -> _Secret | None:
    """The secret behind the separator at this index."""
    named = _KEY_REVERSED.match(text[max(0, at - _LONGEST_KEY) : at][::-1])
    if named is None:
        return None
    name = named["key"][::-1]
    in_list = bool(named["before"])
    rule = rule_of(name) or ("signature" if in_list and name.lower() in _SIGNATURES else None)
    if rule is None:
        return None
    found = _QUOTED.match(text, at + 1)
    if found is None and text[at] == "=":
        found = _ASSIGNED.match(text, at + 1)
        if found and not (
            in_list or name.isupper() or text[found.end() :][:1] in {"&", ";"} or _is_odd(found["value"])
        ):
            return None
    if found is None:
        found = _STATED.match(text, at + 1)
        if found and not _is_odd(found["value"]):
            return None
    if found is None or _is_placeholder(found["value"], name):
        return None
    return _Secret(found.start("value"), found.end("value"), rule)


def _is_odd(value: str) -> bool:
    """Whether it looks less like a word or a name than like a secret."""
    return not _SPECIAL.isdisjoint(value)


def _is_placeholder(value: str, name: str) -> bool:
    low = value.lower()
    return low.startswith(_PLACEHOLDERS) or low.endswith(name.lower())
