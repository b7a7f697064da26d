"""All rules together, over texts and structures; a text pays only for the rules that may match it."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from types import MappingProxyType
from typing import Any, NamedTuple

from otel_callbacks._content.json import Json
from otel_callbacks._content.redaction.assignments import Secret, assigned_secrets
from otel_callbacks._content.redaction.custom import DROPPED, CustomRedactor
from otel_callbacks._content.redaction.escapes import readable, visible
from otel_callbacks._content.redaction.grammar import Names
from otel_callbacks._content.redaction.keys import KeyMatcher, is_schema
from otel_callbacks._content.redaction.numbers import CARD
from otel_callbacks._content.redaction.rule import OnRedaction, Rule, mark
from otel_callbacks._content.redaction.rules import DEFAULT_RULES

_SHORTEST = 8  # characters of the shortest text that a pattern matches, unless a rule's secrets are shorter
_LONGEST_WORD = 24  # characters of the longest word in `VOCABULARY`
_SMALLEST_CARD = 10**12
_KNOWN_KEYS = 4096
_KNOWN_TEXTS = 4096
_LARGE = 256  # characters from which searching a text again costs more than remembering its hash

_NAMING = frozenset({"name", "key"})
"""Keys that name the ``value`` beside them."""
_NO_ENTRIES: Mapping[Any, object] = MappingProxyType({})

_RUN = b"x" * 14


def _class(character: str) -> str:
    if character.isdigit():
        return "0"
    return "x" if character.isalnum() or character in "_./+~" else character if character == "-" else " "


_CLASSES = "".join(_class(chr(code)) for code in range(128)).encode() + b" " * 128
"""Byte -> "0" for digits, "x" or "-" for the other characters of tokens, a space for all others."""
_WORDS = bytes(code if chr(code).isalnum() else 32 for code in range(128)) + b" " * 128
"""Byte -> itself for letters and digits, a space for all others."""
_HEAD = 2  # letters or digits with which every literal begins that itself begins a secret
_DIGIT_GROUP = b"0" * 4
_CARDS = (b"0" * 13, b"0000 0000", b"0000-0000")

VOCABULARY = frozenset(
    {
        *("system", "user", "assistant", "tool", "developer", "omitted"),
        *("text", "reasoning", "tool_call", "tool_call_response", "server_tool_call", "server_tool_call_response"),
        *("blob", "file", "uri", "compaction", "generic", "image", "audio", "video", "document", "function"),
        *("stop", "length", "content_filter", "error"),
    }
)
"""The conventions' own words, which an application's redactors do not get to see."""


class _Found(NamedTuple):
    """What a search for secrets found.

    Attributes:
        clean: The text without them.
        rules: The name of the rule of each.
    """

    clean: str
    rules: list[str]


def ignore(_rule: str, _count: int) -> None:
    """Ignore a redaction."""


class Redactor:
    """Removes secrets from texts and from structures of plain JSON types. One redactor serves all threads.

    Args:
        rules: Built-in or own `Rule` objects, applied in this order.
        custom: An application's own redactors: regular expressions, whose matches become ``[REDACTED:custom]``, and
            callables that take each text and return it without its secrets. If one raises or does not return text,
            the value is dropped.
        time_budget_s: Seconds that one call of a custom redactor may take; after a longer one, all later values are
            dropped.
        on_redaction: Called with a rule's name and the number of values it redacted.
    """

    def __init__(
        self,
        rules: Sequence[Rule] = DEFAULT_RULES,
        custom: Sequence[re.Pattern[str] | Callable[[str], str]] = (),
        *,
        time_budget_s: float = 0.05,
        on_redaction: OnRedaction = ignore,
    ) -> None:
        self._in_run = _by_literal(rule for rule in rules if rule.in_run)
        self._inside = [entry for entry in self._in_run if not entry[1].begins]
        self._by_head: dict[bytes, list[tuple[bytes, Rule]]] = {}
        for literal, rule in self._in_run:
            if rule.begins:
                self._by_head.setdefault(literal[:_HEAD], []).append((literal, rule))
        self._anywhere = _by_literal(rule for rule in rules if rule.pattern and not rule.in_run and rule is not CARD)
        self._finds_cards = CARD in rules
        self._shortest_key = min((rule.shortest for rule in rules), default=_SHORTEST)
        self._shortest = min(_SHORTEST, self._shortest_key)
        self._on_redaction = on_redaction
        self._custom = [CustomRedactor(redact, time_budget_s, on_redaction) for redact in custom]
        endings = {rule.name: rule.keys for rule in rules if rule.keys}
        self._names = Names(endings) if endings else None
        self._clean: set[int] = set()
        self._key_rule = lru_cache(_KNOWN_KEYS)(KeyMatcher(endings).rule)

    def is_clean(self, keys: Collection[str], texts: Collection[str]) -> bool:
        """Tell whether `redact` would certainly change nothing in a structure with these keys and texts."""
        if self._custom or any(map(self._key_rule, keys)) or ("value" in keys and not _NAMING.isdisjoint(keys)):
            return False
        new = [text for text in texts if len(text) < _LARGE or hash(text) not in self._clean]
        if self._search("\n".join([*keys, *new])):  # one search for all of them
            return False
        self._remember(new)
        return True

    def redact(self, structure: Json) -> Json:
        """Return a structure with marks in place of its secrets, recognised by their shapes and by their keys."""
        kind = type(structure)
        if kind is str:
            return self.redact_text(structure)  # type: ignore[arg-type]
        if kind is dict:
            return {self.redact_key(key): self._entry(key, value, structure) for key, value in structure.items()}  # type: ignore[union-attr,arg-type]
        if kind is list:
            return [self.redact(member) for member in structure]  # type: ignore[union-attr]
        if kind is int and structure >= _SMALLEST_CARD:  # type: ignore[operator]
            digits = str(structure)
            clean = self._redact_by_rules(digits)
            return structure if clean == digits else clean
        return structure

    def _entry(self, key: str, value: Json, beside: Mapping[str, Json]) -> Json:
        mark_of_key = self.key_mark(key, value, beside)
        return self.redact(value) if mark_of_key is None else mark_of_key

    def redact_text(self, text: str) -> str:
        """Return a text with marks in place of its secrets, or `DROPPED`."""
        clean = self._redact_by_rules(text) if len(text) >= self._shortest else text
        if self._custom and not (len(text) <= _LONGEST_WORD and text in VOCABULARY):
            for redact in self._custom:
                clean = redact(clean) if clean != DROPPED else DROPPED
        return clean

    def redact_key(self, key: str) -> str:
        """Return a dictionary's key with marks in place of secrets that it holds itself."""
        return self._redact_by_rules(key) if len(key) >= self._shortest_key else key

    def key_mark(self, key: str, value: object, beside: Mapping[Any, object] = _NO_ENTRIES) -> str | None:
        """Return the mark for a value whose key names a secret; ``None`` if the value may be shown.

        `beside` holds all entries of the dictionary: headers and variables may be ``{"name": ..., "value": ...}``.
        Values that cannot be secrets stay: ``None``, booleans, empty texts, and a schema of a parameter of that name.
        """
        if value is None or type(value) is bool or (type(value) is str and not value) or is_schema(value):
            return None
        name = self._key_rule(key) or (self._rule_beside(beside) if key == "value" and beside else None)
        if name is None:
            return None
        self._on_redaction(name, 1)
        return mark(name)

    def _rule_beside(self, beside: Mapping[Any, object]) -> str | None:
        names = (beside.get(key) for key in _NAMING)
        return next((rule for name in names if type(name) is str and (rule := self._key_rule(name))), None)

    def _redact_by_rules(self, text: str) -> str:
        """Return a text without its secrets; a large one without any is searched once, however many runs pass it on."""
        if len(text) >= _LARGE and hash(text) in self._clean:
            return text
        found = self._search(text)
        if found is None:
            self._remember((text,))
            return text
        for rule in found.rules:
            self._on_redaction(rule, 1)
        return found.clean

    def _remember(self, clean: Iterable[str]) -> None:
        hashes = [hash(text) for text in clean if len(text) >= _LARGE]
        if len(self._clean) + len(hashes) > _KNOWN_TEXTS:
            self._clean.clear()
        self._clean.update(hashes[:_KNOWN_TEXTS])

    def _search(self, text: str) -> "_Found | None":
        text = shown = visible(text)
        reads = readable(text)
        rules: list[str] = []
        for rule in self._possible_rules(reads.encode("utf-8", "surrogatepass")):
            spans = rule.spans(reads)
            if spans:
                rules += [rule.name] * len(spans)
                shown, reads = _cut(shown, reads, spans, mark(rule.name))
        if self._names:
            data = reads.encode("utf-8", "surrogatepass")
            secrets = assigned_secrets(data, self._names)
            if secrets:
                rules += [secret.rule for secret in secrets]
                shown = _cut_bytes(shown.encode("utf-8", "surrogatepass"), secrets)
        return _Found(shown, rules) if rules else None

    def _possible_rules(self, text: bytes) -> list[Rule]:
        """Return the rules that may match, by the literals that must then occur in a text or in its JSON form."""
        classes = text.translate(_CLASSES)
        runs = _runs(text, classes)
        literals = self._possible_literals(text, runs) if runs else ()
        rules = [rule for literal, rule in literals if literal in (text if b" " in literal else runs)]
        rules += [rule for literal, rule in self._anywhere if literal in text]
        if self._finds_cards and b"0" in classes and _DIGIT_GROUP in classes and any(map(classes.__contains__, _CARDS)):
            rules.append(CARD)
        return list(dict.fromkeys(rules))

    def _possible_literals(self, text: bytes, runs: bytes) -> Iterable[tuple[bytes, Rule]]:
        """Return the literals worth searching for, with their rules: a search for each costs more than the rest."""
        if b"\\" in text or b"\x1b" in text:  # after an escaped line end a literal is in the middle of a word
            return self._in_run
        heads = {word[:_HEAD] for word in set(runs.translate(_WORDS).split())}  # a set first: a text may repeat itself
        return chain(self._inside, *[self._by_head[head] for head in heads & self._by_head.keys()])


