"""The grammar of *name, separator, value*: which words name a secret, and what may stand between one and its value.

Names are looked for in front of the marks that separate: these are rare in prose, and the words in front of one decide
whether anything behind it matters. A text that repeats itself is looked at once for each different piece.
"""

import re
from collections.abc import Mapping, Sequence
from enum import Enum
from functools import cached_property, lru_cache
from typing import NamedTuple

from otel_callbacks._content.redaction.keys import COUNTED, UNAMBIGUOUS, WITHOUT_MEANING

_IN_ADDRESSES = {
    "sig": "signature", "signature": "signature", "x amz signature": "signature", "x amz credential": "signature",
    "x goog signature": "signature", "key": "api_key", "code": "token",
}  # fmt: skip
"""Names that matter in the address of a page only, behind ``?``, ``&`` or ``;``."""

_TYPES = (
    "any", "array", "byte", "bytes", "char", "const", "default", "defaultvalue", "final", "literal", "none", "null",
    "optional", "secretstr", "static", "std", "str", "string", "text", "undefined", "val", "value", "varchar",
)  # fmt: skip
"""Words that may stand between a name and its value: the type of a variable, or the key of a value beside its name."""

_BEHIND = (*_TYPES, "provided", "given", "supplied")
"""Words that may stand between a name and the first mark behind it."""

_STEMS = (
    b"pass", b"pwd", b"secret", b"token", b"key", b"auth", b"cookie", b"cred", b"conn", b"dsn", b"cv", b"jwt",
    b"bearer", b"sig", b"code", b"identified", b"wort", b"senha", b"contrase", b"clave", b"parol", b"mdp",
)  # fmt: skip
"""Every name in Latin letters holds one of them: a search for these few is much cheaper than for all names."""
_JSON_DENSITY = 40  # bytes for each quotation mark, at most
_STEM_WITHIN = 24  # bytes in front of a mark

_IS = b"\2"
"""Stands for a verb that says what something is; fills its place, so that all other places stay the same."""
_VERBS = (b" is ", b" was ", b" to ", b" ist ", b" es ", b" est ")
_VERBS_ABROAD = tuple(verb.encode() for verb in ("\uff1a", "\u662f", "\u306f", "\uff1d"))
"""A wide colon, Chinese and Japanese for "is", a wide sign of equality."""
_NAME_IN_SENTENCES = b"asswor"
_MARK = b":"
_MARKS = (b"=", b">", b'"', b"'", b"`")
_LONGEST_NAME = 32  # bytes, of the words that matter and what stands between them and the mark
_GAP = rb"[ _.\x00-]{0,2}"
_GAPS = b" _.-\0"
_CLOSERS = b" \t\r\n\0\2])}*\\?.+(,{[|&~-/<"
_KNOWN_NAMES = 4096
_WINDOW = 128  # bytes on either side of a mark that decide on a short value
_AHEAD = 48  # bytes behind a value that its judgement may look at


class Form(Enum):
    """How a name and its value are put together."""

    ASSIGNED = "name = value"
    FIELD = "name: value"
    COMPARED = "name == value"
    PAIR = '"name", "value"'
    PHRASE = 'name "value"'
    SENTENCE = "name is value"
    ELEMENT = "<name>value</name>"
    CELL = "| name | value |"


_TYPE = rb"[ \t]{0,4}[:&\[<'|?*.]{0,2}[ \t]{0,4}[&'\[]{0,2}(?i:%s)(?![a-zA-Z])[\]>)?*&]{0,4}"
_TYPE %= "|".join(_TYPES).encode()
_BESIDE = rb"[,;]?\s{0,80}(?:-\s)?[\"'`\\]{0,4}(?:default|string)?(?i:value|val)\d?"
_FORMS: tuple[tuple[Form, bytes], ...] = (
    (Form.COMPARED, rb"[=!]==?(?!=)"),
    (Form.ASSIGNED, rb"[:?.+|&]{0,3}=>?"),
    (Form.ELEMENT, rb">"),
    (Form.SENTENCE, rb"\x02{1,3}:"),
    (
        Form.ASSIGNED,
        rb"[,;]?\s{0,80}(?:-\s)?[\"'`\\]{0,4}(?:default|string)?(?i:value|val)\d?[\"'`\\]{0,4}[ \t]{0,4}[:=>]",
    ),
    (Form.ASSIGNED, rb"(?:%s){1,4}[ \t]{0,4}=(?!=)" % _TYPE),
    (Form.FIELD, rb"(?:provided|given|supplied)?(?<!\)):(?![:=])"),
    (Form.PAIR, rb"(?<=[\"'`]),\s{0,40}(?=[\\\"'`])"),
    (Form.CELL, rb"\|(?!\|)"),
    (Form.PHRASE, rb"\(?(?<=[ \t(])(?=[\"'])"),
)
"""What stands between a name and its value in each form, behind closing marks; the first that matches decides."""
_COMMON = re.compile(
    rb"[\\\"'`\])}*]{0,8}[ \t]{0,8}"
    rb"(?:(=)(?![=>~])|(?<!\)):[ \t]{0,4}()(?=[\"'0-9\x80-\xff])"
    rb"|(?<=[\"']),[ \t]{0,4}()(?=[\"'])(?![\"'](?:value|val|default)))"
)
_COMMON_FORMS = (Form.ASSIGNED, Form.FIELD, Form.PAIR)
"""The forms that nearly all names have, found at a fraction of the cost."""
_SEPARATOR = re.compile(
    rb"[\\\"'`\])}*\x00]{0,8}[ \t\x00]{0,40}(?:%s)" % b"|".join(b"(%s)" % pattern for _, pattern in _FORMS)
)


