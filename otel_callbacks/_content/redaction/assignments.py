"""Secrets in running text that are recognised only by their names; `grammar.py` has the forms.

Each form says how sure it is that what follows is a secret, and so how much a value must look like one.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from otel_callbacks._content.redaction.grammar import Form, Hit, Marks, Names

_LONGEST = 8192  # bytes of a value in quotes
_LONGEST_NAME = 64  # bytes
_LONGEST_WORD = 16  # bytes of the beginning of a placeholder
_SHORTEST = 3  # bytes of a value in quotes
_SHORTEST_BARE = 4  # the same without quotes, directly behind a sign of equality
_SHORTEST_FIELD = 6  # the same where anything may follow
_SURE = 8  # bytes from which letters with digits are no word
_LONG = 16  # bytes of a value whose name alone says little
_BACKSLASH = ord("\\")
_AMONG_WORDS = frozenset({Form.ASSIGNED, Form.FIELD, Form.SENTENCE})
_ASSIGNING = frozenset({Form.ASSIGNED, Form.FIELD})
_NO_BEGINNING = b" \t),;:]}\"'\\"
_NO_END = frozenset({b"(", b"[", b"{", b"$", b"|"})
_VAGUE = frozenset({b"key", b"code"})
"""Names of parameters that hold a secret or something harmless."""
_IN_LIST = frozenset({b"&", b";"})
_LIST_MARKS = b"?&;"
_IN_NAMES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
_OF_SEVERAL_LINES = frozenset({b'"""', b"'''", b"\xe2\x80\x9c", b"\xe3\x80\x8c"})

_OPENING = re.compile(
    rb"(?:[ \t\x00]{0,40}(?:[|>\\][-+]?[ \t]{0,4})?\r?\n)?[ \t\x00]{0,40}[*_]{0,3}[ \t]{0,4}"
    rb"(?:\x1b\x00{0,5}\[[0-9;]{0,12}[A-Za-z]){0,4}(?:[rbfuRBFU@$]{1,2}(?=[\"']))?"
    rb"(\\{0,7}(?:\"\"\"|'''|[\"'`]|\xe2\x80\x9c|\xe3\x80\x8c))?\x00{0,8}"
)
"""White space, one line end, emphasis, colours, and the quotation mark with which a value may begin."""
_CLOSING = {b"\xe2\x80\x9c": b"\xe2\x80\x9d", b"\xe3\x80\x8c": b"\xe3\x80\x8d"}
_ELEMENT = re.compile(rb"\s{0,40}(?:<!\[CDATA\[)?(?P<value>[^<>\s][^<>]{2,8192})(?:\]\]>)?</")
_HEADERS = {
    "authorization": re.compile(
        rb"(?i:bearer|basic|token|apikey|api-token|api-key|negotiate|digest) {1,4}(?P<value>[A-Za-z0-9_.~+/-]{16,}=*)"
    ),
    "cookie": re.compile(rb"(?P<value>[A-Za-z0-9_.-]{1,64}=[^\r\n\"']{4,})"),
}
"""Rule -> its value's shape in a header line, where it holds spaces."""
_RUN = re.compile(rb"[^\s\"'&;,<>(){}\[\]$|`\x1b]*")
_PLAIN_RUN = re.compile(rb"[^\s\"'&;,<>(){}\[\]$|`\x1b0-9!@#%^*+~]*")
_SPECIAL = re.compile(rb"[0-9!@#%^*+~]")
_CELL_END = re.compile(rb"[ \t]{0,40}\|")
_LINE_END = re.compile(rb"[\r\n]")
_FIELD_END = re.compile(rb"[ \t\x00]{0,40}(?:[\r\n,;}&\"'`|]|\\n|\Z)")
_PLACEHOLDERS = (
    b"[redacted", b"your", b"<your", b"xxx", b"...", b"***", b"null", b"none", b"true", b"false", b"undefined",
    b"example", b"placeholder", b"string", b"required", b"optional", b"changeme", b"insert", b"process.env",
    b"os.environ", b"${",
)  # fmt: skip
_FILLED = b"x" * 8
_FIELDS = re.compile(rb"%\(?\w{0,40}\)?[sdr]|\{[^{}]{0,64}\}|\\[nrt]")
"""Places that a program fills in."""
_LETTER_OR_DIGIT = re.compile(rb"[A-Za-z0-9\x80-\xff]")
_HARMLESS = re.compile(rb"\d+(?:\.\d+){2,}|[A-Za-z-]+:? ")
"""A version, or a scheme without its credentials."""
_FIGURE = re.compile(
    rb"[vV~+-]?\d+(?:[.,:/x_-]\d+)*[A-Za-z%+]{0,4}[.,:;!?)]*|https?://.*|[/.~].*|.*\.(?:py|js|json|md|txt|html?|com|org)"
)
"""A number with its unit, a version, a date, an address, a path, the name of a file: no secret in running text."""
_MIXED = re.compile(rb"(?=[^0-9]{0,64}[0-9])(?=[^A-Za-z]{0,64}[A-Za-z])")
_WORDS = re.compile(rb"[A-Za-z][A-Za-z_.-]{0,63}")

