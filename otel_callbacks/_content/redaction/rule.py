"""What a rule of redaction is: a shape of secret, or a family of keys whose values are secrets."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain

OnRedaction = Callable[[str, int], None]
"""Called with the name of a rule and the number of values it redacted."""


_SHORT_PREFIX = 3  # characters
_BEFORE = 13  # characters that tell whether a prefix is within base64
_BASE64 = re.compile(r"[A-Za-z0-9_-]+\Z")


@dataclass(frozen=True, eq=False)
class Rule:
    """A shape of secret.

    Attributes:
        name: Used in the mark ``[REDACTED:<name>]`` and in the count of redactions.
        pattern: The secret's shape; only a group named "secret" is redacted, or the whole match if there is none.
        literals: One of them occurs wherever the pattern matches. Empty if that holds for no literal.
        in_run: The match holds a run of 14 or more letters, digits and ``_-./+~`` that the literals (those without a
            space) are part of.
        begins: The match begins with a literal, at the beginning of a word or after an escaped line end.
        check: Tells whether a match is a secret.
        fits: Tells whether the text around a match lets it be a secret.
        keys: Endings of keys whose values are secrets: words in lower case, separated by spaces.
        shortest: Characters of the shortest secret that is looked for outside running text.
    """

    name: str
    pattern: str | re.Pattern[str] | None = None
    literals: tuple[str, ...] = ()
    in_run: bool = False
    begins: bool = False
    check: Callable[[str], bool] | None = None
    fits: Callable[[re.Match[str]], bool] | None = None
    keys: tuple[str, ...] = ()
    shortest: int = 16

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return where this rule's secrets lie, in order."""
        group = "secret" if "secret" in self._compiled.groupindex else 0
        spans: list[tuple[int, int]] = []
        for match in self._matches(text):
            # Matches of a pattern that only looks ahead, or of several literals, may overlap.
            if (not spans or match.start(group) >= spans[-1][1]) and self._holds(match, group):
                spans.append(match.span(group))
        return spans

    def _holds(self, match: re.Match[str], group: str | int) -> bool:
        return (self.check is None or self.check(match[group])) and (self.fits is None or self.fits(match))

    def _matches(self, text: str) -> Iterable[re.Match[str]]:
        if not self.begins:
            return self._compiled.finditer(text)
        return sorted(chain.from_iterable(self._at(literal, text) for literal in self.literals), key=re.Match.start)

    def _at(self, literal: str, text: str) -> Iterator[re.Match[str]]:
        """Yield the matches that begin with a literal: it is found much faster than a pattern."""
        at = text.find(literal)
        while at >= 0:
            match = self._compiled.match(text, at)
            if match:
                yield match
            at = text.find(literal, match.end() if match else at + len(literal))

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        """Compiled on first use: most rules never are, and compiling all takes longer than importing the rest."""
        return re.compile(self.pattern or "(?!)")


START = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt])|(?<=[0-9;\[]m)|(?<=\[[HJK]))"
"""The beginning of a word; in texts that hold JSON, line ends are escaped, and terminals' colours end in a letter."""


def mark(name: str) -> str:
    """Return what stands in place of a secret."""
    return f"[REDACTED:{name}]"


def token(name: str, prefixes: str, body: str, *, check: Callable[[str], bool] | None = None) -> Rule:
    """Return a rule for tokens recognised by their prefixes, which `prefixes` separates by spaces.

    A prefix begins with two letters or digits: texts are searched for these first. A body like "XXXXXXXX" is no secret.
    """
    literals = tuple(prefixes.split())
    pattern = rf"{START}(?:{'|'.join(map(re.escape, literals))}){body}"
    is_short = min(map(len, literals)) <= _SHORT_PREFIX
    return Rule(
        name, pattern, literals, in_run=True, begins=True,
        check=partial(_is_token, check), fits=_is_outside_base64 if is_short else None,
    )  # fmt: skip


def _is_outside_base64(match: re.Match[str]) -> bool:
    """Tell whether a short prefix is no part of a longer base64 text of the kind in which ``-`` and ``_`` occur."""
    before = match.string[max(0, match.start() - _BEFORE) : match.start()]
    return before[-1:] not in {"-", "_"} or len(before) < _BEFORE or not (is_mixed(before) and _BASE64.match(before))


def _is_token(check: Callable[[str], bool] | None, text: str) -> bool:
    return not is_filler(text) and (check is None or check(text))


def is_filler(text: str) -> bool:
    """Tell whether an example stands where a secret would."""
    return "x" * 8 in text.lower()


def has_digit(text: str) -> bool:
    """Tell whether any character is a digit."""
    return any(character.isdigit() for character in text)


def is_mixed(text: str) -> bool:
    """Tell whether `text` has digits, capital and small letters."""
    return has_digit(text) and text.lower() != text != text.upper()
