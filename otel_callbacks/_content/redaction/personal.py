"""Personal data, removed on request: e-mail addresses, telephone numbers, IP addresses and official numbers."""

import ipaddress
import re

from otel_callbacks._content.redaction.numbers import IBAN, SSN
from otel_callbacks._content.redaction.rule import Rule

_LOCAL = r"A-Za-z0-9._%+\u00c0-\u024f\u0370-\u052f-"
"""Characters in front of ``@``: Latin, Greek and Cyrillic. Other scripts may have no space in front of an address."""
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_VERSION = re.compile(
    r"(?:\b(?:v|ver|vers|version|versions|release|rel|build|rev|revision|firmware|update|upgrade|patch)"
    r"[\s.:#=\"'`]{0,4}|[=<>~!]=\s?|~>\s?)\Z",
    re.IGNORECASE,
)
_AROUND = 20  # characters


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return text != "::"  # also an operator


def _is_no_version(match: re.Match[str]) -> bool:
    return not _VERSION.search(match.string[max(0, match.start() - _AROUND) : match.start()])


PERSONAL: tuple[Rule, ...] = (
    Rule(
        "email",
        (
            rf"(?<![{_LOCAL}])[{_LOCAL}]{{1,64}}@(?:{_LABEL}\.){{1,8}}"
            r"(?:xn--[A-Za-z0-9-]{1,59}|[A-Za-z]{2,24}|[^\W\d_A-Za-z][^\W\d_]{1,23})(?![A-Za-z0-9])"
        ),
        ("@",),
        shortest=6,  # a@b.co
    ),
    Rule(
        "phone",
        (
            r"(?<![\w.+-])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){2,4}"
            r"|\(\d{3}\) ?\d{3}[ .-]\d{4}|\d{3}[.-]\d{3}[.-]\d{4}"
            r"|0\d{1,3}-\d{3,4}[ -]?\d{4}"  # an area or mobile code of Israel, Japan, China and others
            r"|1[3-9]\d(?:[ -]?\d{4}){2})(?![\w-])"  # a mobile number of China
        ),
        ("+", "-", ")", ".", *(f"1{digit}" for digit in range(3, 10))),
        shortest=8,
    ),
    Rule(
        "ip_address",
        (
            r"(?<![\w.:])(?:[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){1,6}:\d{1,3}(?:\.\d{1,3}){3}"
            r"|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?!:)|\d{1,3}(?:\.\d{1,3}){3})(?!\w|-[A-Za-z]|\.\w)"
        ),
        (".", ":"),
        check=_is_address,
        fits=_is_no_version,
        shortest=3,  # ::1
    ),
    IBAN,
    SSN,
)
