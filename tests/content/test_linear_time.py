"""Redaction takes time in proportion to the text, for any text: fuzzed with repetitions of what rules look for."""

from itertools import count, product
from time import process_time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from otel_callbacks._content.redaction import DEFAULT_RULES, PII_RULES, Redactor, Rule

SHORT, LONG = 3_000, 24_000
"""Characters. A pattern that takes quadratic time is 64 times as slow on the second."""
GROWTH = 20

ALL = (*DEFAULT_RULES, *PII_RULES)
UNITS = (
    "a", "A", "1", "a1", "A1b", "-", "_", ".", "/", " ", "\n", ":", "=", "@", "+", "a.", "a-", "1 ", "1-", "a@", "a:",
    "a=", "a@a.", "://", "://a:", "://a:b@", "eyJ", "eyJa.", ".eyJ", "_eyJ", "eyJaaaaaaaa.", "-----BEGIN ", "-----END ",
    "-----BEGIN PRIVATE KEY-----", "4111 ", "4111-", "4111", "1.1.", "::", "f:", "(415) ", "+1 ", "bearer ", "basic ",
    "Basic YTpi ", "password", "password=", 'password":"', "token: ", "key=", "'key':", '\\"', "api_key = ", "data:",
    ";base64,", "data:a/a;base64,",
)  # fmt: skip


_numbers = count()


def seconds(redactor: Redactor, text: str, end: str = "!", rounds: int = 3) -> float:
    """Return the least CPU time of several redactions, each of a text that the redactor cannot remember."""
    times = []
    for _ in range(rounds):
        new = f"{next(_numbers)}\n{text}{end}"
        started = process_time()
        redactor.redact_text(new)
        times.append(process_time() - started)
    return min(times)


def repeated(unit: str, length: int) -> str:
    """Return the unit repeated up to a length."""
    return (unit * (length // len(unit) + 1))[:length]


def grows_too_fast(redactor: Redactor, start: str, unit: str) -> bool:
    """Tell whether eight times the text takes far more than eight times as long; very short times do not count."""
    long = seconds(redactor, start + repeated(unit, LONG))
    return long > 0.004 and long > GROWTH * seconds(redactor, start + repeated(unit, SHORT))


@pytest.mark.parametrize("unit", UNITS)
def test_pack_is_linear_in_any_repetition(unit):
    """All rules together stay linear on a text with the literals of every rule in front of the repetition."""
    literals = " ".join(literal for rule in ALL for literal in rule.literals)

    assert not grows_too_fast(Redactor(ALL), literals, unit)


@pytest.mark.parametrize("rule", [rule for rule in ALL if rule.pattern], ids=lambda rule: rule.name)
def test_rule_is_linear_in_repetitions_of_its_own_literals(rule: Rule):
    """Each rule alone stays linear on its literals, repeated with characters that its pattern repeats."""
    redactor = Redactor([rule])
    literals = rule.literals or ("4111",)

    assert [
        (literal, unit)
        for literal, unit in product(literals[:3], ("", "a", "a1", "-", ".", "a.", " ", "1"))
        if grows_too_fast(redactor, literal, literal + unit) or grows_too_fast(redactor, literal, unit or "A")
    ] == []


PIECES = sorted(
    {literal for rule in ALL for literal in rule.literals}
    | {name for rule in ALL for name in rule.keys}
    | {
        "=",
        ":",
        ":=",
        "=>",
        ">",
        "<",
        "|",
        ",",
        "?",
        "&",
        ";",
        "@",
        "://",
        "--",
        " -u ",
        " -p",
        "ENV ",
        " is ",
        "value: ",
    }
    | {
        '"',
        "'",
        "`",
        '\\"',
        '"""',
        "\u201c",
        "\u5bc6\u7801",
        "\u4f60",
        "\uff1a",
        "\\u003d",
        "%3D",
        "&quot;",
        "\x1b[31m",
        "\u200b",
    }
    | {"a", "1", "x1", "A-", " ", "\n", ".", "-----END PRIVATE KEY-----"}
)
NAMES = sorted({name for rule in ALL for name in rule.keys})
SOME, MORE = 4_000, 16_000
"""Characters; four times as many may take at most five times as long."""


@settings(max_examples=12, deadline=None)
@given(
    st.one_of(
        st.lists(st.sampled_from(PIECES), min_size=1, max_size=4),
        st.tuples(st.sampled_from(NAMES), st.sampled_from(("=", ":", "=x/", ': "', " is ", '", "', "=\u4f60"))),
    ),
    st.lists(st.sampled_from(PIECES), max_size=2),
)
@example(["pwd", "="], [])
@example(["token", ":"], [])
@example(["Pwd", "="], [])
@example(["\ube44\ubc00\ubc88\ud638", "="], [])
@example(["api_key?token", "="], [])
@example(["a.token", "="], ["x"])
@example(["auth", "=\u4f60"], [])
def test_four_times_the_text_takes_at_most_five_times_as_long(repeats, begins):
    """Texts made of what rules look for take time in proportion to their length; very short times do not count."""
    start, unit = "".join(begins), "".join(repeats)
    redactor = Redactor(ALL)
    redactor.redact_text(f"api_key={unit}")  # compiles

    def ratio(end: str) -> float:
        short = seconds(redactor, start + repeated(unit, SOME), end, rounds=5)
        return seconds(redactor, start + repeated(unit, MORE), end, rounds=5) / max(short, 0.0005)

    # A noisy neighbour spoils one measurement, not three of them.
    assert all(any(ratio(end) <= 5 for _ in range(3)) for end in ("", "!")), (start, unit)
