"""A cut value says so, keeps both ends and its shape, and no cut hides a secret from the redactor."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_callbacks._content.json import dumps, plain
from otel_callbacks._content.policy import ContentPolicy
from otel_callbacks._content.redaction import DROPPED, Redactor
from tests.content import secrets, values

FILLER = "Quite ordinary words, one after another. "


def filler(length: int) -> str:
    """Return running text of `length` characters."""
    return (FILLER * (length // len(FILLER) + 1))[:length]


def test_long_text_keeps_both_ends():
    """A long text is cut in the middle, where a mark gives its full length."""
    text = "The beginning. " + filler(1_000_000) + " The end?"
    cut = json.loads(dumps(text, 1000))

    assert cut.startswith("The beginning. Quite")
    assert cut.endswith(" The end?")
    assert f"...[cut from {len(text)} characters]..." in cut
    assert 950 <= len(cut) <= 1000


def test_long_list_keeps_both_ends():
    """The members in the middle of a long list give way to a mark that counts them."""
    cut = json.loads(dumps(list(range(1000)), 60))
    left_out = 1000 - (len(cut) - 1)

    assert cut[0] == 0
    assert cut[-1] == 999
    assert f"[{left_out} of 1000 left out]" in cut


def test_large_dictionary_keeps_its_first_keys():
    """Keys for which there is no room give way to a mark that counts them."""
    cut = json.loads(dumps({f"key{number}": number for number in range(100)}, 120))

    assert cut["key0"] == 0
    assert cut["..."] == f"[{100 - (len(cut) - 1)} of 100 left out]"


def test_only_what_is_large_is_cut():
    """Small members stay whole beside a large one, in any order."""
    value = {"first": "small", "large": filler(50_000), "list": [1, 2, filler(50_000), 3], "last": {"n": 1}}
    cut = json.loads(dumps(value, 2000))

    assert cut["first"] == "small"
    assert cut["last"] == {"n": 1}
    assert cut["list"][:2] == [1, 2]
    assert cut["list"][-1] == 3
    assert len(cut["large"]) > 300
    assert len(cut["list"][2]) > 300


def test_conversation_stays_one_when_cut():
    """The first and last messages stay whole; the mark between them is itself a message."""
    messages = [{"role": "user", "parts": [{"type": "text", "content": f"message {number}"}]} for number in range(200)]
    cut = json.loads(dumps(messages, 1000))
    mark = next(message for message in cut if message["role"] == "omitted")

    assert cut[0] == messages[0]
    assert cut[-1] == messages[-1]
    assert mark["parts"] == [{"type": "text", "content": f"[{200 - (len(cut) - 1)} of 200 left out]"}]


def test_one_long_message_is_shortened_and_its_neighbours_are_not():
    """A conversation with one message of ten megabytes shows that one's two ends and the others whole."""
    texts = ["Be brief.", filler(10_000_000), "Fine."]
    messages = [{"role": "user", "parts": [{"type": "text", "content": text}]} for text in texts]
    cut = [message["parts"][0]["content"] for message in json.loads(dumps(messages, 16_384))]

    assert cut[0] == "Be brief."
    assert cut[2] == "Fine."
    assert len(cut[1]) > 15_000


@settings(max_examples=200, deadline=None)
@given(values.anything, st.integers(2, 600), st.integers(2, 600))
def test_cut_structures_can_be_cut_again(value, first, second):
    """A cut structure can be fitted into any other bound."""
    assert len(dumps(plain(value, first), second).encode()) <= second


BOUND = 3000
"""Bytes allowed for the texts in which secrets are moved across the cuts."""


SECRETS = {
    "token": secrets.TOKENS["github_token"][0],
    "long token": secrets.TOKENS["pypi_token"][0],
    "JWT": secrets.TOKENS["jwt"][0],
    "JWT of thousands of characters": lambda maker: f"{maker.jwt()}{maker.word(2500)}",
    "private key": secrets.TOKENS["private_key"][0],
    "private key without a kind": secrets.TOKENS["private_key"][1],
    "card number": secrets.TOKENS["card_number"][0],
}


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize("part", ["front", "back"])
def test_no_part_of_a_secret_slips_through_at_a_cut(kind, part):
    """No nine characters of a secret are shown if it lies across a cut, or where reading stops."""
    secret = SECRETS[kind](secrets.Maker(5))
    pieces = {secret[start : start + 9] for start in range(len(secret) - 8)} - _frame(secret)
    redactor = Redactor()
    for place in range(800, 4200, 7):
        text = filler(place) + f" {secret} " + filler(20_000)
        if part == "back":
            text = filler(20_000) + f" {secret} " + filler(place)
        output = dumps({"text": text}, BOUND, redactor).replace("\\n", "\n")
        assert not [piece for piece in pieces if piece in output], place


def test_no_line_of_a_private_key_is_shown_where_the_tail_begins():
    """No line of a key leaves, wherever its BEGIN line lies beside the place from which the tail is read."""
    kinds = ("", "RSA ", "OPENSSH ", "ENCRYPTED ")
    redactor = Redactor()
    for key in (secrets.Maker(7).private_key(kind) for kind in kinds):
        lines = key.splitlines()[1:-1]
        for place in range(1400, 1600):
            text = filler(20_000) + f" {key} " + filler(place - len(key))
            assert not [line for line in lines if line[:20] in dumps(text, BOUND, redactor)], place


def _frame(secret: str) -> set[str]:
    """Return the harmless pieces: those of the first and last line of a private key."""
    lines = [line for line in secret.splitlines() if line.startswith("-----")]
    return {line[start : start + 9] for line in lines for start in range(len(line) - 8)}


