"""Secrets in running text that only their names give away.

``password=...``, ``"api_key": "..."``, ``token: ...``, ``<secret>...</secret>``, ``--password ...``.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from otel_callbacks._content.redaction.rules import mark

_STEMS = (
    b"pass", b"pwd", b"secret", b"token", b"key", b"auth", b"cookie", b"cred", b"conn", b"dsn", b"cv", b"jwt",
    b"bearer", b"sig",
)  # fmt: skip
"""One of them is part of every key that a rule knows."""

_LONGEST_KEY = 72
_LONGEST_ENDING = 24
_SEPARATOR = re.compile(r"[:=>]")
_KEY_REVERSED = re.compile(r"[ \t]{0,4}[\"']?\\{0,7}(?P<key>[A-Za-z0-9_.-]{1,64})(?P<before>[?&;<]?)")
# Up to the quotation mark that closes it: as many backslashes deep as the one that opens it.
_QUOTED = re.compile(
    r">?[ \t]{0,4}(?P<open>\\{0,7}[\"'])(?P<value>(?=[^\s),;:\]}\"'\\])(?:(?!(?<!\\)(?P=open))[^\r\n]){3,8192})"
)
_ELEMENT = re.compile(r"\s{0,16}(?P<value>[^<>\s][^<>]{2,})</")
_OPTION = re.compile(
    r"(?<![\w-])--(?P<key>[A-Za-z][A-Za-z0-9-]{1,63})[ \t]{1,4}[\"']?(?P<value>[^\s\"'$<{\[(-][^\s\"']{3,})"
)
_USER_OPTIONS = (b"-u ", b"--user ")
_USER = re.compile(r"(?<!\S)(?:-u|--user) {1,4}[\"']?[^\s:\"'$<]{1,64}:(?P<value>[^\s\"'$<{]{4,256})")
_IN_HEADERS = {
    "authorization": re.compile(
        r"[ \t]{0,4}(?:bearer|basic|token|apikey|negotiate) {1,4}(?P<value>[A-Za-z0-9_.~+/-]{16,}=*)", re.IGNORECASE
    ),
    "cookie": re.compile(r"[ \t]{0,4}(?P<value>[A-Za-z0-9_.-]{1,64}=[^\r\n\"']{4,})"),
}
"""Rule -> how its value looks in a header line, where it holds spaces."""
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
    """Whether `redact_assignments` can find something."""
    sides = text.replace(b"=", b":").replace(b">", b":").split(b":")
    names = b" ".join([side[-_LONGEST_ENDING:] for side in sides[:-1]])
    if b"-" in text:  # looked for first because a single byte is found much faster than two
        if b":" in text and any(option in text for option in _USER_OPTIONS):
            return True
        if b"--" in text:
            names += b" ".join([option[:_LONGEST_KEY] for option in text.split(b"--")[1:]])
    names = names.lower()
    return any(stem in names for stem in _STEMS)


def redact_assignments(text: str, rule_of: Callable[[str], str | None], report: Callable[[str, int], None]) -> str:
    """`text` with marks in place of values that are given to names of secrets; `rule_of` tells those."""
    text = _replaced(text, _assignments(text, rule_of), report)
    text = _replaced(text, _options(text, rule_of), report)
    return _replaced(text, _users(text), report)


def _replaced(text: str, secrets: Iterable[_Secret], report: Callable[[str, int], None]) -> str:
    pieces: list[str] = []
    end = 0
    for secret in secrets:
        pieces += (text[end : secret.start], mark(secret.rule))
        end = secret.end
        report(secret.rule, 1)
    return "".join(pieces) + text[end:] if pieces else text


def _assignments(text: str, rule_of: Callable[[str], str | None]) -> Iterator[_Secret]:
    end = 0
    for separator in _SEPARATOR.finditer(text):
        secret = _secret(text, separator.start(), rule_of) if separator.start() >= end else None
        if secret:
            end = secret.end
            yield secret


def _options(text: str, rule_of: Callable[[str], str | None]) -> Iterator[_Secret]:
    for found in _OPTION.finditer(text):
        name, value = found["key"], found["value"]
        rule = rule_of(name) if _is_odd(value) and not _is_placeholder(value, name) else None
        if rule:
            yield _Secret(found.start("value"), found.end("value"), rule)


def _users(text: str) -> Iterator[_Secret]:
    """``-u name:password``, but no number or name of a group."""
    for found in _USER.finditer(text):
        if _is_odd(found["value"]) and not found["value"].isdigit():
            yield _Secret(found.start("value"), found.end("value"), "password")


def _secret(text: str, at: int, rule_of: Callable[[str], str | None]) -> _Secret | None:
    """The secret behind the separator at this index."""
    named = _KEY_REVERSED.match(text[max(0, at - _LONGEST_KEY) : at][::-1])
    if named is None or (named["before"] == "<") != (text[at] == ">"):
        return None
    name = named["key"][::-1]
    in_list = named["before"] in {"?", "&", ";"}
    rule = rule_of(name) or ("signature" if in_list and name.lower() in _SIGNATURES else None)
    if rule is None:
        return None
    found = _value(text, at, name, rule, in_list=in_list)
    if found is None or _is_placeholder(found["value"], name):
        return None
    return _Secret(found.start("value"), found.end("value"), rule)


def _value(text: str, at: int, name: str, rule: str, *, in_list: bool) -> re.Match[str] | None:
    if text[at] == ">":
        return _ELEMENT.match(text, at + 1)
    found = _QUOTED.match(text, at + 1) or (rule in _IN_HEADERS and _IN_HEADERS[rule].match(text, at + 1)) or None
    if found:
        return found
    if text[at] == "=":
        found = _ASSIGNED.match(text, at + 1)
        if found:
            is_sure = in_list or name.isupper() or text[found.end() :][:1] in {"&", ";"} or _is_odd(found["value"])
            return found if is_sure else None
    found = _STATED.match(text, at + 1)
    return found if found and _is_odd(found["value"]) else None


def _is_odd(value: str) -> bool:
    """Whether it looks less like a word or a name than like a secret."""
    return not _SPECIAL.isdisjoint(value)


def _is_placeholder(value: str, name: str) -> bool:
    low = value.lower()
    return low.startswith(_PLACEHOLDERS) or low.endswith(name.lower())