_OPTION = re.compile(rb"--(?<![\w-]--)([A-Za-z][A-Za-z0-9-]{1,63})[ \t]{1,4}[\"']?([^\s\"'$<{\[(-][^\s\"']{3,255})")
_COMMANDS = (
    re.compile(rb" -(?:u|-user)[ =]{1,4}[\"']?[^\s:\"'$<]{0,64}[\"']?:[\"']?(?P<password>[^\s\"'$<]{4,256})"),
    re.compile(rb" -(?:u|-user)[ =]{1,4}[\"']?(?P<password>[^\s:\"'$<]{8,64}):[\"']?(?=[\s\"'])"),
    re.compile(rb" -(?:b|-cookie)[ =]{1,4}[\"']?(?P<cookie>[A-Za-z0-9_.-]{1,64}=[^\r\n\"']{4,4096})"),
    re.compile(rb"sshpass -p ?[\"']?(?P<password>[^\s\"'$<]{4,256})"),
    re.compile(rb"mysql(?:dump|admin|import)?(?: [^\s|;]{1,64}){0,6} -p(?P<password>[^\s\"'$<]{4,256})"),
    re.compile(rb"redis-cli(?: [^\s|;]{1,64}){0,6} -a (?P<password>[^\s\"'$<]{4,256})"),
)
"""Commands whose arguments are secrets; the name of a group is that of its rule."""
_VARIABLE = re.compile(
    rb"(?:ENV|ARG|setx|export|set) ([A-Za-z][A-Za-z0-9_]{1,63}) [\"']?([^\s\"'$<{\[(=][^\s\"']{3,255})"
)


class Secret(NamedTuple):
    """A value to hide: its place in bytes, and the name of its rule."""

    start: int
    end: int
    rule: str


def assigned_secrets(data: bytes, names: Names) -> list[Secret]:
    """Return the values that names of secrets give away, in the order of the text and without overlap."""
    secrets = [*_Values(data, names).secrets(), *_arguments(data, names)]
    secrets.sort()
    apart: list[Secret] = []
    for secret in secrets:
        if not apart or secret.start >= apart[-1].end:
            apart.append(secret)
    return apart


def _arguments(data: bytes, names: Names) -> Iterator[Secret]:
    if b"-" in data:  # one byte is found much faster than two
        if b"--" in data:
            yield from _named(_OPTION, data, names)
        if b" -" in data:
            yield from _of_commands(data)
    if b"_" in data and (b"ENV " in data or b"setx " in data):
        yield from _named(_VARIABLE, data, names)


def _named(pattern: re.Pattern[bytes], data: bytes, names: Names) -> Iterator[Secret]:
    for name in pattern.finditer(data):
        rule = names.rule_at_end(name[1]) if _is_odd(name[2]) else None
        if rule and not _is_example(name[2], name[1]):
            yield Secret(*name.span(2), rule)