class Hit(NamedTuple):
    """A name in front of a value.

    Attributes:
        start: Where the words that name a secret begin, in bytes.
        end: Where they end.
        close: Where all that belongs to the name ends, such as the digit of ``token2``.
        value: Where the value may begin: a quotation mark, white space or the value itself.
        rule: The name of the rule.
        form: How both are put together.
    """

    start: int
    end: int
    close: int
    value: int
    rule: str
    form: Form


class _Name(NamedTuple):
    """The name at the end of a piece of text.

    Attributes:
        rule: The name of its rule.
        start: Where its words begin, counted from the end of the piece.
        end: Where they end, counted in the same way.
        close: Where all that belongs to it ends.
    """

    rule: str
    start: int
    end: int
    close: int


class Names:
    """Knows the names of secrets.

    Args:
        endings: Rule name -> endings of names, words in lower case with spaces between them.
    """

    def __init__(self, endings: Mapping[str, Sequence[str]]) -> None:
        names: dict[str, str | None] = {name: rule for rule, forms in endings.items() for name in forms}
        self._stems = [stem for stem in _STEMS if any(stem.decode() in name for name in [*names, *_IN_ADDRESSES])]
        self._stems_abroad = [case.encode() for name in names if not name.isascii() for case in _cases(name)]
        if "token" in names:
            names |= {f"{word} {token}": None for word in COUNTED for token in ("token", "tokens")}
        self._names = names
        self._rules = {_key(case): rule for name, rule in {**_IN_ADDRESSES, **names}.items() for case in _cases(name)}
        self._unsure = frozenset(_key(name) for name in names if " " not in name and name not in UNAMBIGUOUS)
        self.harmless: set[bytes] = set()
        """Pieces of text whose names give nothing away: a text, and the next one, may repeat them."""
        self._name_at_end = lru_cache(_KNOWN_NAMES)(self._find_name)

    def may_end(self, pieces: set[bytes]) -> bool:
        """Tell whether any of the pieces may end with a name; costs far less than looking."""
        return bool(self._stems_in(b" ".join([piece[-_STEM_WITHIN:] for piece in pieces]).lower()))

    def at_ends(self, pieces: set[bytes]) -> dict[bytes, _Name]:
        """Return the pieces that end with the name of a secret, with that name."""
        ends = _MARK.join([piece[-_LONGEST_NAME:] for piece in pieces]).lower()
        stems = self._stems_in(ends)
        if not stems:
            return {}
        near = [
            (piece, end)
            for piece, end in zip(pieces, ends.split(_MARK), strict=True)
            if any(map(end.__contains__, stems))
        ]
        return {piece: name for piece, end in near if (name := self._name_at_end(end))}

    def _stems_in(self, ends: bytes) -> list[bytes]:
        stems = [stem for stem in self._stems if stem in ends]
        return stems if ends.isascii() else stems + [stem for stem in self._stems_abroad if stem in ends]

    def rule_at_end(self, text: bytes) -> str | None:
        """Return the rule of a name by its last words."""
        name = self._name_at_end(text[-_LONGEST_NAME:].lower())
        return name.rule if name and self.begins_word(text, len(text) - name.start, len(text) - name.end) else None

    def remember_harmless(self, piece: bytes) -> None:
        """Remember a piece of text whose name gives no secret away."""
        if len(self.harmless) >= _KNOWN_NAMES:
            self.harmless.clear()
        self.harmless.add(piece)

    def begins_word(self, data: bytes, start: int, end: int) -> bool:
        """Tell whether a short name begins a word, by what stands in front or a capital."""
        before = data[start - 1 : start] if start else b""
        if not before.isalpha() or data[start:end].lower().translate(None, _GAPS)[::-1] not in self._unsure:
            return True
        return before.islower() and data[start : start + 1].isupper()

    def _find_name(self, end: bytes) -> _Name | None:
        piece = end.rstrip(_CLOSERS)
        match = self._pattern.match(piece[::-1])
        rule = match and self._rules[match[2].translate(None, _GAPS)]
        if not match or not rule:
            return None
        behind = len(end) - len(piece)
        return _Name(rule, match.end(2) + behind, match.start(2) + behind, match.end(1) + behind)

    @cached_property
    def _pattern(self) -> re.Pattern[bytes]:
        """Names, read backwards from the end of a piece of text in lower case."""
        types, suffixes = (_alternatives([_reversed(word) for word in words]) for words in (_BEHIND, WITHOUT_MEANING))
        ordinary = [_reversed(case) for name in self._names for case in _cases(name)]
        in_addresses = [(*_reversed(name), rb"(?=[?&;])") for name in _IN_ADDRESSES]
        names = _alternatives([*dict.fromkeys(ordinary), *in_addresses])
        return re.compile(rb"(?:%s[ \t\r\n]{1,24})?()(?:(?:%s|\d{1,3})[_.-]?){0,2}(%s)" % (types, suffixes, names))


