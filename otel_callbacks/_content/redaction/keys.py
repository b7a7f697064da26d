"""Keys whose values are secrets, recognised by their last words: ``api_key``, ``X-Api-Key``, ``OPENAI_API_KEY``."""

import re
from collections.abc import Mapping, Sequence

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z\u00df-\uffff]+")
_LONGEST_KEY = 256  # characters
_LONGEST_ENDING = 3  # words


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


WITHOUT_MEANING = _words("""
    base confirm confirmation data decrypted encoded encrypted hash hashed header plain plaintext raw repeat str string
    text v val value
""")
"""Last words that do not change what a key's value is."""

COUNTED = _words("""
    audio begin bos cached cancellation cls completion content continuation control current cursor decoder delim
    delimiter draft each encoder end eos eot every fim first generated image input last llm mask max min new next num
    output pad padding page pagination per prefix prev previous prompt reasoning resume sentinel sep separator single
    skip special start stop sub subword suffix sync text think thinking total unk video word
""")
"""Words in front of "token" that make it a piece of text or a position in a list."""

_SCHEMA_WORDS = _words("""
    $ref additionalProperties allOf anyOf deprecated description format items maxItems maxLength maximum minItems
    minLength minimum nullable oneOf pattern properties readOnly required title type writeOnly
""")

UNAMBIGUOUS = _words("password passwd passphrase passwort kennwort")
"""Endings that are found inside a longer word too."""


class KeyMatcher:
    """Finds the rule for a key, whatever the case of its letters and the marks between its words.

    Args:
        endings: Rule name -> endings, words in lower case with spaces between them. Endings of two or more words, and
            unambiguous ones, are also found where nothing separates the words, as in ``openaiapikey``.
    """

    def __init__(self, endings: Mapping[str, Sequence[str]]) -> None:
        rule_of = {ending: name for name, rule_endings in endings.items() for ending in rule_endings}
        self._by_words = {tuple(ending.split()): name for ending, name in rule_of.items()}
        self._by_suffix = {
            ending.replace(" ", ""): name for ending, name in rule_of.items() if " " in ending or ending in UNAMBIGUOUS
        }
        self._suffixes = tuple(self._by_suffix)

    def rule(self, key: str) -> str | None:
        """Return the name of the rule for `key`, ``None`` if its value may be shown."""
        words = [word.lower() for word in _WORDS.findall(key[:_LONGEST_KEY])]
        while words:
            name = self._rule_of_ending(words)
            if name:
                return name
            if words.pop() not in WITHOUT_MEANING:
                break
        return None

    def _rule_of_ending(self, words: list[str]) -> str | None:
        if words[-1] == "token" and words[-2:-1] and words[-2] in COUNTED:
            return None
        for length in range(min(_LONGEST_ENDING, len(words)), 0, -1):
            name = self._by_words.get(tuple(words[-length:]))
            if name:
                return name
        if not words[-1].endswith(self._suffixes):  # one call for all of them: most keys end here
            return None
        return next(name for suffix, name in self._by_suffix.items() if words[-1].endswith(suffix))


def is_schema(value: object) -> bool:
    """Tell whether a value only describes the values a key may have, as in a tool's parameters."""
    return type(value) is dict and bool(value) and value.keys() <= _SCHEMA_WORDS