def test_custom_redactor_sees_whole_words_at_a_cut():
    """A name across a cut disappears as well, although only the application's redactor recognises it."""
    redactor = Redactor((), [lambda text: text.replace("Ada Lovelace", "someone")])
    for place in range(1500, 2800, 3):
        output = dumps(filler(place) + "Ada Lovelace" + filler(20_000), BOUND, redactor)
        assert not any("Ada Lovelace"[:length] in output for length in range(3, 13)), place


def test_text_grown_by_redaction_keeps_to_the_bound():
    """The bound holds even where marks are longer than the secrets they replace."""
    value = [{"password": str(number), "pin": "x"} for number in range(60)]
    fits = len(json.dumps(value, separators=(",", ":")))
    text = dumps(value, fits, Redactor())

    assert len(text) <= fits
    assert json.loads(text)[0] == {"password": "[REDACTED:password]", "pin": "x"}


def test_failing_redactor_lets_nothing_pass():
    """If the redactor itself fails, nothing of the value is shown."""

    class Broken(Redactor):
        def redact(self, structure):
            raise ZeroDivisionError

        redact_text = redact

        def is_clean(self, keys, texts):
            raise ZeroDivisionError

    assert dumps({"text": "private"}, 1000, Broken()) == "{}"
    assert dumps(["private"], 1000, Broken()) == "[]"
    assert dumps("private", 1000, Broken()) == '""'


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"u": "data:image/png;base64," + "QUJD" * 100}, {"u": "<image/png, 300 bytes>"}),
        ({"u": "data:;base64," + "QUJD" * 100}, {"u": "<binary, 300 bytes>"}),
        ({"u": "data:image/svg+xml,%3Csvg" + "%20" * 30}, {"u": "<image/svg+xml, 96 bytes>"}),
        (
            {"t": "see ![x](data:image/gif;base64," + "QUJD" * 50 + ") there"},
            {"t": "see ![x](<image/gif, 150 bytes>) there"},
        ),
        ({"data": "iVBORw0KGgo" + "aB3/" * 200}, {"data": "<binary, 608 bytes>"}),
        ({"raw": b"\x89PNG" * 10}, {"raw": "<binary, 40 bytes>"}),
        ({"t": "data: " + "not a URL, " * 20}, {"t": "data: " + "not a URL, " * 20}),
        ({"t": "x" * 600}, {"t": "x" * 600}),
        ({"t": "0a1b" * 200}, {"t": "0a1b" * 200}),
        ({"t": "Ab" * 300}, {"t": "Ab" * 300}),
    ],
    ids=[
        "data URL",
        "without type",
        "percent",
        "embedded",
        "bare base64",
        "bytes",
        "prose",
        "one letter",
        "hexadecimal",
        "letters",
    ],
)
def test_binary_data_becomes_type_and_size(value, expected):
    """Binary data in any wrapping is named and measured, never shown; other text stays."""
    assert json.loads(dumps(value, 100_000)) == expected


def test_picture_of_many_megabytes_takes_no_room():
    """A huge picture beside a text leaves the text whole."""
    value = {"text": filler(300), "picture": "data:image/png;base64," + "QUJD" * 1_500_000}

    assert json.loads(dumps(value, 400)) == {"text": filler(300), "picture": "<image/png, 4500000 bytes>"}


class TestPolicy:
    def test_values_share_the_budget_of_their_span(self):
        """Each value takes its size from the span's budget; a value without room there is omitted."""
        policy = ContentPolicy(max_value_bytes=1000, max_span_bytes=1500)
        budget = policy.budget()
        sizes = [len(policy.encode(filler(5000), budget) or "") for _ in range(4)]

        assert 900 < sizes[0] <= 1000
        assert 300 < sizes[1] <= 600
        assert sum(sizes) <= 1500

    def test_nothing_is_shown_without_a_budget(self):
        """Once the span's budget is used up, there are no more values."""
        policy = ContentPolicy(max_span_bytes=0)

        assert policy.encode({"a": 1}, policy.budget()) is None
        assert policy.text("a", policy.budget()) is None

    def test_number_of_messages_follows_the_bound(self):
        """The number of messages worth reading follows from the bound of a value."""
        assert ContentPolicy(max_value_bytes=16_384).max_items == 256
        assert ContentPolicy(max_value_bytes=10).max_items == 2

    def test_text_is_redacted_and_bounded(self):
        """A text such as an exception's message stays text, loses its secrets, and keeps to the bound."""
        policy = ContentPolicy(max_value_bytes=200, redactor=Redactor())
        token = secrets.TOKENS["github_token"][0](secrets.Maker())
        text = policy.text(f'bad "{token}" given\n' + filler(3000), policy.budget())

        assert text.startswith('bad "[REDACTED:github_token]" given\nQuite')
        assert len(text.encode()) <= 200

    def test_structure_is_what_the_text_holds(self):
        """Log records carry the same content as span attributes, but as a structure."""
        policy = ContentPolicy(max_value_bytes=300, redactor=Redactor())
        value = [{"password": "x", "text": filler(2000), 5: {1, 2}}]

        assert policy.structure(value) == json.loads(policy.encode(value, policy.budget()))

    def test_dropped_values_do_not_take_the_others(self):
        """A redactor that fails on one text drops only that text, and the messages keep their shape."""
        policy = ContentPolicy(redactor=Redactor((), [lambda text: text if "fine" in text else None]))
        messages = [{"role": "user", "parts": [{"type": "text", "content": text}]} for text in ("fine", "not")]
        output = json.loads(policy.encode(messages, policy.budget()))

        assert [message["parts"][0]["content"] for message in output] == ["fine", DROPPED]