def _cut(text: str, reads: str, spans: Iterable[tuple[int, int]], hidden: str) -> tuple[str, str]:
    """Return a text and its readable form with a mark in place of each span."""
    clean = _replace(text, spans, hidden)
    return clean, clean if reads is text else _replace(reads, spans, hidden)


def _replace(text: str, spans: Iterable[tuple[int, int]], hidden: str) -> str:
    pieces: list[str] = []
    end = 0
    for start, stop in spans:
        pieces += (text[end:start], hidden)
        end = stop
    return "".join(pieces) + text[end:]


def _cut_bytes(data: bytes, secrets: Iterable[Secret]) -> str:
    pieces: list[bytes] = []
    end = 0
    for start, stop, rule in secrets:
        pieces += (data[end:start], mark(rule).encode())
        end = stop
    return (b"".join(pieces) + data[end:]).decode("utf-8", "surrogatepass")


def _by_literal(rules: Iterable[Rule]) -> list[tuple[bytes, Rule]]:
    return [(literal.encode(), rule) for rule in rules for literal in rule.literals or ("",)]


def _runs(text: bytes, classes: bytes) -> bytes:
    """Return all long runs of token characters, separated by spaces."""
    flat = classes.replace(b"0", b"x").replace(b"-", b"x")
    runs = []
    start = flat.find(_RUN)
    while start >= 0:
        end = flat.find(b" ", start)
        if end < 0:
            end = len(flat)
        runs.append(text[start:end])
        start = flat.find(_RUN, end)
    return b" ".join(runs)