def _of_commands(data: bytes) -> Iterator[Secret]:
    for command in _COMMANDS:
        for match in command.finditer(data):
            rule = match.lastgroup or "password"
            value = match[1]
            if rule == "cookie" or (_is_odd(value) and not value.isdigit()):
                yield Secret(*match.span(1), rule)


class _Values:
    """Reads the values behind names, from left to right; remembers how far the last ones reached."""

    def __init__(self, data: bytes, names: Names) -> None:
        self._data = data
        self._names = names
        self._done = 0
        """Up to here nothing is read as a name again: it is part of a secret, or of a run without any."""
        self._reached = 0
        """The end of the last value, judged by itself and by little behind it."""
        self._run_end = 0
        self._judged_run_end = 0
        self._special = 0

    def secrets(self) -> Iterator[Secret]:
        """Yield the secrets behind the names."""
        marks = Marks(self._data, self._names)
        while hit := marks.hit_behind(self._done):
            self._done = max(hit.value, self._done + 1)
            self._reached = hit.value + _LONGEST
            secret = self._secret(hit)
            if secret:
                self._done = max(secret.end, self._done)
                yield secret
            else:
                marks.remember_harmless(self._reached)

    def _secret(self, hit: Hit) -> Secret | None:
        data = self._data
        if hit.form is Form.ELEMENT:
            return self._element(hit)
        opening = _OPENING.match(data, hit.value)
        if opening is None:
            return None
        start = opening.end()
        if opening[1]:
            self._reached = end = self._closing(opening[1], start)
            is_secret = self._is_quoted_secret(hit, opening[1], start, end)
        else:
            header = hit.rule in _HEADERS and hit.form is Form.FIELD and _HEADERS[hit.rule].match(data, start)
            if header:
                start, end = header.span("value")
                is_secret = not self._is_placeholder(hit, start, end)
            else:
                self._read_run(start)
                self._reached = end = self._run_end
                is_secret = self._is_bare_secret(hit, start, end)
        while is_secret and end > start and data[end - 1] in b"\0\\":
            end -= 1
        return Secret(start, end, hit.rule) if is_secret else None

    def _element(self, hit: Hit) -> Secret | None:
        before = self._data[max(hit.start - _LONGEST_NAME, 0) : hit.start]
        match = _ELEMENT.match(self._data, hit.value) if before.rfind(b"<") > before.rfind(b">") else None
        if match is None or self._is_placeholder(hit, *match.span("value")):
            return None
        return Secret(*match.span("value"), hit.rule)

    def _closing(self, mark: bytes, start: int) -> int:
        """Return where a value in quotes ends: at the mark with which it began, or at the end of the line or text."""
        data = self._data
        limit = min(start + _LONGEST, len(data))
        closing = _CLOSING.get(mark, mark)
        end = data.find(closing, start, limit)
        while end > start and data[end - 1] == _BACKSLASH:
            end = data.find(closing, end + 1, limit)
        if end < 0:
            end = limit
        if mark in _OF_SEVERAL_LINES:
            return end
        line_end = _LINE_END.search(data, start, end)
        return line_end.start() if line_end else end

    def _is_quoted_secret(self, hit: Hit, opening: bytes, start: int, end: int) -> bool:
        data = self._data
        if end - start < _SHORTEST or data[start] in _NO_BEGINNING or self._is_placeholder(hit, start, end):
            return False
        value = data[start:end]
        if len(value) <= _LONGEST_NAME and self._is_label(value):
            return False
        if opening == b"`" and b" " in value:
            return False
        if hit.form in _ASSIGNING or data[hit.start : hit.end].lower() == b"identified by":
            return True
        shortest = _LONG if hit.form is Form.COMPARED else _SURE
        return len(value) >= shortest and value[:1] != b"$" and b" " not in value and bool(_MIXED.match(value))

    def _is_label(self, value: bytes) -> bool:
        """Tell whether it is a format without words, a version, or itself the name of a secret."""
        words = _FIELDS.sub(b"", value)
        if _HARMLESS.fullmatch(words) or not _LETTER_OR_DIGIT.search(words):
            return True
        return bool(_WORDS.fullmatch(value)) and self._names.rule_at_end(value) is not None

    def _is_placeholder(self, hit: Hit, start: int, end: int) -> bool:
        """Tell whether a value only stands for one, or is the name once more, as in ``password=password``."""
        data = self._data
        name = data[hit.start : hit.close].lower()
        head = data[start : start + _LONGEST_WORD].lower()
        return (
            head.startswith(_PLACEHOLDERS)
            or data[max(end - len(name), start) : end].lower() == name
            or data[max(end - 3, start) : end] == b"..."
            or (head[:1] == b"<" and data[end - 1 : end] == b">")
            or (end - start <= _LONGEST_NAME and _FILLED in data[start:end].lower())
        )

    def _read_run(self, start: int) -> None:
        """Find where an unquoted value that begins here ends; values within another end where that one does."""
        if start < self._run_end and start <= self._special:
            return
        plain = _PLAIN_RUN.match(self._data, start)
        self._special = plain.end() if plain else start
        if start >= self._run_end:
            run = _RUN.match(self._data, self._special)
            self._run_end = run.end() if run else start

    def _is_bare_secret(self, hit: Hit, start: int, end: int) -> bool:
        after = self._data[end : end + 1]
        if end - start < _SHORTEST_BARE or after in _NO_END:
            return False
        is_odd = self._special < end  # it has a digit or a mark: more like a secret than like a word
        is_adjacent = hit.form is Form.ASSIGNED and start == hit.value
        if not is_odd and not (is_adjacent and (after in _IN_LIST or self._is_in_list_or_upper(hit))):
            self._skip_words(start, end)
            return False
        if self._is_placeholder(hit, start, end):
            return False
        if self._data[hit.start : hit.end].lower() in _VAGUE:
            return end - start >= _LONG and is_odd
        return is_adjacent or (end - start >= _SHORTEST_FIELD and self._is_field(hit, start, end))

    def _is_field(self, hit: Hit, start: int, end: int) -> bool:
        """Tell whether a value that other words may follow is a secret."""
        if hit.form is Form.CELL:
            return bool(_CELL_END.match(self._data, end)) and not _FIGURE.fullmatch(self._data, start, end)
        if hit.form in _ASSIGNING and _FIELD_END.match(self._data, end):
            return True
        return hit.form in _AMONG_WORDS and self._is_sure_among_words(hit, start, end)

    def _is_sure_among_words(self, hit: Hit, start: int, end: int) -> bool:
        data = self._data
        if end - start > _LONGEST_NAME:
            return bool(_MIXED.match(data, start, end))
        shortest = _SHORTEST_FIELD if hit.rule == "password" else _SURE
        if end - start < shortest or _FIGURE.fullmatch(data, start, end):
            return False
        return bool(_MIXED.match(data, start, end))

    def _is_in_list_or_upper(self, hit: Hit) -> bool:
        before = self._data[max(hit.start - _LONGEST_NAME, 0) : hit.start]
        beginning = before.rstrip(_IN_NAMES)
        if beginning[-1:] in _LIST_MARKS and beginning:
            return True
        return (before[len(beginning) :] + self._data[hit.start : hit.end]).isupper()

    def _skip_words(self, start: int, end: int) -> None:
        """Read no names within a run of words: where the first one gives no secret away, no later one does."""
        if end == self._judged_run_end:  # a run is read once, whatever it holds
            return
        self._judged_run_end = end
        run = self._data[start:end]
        if run == run.lower() and b"?" not in run:
            self._done = max(end, self._done)


def _is_odd(value: bytes) -> bool:
    return _SPECIAL.search(value) is not None


def _is_example(value: bytes, name: bytes) -> bool:
    low = value.lower()
    return low.startswith(_PLACEHOLDERS) or low.endswith(name.lower()) or _FILLED in low