class Marks:
    """The marks of a text that may separate a value from a name of a secret."""

    def __init__(self, data: bytes, names: Names) -> None:
        self._data = data
        self._names = names
        self._worded = marked = _with_verbs_marked(data)
        for mark in _MARKS:
            marked = marked.replace(mark, _MARK)
        self._marked = marked.replace(b"|", _MARK) if b"|" in marked else marked
        # JSON has four quotation marks for each entry, which make many pieces, and rarely a name.
        may_hold_names = not _is_json(data) or names.may_end(_pieces_of_json(self._worded))
        self._pieces = names.at_ends(set(self._marked.split(_MARK))) if may_hold_names else {}
        self._at = 0
        self._window = b""

    def hit_behind(self, done: int) -> Hit | None:
        """Return the first name whose value begins behind the place `done`, ``None`` if there is none."""
        if not self._pieces:
            return None
        marked = self._marked
        begin = marked.rfind(_MARK, 0, done) + 1
        at = marked.find(_MARK, max(done, begin))
        while at >= 0:
            name = self._pieces.get(marked[begin:at])
            if name and not self._is_known_harmless(begin, at):
                hit = self._hit(name, at)
                if hit and hit.value > done:
                    return hit
            begin = at + 1
            at = marked.find(_MARK, begin)
        return None

    def remember_harmless(self, reached: int) -> None:
        """Remember that the last hit gives no secret away, if what it was judged by is the piece around it alone."""
        if reached + _AHEAD < self._at + _WINDOW and self._at + _WINDOW <= len(self._worded):
            self._names.remember_harmless(self._window)

    def _is_known_harmless(self, begin: int, at: int) -> bool:
        self._at = at
        self._window = self._worded[max(begin, at - _WINDOW) : at + _WINDOW]
        return self._window in self._names.harmless

    def _hit(self, name: _Name, at: int) -> Hit | None:
        start, end, close = at - name.start, at - name.end, at - name.close
        if not self._names.begins_word(self._data, start, end):
            return None
        common = _COMMON.match(self._worded, close)
        if common and common.lastindex:
            return Hit(start, end, close, common.end(), name.rule, _COMMON_FORMS[common.lastindex - 1])
        separator = _SEPARATOR.match(self._worded, close)
        if separator is None or separator.lastindex is None:
            return None
        return Hit(start, end, close, separator.end(), name.rule, _FORMS[separator.lastindex - 1][0])


def _is_json(data: bytes) -> bool:
    return b'"' in data and b'": ' in data and data.count(b'"') * _JSON_DENSITY > len(data)  # cheapest first


def _pieces_of_json(data: bytes) -> set[bytes]:
    """Return what stands in front of colons, signs of equality and the commas behind texts."""
    for mark in (b"=", b">", b'",', b" '"):
        data = data.replace(mark, _MARK)
    return set(data.split(_MARK))


def _with_verbs_marked(data: bytes) -> bytes:
    if _NAME_IN_SENTENCES in data:  # a search for each verb costs more than all the rest
        for verb in _VERBS:
            data = data.replace(verb, b" " + _IS * (len(verb) - 3) + _MARK + b" ")
    if not data.isascii():
        for verb in _VERBS_ABROAD:
            data = data.replace(verb, _IS * (len(verb) - 1) + _MARK)
    return data


def _cases(name: str) -> set[str]:
    """Return the spellings of a name; bytes change their case in Latin letters only."""
    return {name} if name.isascii() else {name, name.title(), name.upper()}


def _key(name: str) -> bytes:
    return name.encode().translate(None, _GAPS)[::-1]


def _reversed(name: str) -> tuple[bytes, ...]:
    """Return the pieces of a pattern for a name read backwards, a byte or a gap between words each."""
    pieces: list[bytes] = []
    for word in reversed(name.split()):
        pieces += [_GAP] if pieces else []
        pieces += [re.escape(bytes([byte])) for byte in reversed(word.encode())]
    return tuple(pieces)


def _alternatives(sequences: Sequence[tuple[bytes, ...]]) -> bytes:
    """Return a pattern of one of the sequences, the longest that matches; what several begin with is read once."""
    tails: dict[bytes, list[tuple[bytes, ...]]] = {}
    for sequence in sequences:
        if sequence:
            tails.setdefault(sequence[0], []).append(sequence[1:])
    options = [first + _alternatives(rest) for first, rest in tails.items()]
    if not options:
        return b""
    may_end = () in sequences
    pattern = options[0] if len(options) == 1 and not may_end else b"(?:%s)" % b"|".join(options)
    return pattern + b"?" if may_end else pattern
