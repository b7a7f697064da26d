"""Secrets in running text that are recognised only by their names.

``password=...``, ``"api_key": "..."``, ``token: ...``, ``<secret>...</secret>``, ``--password ...``.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from otel_callbacks._content.redaction.rule import OnRedaction, mark

_STEMS = (
    b"pass", b"pwd", b"secret", b"token", b"key", b"auth", b"cookie", b"cred", b"conn", b"dsn", b"cv", b"jwt",
    b"bearer", b"sig",
)  # fmt: skip
"""Every key that a rule knows contains one of them."""

_LONGEST_KEY = 72  # characters
_LONGEST_ENDING = 24
_SEPARATOR = re.compile(r"[:=>]")
_KEY_REVERSED = re.compile(r"[ \t]{0,4}[\"']?\\{0,7}(?P<key>[A-Za-z0-9_.-]{1,64})(?P<before>[?&;<]?)")
# Up to the closing quotation mark: the one behind as many backslashes as the opening one.
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
"""Rule -> its value's shape in a header line, where it holds spaces."""
_UNQUOTED = re.compile(r"(?P<value>[^\s\"'&;,<>(){}\[\]$|]{4,})(?=[\s\"'&;,<>)}\]]|\Z)")
_WHOLE_FIELD = re.compile(r"[ \t]{0,4}(?P<value>[^\s\"'&;,<>(){}\[\]$|]{6,})[ \t]*(?=[\r\n,;}&]|\Z)")
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


RuleOf = Callable[[str], str | None]
"""Returns the name of the rule for a key, ``None`` for a harmless key."""


def may_assign(text: bytes) -> bool:
    """Tell whether `redact_assignments` can find anything; costs far less than looking."""
    sides = text.replace(b"=", b":").replace(b">", b":").split(b":")
    names = b" ".join([side[-_LONGEST_ENDING:] for side in sides[:-1]])
    if b"-" in text:  # checked first: one byte is found much faster than two
        if b":" in text and any(option in text for option in _USER_OPTIONS):
            return True
        if b"--" in text:
            names += b" ".join([option[:_LONGEST_KEY] for option in text.split(b"--")[1:]])
    names = names.lower()
    return any(stem in names for stem in _STEMS)


def redact_assignments(text: str, rule_of: RuleOf, on_redaction: OnRedaction) -> str:
    """Return `text` with marks in place of the values assigned to names for which `rule_of` gives a rule."""
    text = _redact(text, _assignments(text, rule_of), on_redaction)
    text = _redact(text, _options(text, rule_of), on_redaction)
    return _redact(text, _users(text), on_redaction)


def _redact(text: str, secrets: Iterable[_Secret], on_redaction: OnRedaction) -> str:
    pieces: list[str] = []
    end = 0
    for secret in secrets:
        pieces += (text[end : secret.start], mark(secret.rule))
        end = secret.end
        on_redaction(secret.rule, 1)
    return "".join(pieces) + text[end:] if pieces else text


def _assignments(text: str, rule_of: RuleOf) -> Iterator[_Secret]:
    end = 0
    for separator in _SEPARATOR.finditer(text):
        secret = _secret(text, separator.start(), rule_of) if separator.start() >= end else None
        if secret:
            end = secret.end
            yield secret


def _options(text: str, rule_of: RuleOf) -> Iterator[_Secret]:
    for match in _OPTION.finditer(text):
        name, value = match["key"], match["value"]
        rule = rule_of(name) if _is_odd(value) and not _is_placeholder(value, name) else None
        if rule:
            yield _Secret(match.start("value"), match.end("value"), rule)


def _users(text: str) -> Iterator[_Secret]:
    """Yield the password of ``-u name:password``, but not the group of ``-u 1000:1000`` or ``-u name:group``."""
    for match in _USER.finditer(text):
        if _is_odd(match["value"]) and not match["value"].isdigit():
            yield _Secret(match.start("value"), match.end("value"), "password")


def _secret(text: str, at: int, rule_of: RuleOf) -> _Secret | None:
    """Return the secret behind the separator at index `at`, if any."""
    # Reversed, because a match must end at the separator, and looking back from it costs the same in any text.
    key = _KEY_REVERSED.match(text[max(0, at - _LONGEST_KEY) : at][::-1])
    if key is None or (key["before"] == "<") != (text[at] == ">"):
        return None
    name = key["key"][::-1]
    in_list = key["before"] in {"?", "&", ";"}
    rule = rule_of(name) or ("signature" if in_list and name.lower() in _SIGNATURES else None)
    if rule is None:
        return None
    match = _value(text, at, name, rule, in_list=in_list)
    if match is None or _is_placeholder(match["value"], name):
        return None
    return _Secret(match.start("value"), match.end("value"), rule)


def _value(text: str, at: int, name: str, rule: str, *, in_list: bool) -> re.Match[str] | None:
    if text[at] == ">":
        return _ELEMENT.match(text, at + 1)
    match = _QUOTED.match(text, at + 1) or (rule in _IN_HEADERS and _IN_HEADERS[rule].match(text, at + 1)) or None
    if match:
        return match
    if text[at] == "=":
        match = _UNQUOTED.match(text, at + 1)
        if match:
            is_sure = in_list or name.isupper() or text[match.end() :][:1] in {"&", ";"} or _is_odd(match["value"])
            return match if is_sure else None
    match = _WHOLE_FIELD.match(text, at + 1)
    return match if match and _is_odd(match["value"]) else None


def _is_odd(value: str) -> bool:
    """Tell whether it looks more like a secret than like a word or a name."""
    return not _SPECIAL.isdisjoint(value)


def _is_placeholder(value: str, name: str) -> bool:
    low = value.lower()
    return low.startswith(_PLACEHOLDERS) or low.endswith(name.lower())
