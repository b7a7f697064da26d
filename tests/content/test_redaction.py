"""Secrets are removed, look-alikes stay, and a redactor that fails lets nothing pass."""

import json
import re
import threading
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_callbacks._content.json import dumps
from otel_callbacks._content.redaction import DEFAULT_RULES, DROPPED, PII_RULES, RULES, Redactor
from otel_callbacks._content.redaction.tokens import TOKENS, TOKENS_WITH_JWT
from tests.content import lookalikes, secrets, values

PAGE = Path(__file__).parents[2] / "docs" / "redaction.md"
SAMPLES, SAMPLES_END = "<!-- samples -->\n", "<!-- end of samples -->"
SEEDS = st.integers(0, 2**32)


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    """A redactor with the built-in rules."""
    return Redactor()


def counting_redactor(rules=DEFAULT_RULES, custom=(), **options) -> tuple[Redactor, Counter[str]]:
    """Return a redactor and its counts of redactions by rule."""
    counts: Counter[str] = Counter()
    return Redactor(rules, custom, on_redaction=lambda rule, count: counts.update({rule: count}), **options), counts


def test_there_are_enough_samples():
    """The table rests on at least two hundred samples of each kind, and on every built-in shape."""
    assert len(secrets.positives()) >= 200
    assert len(lookalikes.negatives()) >= 200
    assert {rule.name for rule in DEFAULT_RULES if rule.pattern} <= {sample.rule for sample in secrets.positives()}


@settings(max_examples=12, deadline=None)
@given(SEEDS)
def test_secret_is_removed_from_running_text(redactor, seed):
    """No invented secret stays in its text, and the mark names its rule."""
    for sample in secrets.positives(seed):
        clean = redactor.redact_text(sample.text)

        assert sample.secret not in clean
        assert f"[REDACTED:{sample.rule}]" in clean


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_look_alike_stays(redactor, seed):
    """A look-alike of a secret is left unchanged, as a text and inside a structure."""
    for text in lookalikes.negatives(seed):
        assert redactor.redact_text(text) == text
        assert redactor.redact({"content": [text]}) == {"content": [text]}


@pytest.mark.parametrize("key", lookalikes.KEYS)
def test_value_of_a_secret_key_is_hidden(redactor, key):
    """The value of a key that names a secret, in any spelling, is hidden, whether text or structure."""
    for value in ("hunter", 12, ["hunter"], {"value": "hunter"}):
        assert re.fullmatch(r"\{'.*': '\[REDACTED:[a-z_]+\]'\}", str(redactor.redact({key: value})))


@pytest.mark.parametrize("key", lookalikes.HARMLESS_KEYS)
def test_value_of_a_harmless_key_stays(redactor, key):
    """A key that only resembles a secret's keeps its value."""
    assert redactor.redact({key: "hunter"}) == {key: "hunter"}


@pytest.mark.parametrize(
    "value",
    [None, True, False, "", {"type": "string", "description": "of the user"}],
    ids=lambda value: type(value).__name__,
)
def test_value_that_cannot_be_a_secret_stays(redactor, value):
    """A flag, an empty value, and the schema of a tool's parameter hold no secret."""
    assert redactor.redact({"password": value}) == {"password": value}


def test_schema_with_a_default_is_hidden(redactor):
    """A schema with a default value is not a mere description, and is hidden."""
    assert redactor.redact({"password": {"type": "string", "default": "hunter"}}) == {"password": "[REDACTED:password]"}


@pytest.mark.parametrize("before", ["", " ", "=", "/", "_", "-", '"', "é", "\\n", "x/"])
def test_secret_is_found_wherever_a_word_begins(redactor, before):
    """A secret is found after any mark, a letter of another alphabet, and a line end that JSON has escaped."""
    tokens = [sample for sample in secrets.positives() if sample.text == sample.secret and RULES[sample.rule].begins]
    assert len(tokens) > 50
    allowed = [sample for sample in tokens if sample.rule != "jwt" or before not in {"_", "-"}]
    assert [sample for sample in allowed if sample.secret in redactor.redact_text(before + sample.text)] == []


@pytest.mark.parametrize("naming_key", ["name", "key"])
@pytest.mark.parametrize("size", [1, 100_000], ids=["whole", "cut"])
def test_value_beside_a_secret_name_is_hidden(redactor, naming_key, size):
    """In a list of names and values, such as headers, a secret's value is hidden, even where the list is cut."""
    secret = {naming_key: "DB_PASSWORD", "value": "hunter two", "note": "x " * size}
    entries = [secret, {naming_key: "city", "value": "Oslo"}]
    output = json.loads(dumps({"variables": entries}, 4000, redactor))["variables"]
    assert [entry["value"] for entry in output] == ["[REDACTED:password]", "Oslo"]


def test_card_number_as_a_number_is_hidden(redactor):
    """A card number is hidden even as an integer; other long numbers stay."""
    card = int(secrets.Maker().card("4", 16))

    assert redactor.redact([card, card + 1, 2**62]) == ["[REDACTED:card_number]", card + 1, 2**62]


def test_secret_in_a_key_is_hidden(redactor):
    """A secret that is itself a dictionary's key is hidden."""
    key = secrets.TOKENS["github_token"][0](secrets.Maker())

    assert redactor.redact({key: 1}) == {"[REDACTED:github_token]": 1}


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        *(
            ("email", value)
            for value in (
                "ada.lovelace@example.co.uk", "a@b.co", "jo@x.de", "ann@exämple.de", "ann@例え.jp",
                "a@xn--d1acufc.xn--p1ai",
                "rené@example.fr", "anna@\u043f\u0440\u0438\u043c\u0435\u0440.\u0440\u0444",
            )
        ),
        *(
            ("phone", value)
            for value in (
                "+44 20 7946 0958", "(415) 555-0132", "09-7625400", "050-123-4567", "090-1234-5678", "03-1234-5678",
                "13812345678", "138 1234 5678", "010-12345678",
            )
        ),
        *(
            ("ip_address", value)
            for value in (
                "203.0.113.7", "8.8.8.8", "2001:db8::8a2e:370:7334", "::1", "fe80::1", "::ffff:10.0.0.1",
                "64:ff9b::192.0.2.1", "0:0:0:0:0:FFFF:129.144.52.38",
            )
        ),
        *(
            ("iban", value)
            for value in (
                "DE89370400440532013000", "DE89 3704 0044 0532 0130 00",
                "GB29 NWBK 6016 1331 9268 19", "NO9386011117947",
                "MT84MALT011000012345MTLCAST001S", "nl91abna0417164300",
            )
        ),
        *(("us_ssn", value) for value in ("078-05-1123", "078 05 1123", "899.99.9999")),
    ],
)  # fmt: skip
def test_personal_data_is_hidden_on_request(redactor, rule, value):
    """Personal data is hidden by rules of its own, not by default, in a sentence, alone and as a key."""
    personal = Redactor([RULES[rule]])
    text = f"Reach me at {value}, please."

    assert redactor.redact_text(text) == text
    assert personal.redact_text(text) == f"Reach me at [REDACTED:{rule}], please."
    assert personal.redact({"x": value}) == {"x": f"[REDACTED:{rule}]"}
    assert personal.redact({value: 1}) == {f"[REDACTED:{rule}]": 1}
    assert not personal.is_clean(["x"], [value])


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        *(
            ("ip_address", text)
            for text in (
                "ver 1.2.3.4", "Version: 1.2.3.4", "v1.2.3.4", "pip install x==1.2.3.4", '"version": "10.0.1.2"',
                "x-1.2.3.4.tar.gz", "section 1.2.3.4.5", "256.1.1.1", "std::cout", "a :: b", "at 12:34:56",
                "MAC aa:bb:cc:dd:ee:ff",
            )
        ),
        *(("email", text) for text in ("me@localhost", "@pytest.fixture", "a @ b.co", "x@y", "info@example.")),
        *(("phone", text) for text in ("2026-01-02", "1767225600000", "order 12-345678901", "3.14159265358979")),
        *(
            ("iban", text)
            for text in (
                "DE89370400440532013001", "DE8937040044053201300", "XX89370400440532013000",
                "NO15 apples are good ones",
            )
        ),
        *(
            ("us_ssn", text)
            for text in (
                "000-12-3456", "666-12-3456", "900-12-3456", "078-00-1123", "078-05-0000", "078-05 1123",
                "1078-05-1123",
            )
        ),
    ],
)  # fmt: skip
def test_look_alike_of_personal_data_stays(rule, text):
    """Versions, times, dates and numbers with a wrong check digit are no personal data."""
    assert Redactor([RULES[rule]]).redact_text(text) == text


@pytest.mark.parametrize(("rule", "key"), [("iban", "iban"), ("us_ssn", "SSN"), ("us_ssn", "social_security_number")])
def test_official_number_is_hidden_by_its_key(rule, key):
    """Where its rule is asked for, a number is hidden by its key, whatever its form."""
    assert Redactor([RULES[rule]]).redact({key: "078051123"}) == {key: f"[REDACTED:{rule}]"}


def _table_of_numbers(seed: int) -> str:
    maker = secrets.Maker(seed)
    return "\n".join(" ".join(maker.digits(4) for _ in range(3 + seed % 8)) for _ in range(8))


def test_tables_of_numbers_hold_no_cards(redactor):
    """Of many tables of four-digit numbers, hardly any shows a row that could be a card."""
    tables = [_table_of_numbers(seed) for seed in range(300)]

    assert sum(redactor.redact_text(table) != table for table in tables) <= 5


@pytest.mark.parametrize(
    "text",
    [
        "{0}", "{0}\n{0}\n{0}", "{0} 1227", "{0} 12/27 123", "in 2026 {0} 1227", "1234 5678 {0}",
        "CVV 123\n{0}\nCVV 123",
        "ids 1000 1001 1002 1003, card {0}",
    ],
)  # fmt: skip
def test_card_beside_other_numbers_is_hidden(redactor, text):
    """A card in groups of digits is found beside a year, its end date or other cards."""
    for seed in range(20):
        card = " ".join(secrets.fours(secrets.Maker(seed).card("4", 16)))
        assert card not in redactor.redact_text(text.format(card))


@pytest.mark.parametrize(("issuer", "length"), [("6759", 16), ("5018", 13), ("6304", 19), ("1220", 15), ("62", 19)])
def test_card_of_each_issuer_is_hidden(redactor, issuer, length):
    """Maestro, UATP and UnionPay cards are recognised as cards."""
    card = secrets.Maker().card(issuer, length)

    assert redactor.redact_text(f"card {card}.") == "card [REDACTED:card_number]."


def test_card_of_a_travel_plan_is_hidden_in_its_groups(redactor):
    """A UATP card has groups of four, five and six digits."""
    card = secrets.Maker().card("1220", 15)

    assert redactor.redact_text(f"{card[:4]} {card[4:9]} {card[9:]}") == "[REDACTED:card_number]"


@pytest.mark.parametrize("rule", [rule for rule in DEFAULT_RULES if rule.begins], ids=lambda rule: rule.name)
def test_filler_in_place_of_a_token_stays(redactor, rule):
    """A row of X behind a prefix shows the form of a token, and stays."""
    text = f"like {rule.literals[0]}{'X' * 40} or {rule.literals[0]}{'x' * 40}"

    assert redactor.redact_text(text) == text


def test_rules_are_listed_by_name():
    """A rule can be picked by its name, and then applies alone."""
    card = secrets.Maker().card("4", 16)
    only_cards = Redactor([RULES["card_number"]])

    assert only_cards.redact_text(f"password=hunter2, {card}") == "password=hunter2, [REDACTED:card_number]"


def test_redactions_are_counted_by_rule():
    """Each redacted value counts once, under its rule's name."""
    redactor, counts = counting_redactor()
    token = secrets.TOKENS["github_token"][0](secrets.Maker())
    redactor.redact({"password": "x", "text": [f"{token} {token}", "token=abc123"]})

    assert counts == {"password": 1, "github_token": 2, "token": 1}


def test_custom_patterns_are_applied():
    """The matches of an application's regular expressions are redacted and counted."""
    redactor, counts = counting_redactor((), [re.compile(r"ACME-\d{6}"), re.compile("zürich", re.IGNORECASE)])

    assert redactor.redact(["ACME-123456 in Zürich"]) == ["[REDACTED:custom] in [REDACTED:custom]"]
    assert counts == {"custom": 2}


def test_custom_callable_gets_each_text_once():
    """A callable gets every text of a structure but the conventions' own words, which readers need whole."""
    texts = []
    redactor, counts = counting_redactor((), [lambda text: texts.append(text) or text.replace("Ada", "someone")])
    message = {"role": "user", "parts": [{"type": "text", "content": "I am Ada"}]}

    assert redactor.redact(message)["parts"][0]["content"] == "I am someone"
    assert texts == ["I am Ada"]
    assert counts == {"custom": 1}


def _raise(_text: str) -> str:
    raise LookupError("no model")


@pytest.mark.parametrize(
    "fails",
    [_raise, lambda text: None, lambda text: 5, lambda text: text.encode()],
    ids=["raises", "none", "number", "bytes"],
)
def test_value_is_dropped_when_its_redactor_fails(fails):
    """If a redactor raises or does not return text, the value is dropped and counted; the structure stays."""
    redactor, counts = counting_redactor((), [fails])

    assert redactor.redact({"role": "user", "city": "Oslo", "n": 1}) == {"role": "user", "city": DROPPED, "n": 1}
    assert counts == {"failed": 1}


def test_slow_redactor_is_switched_off():
    """The result of one call over the time budget still counts; later values are dropped without a call."""
    calls = []
    gate = threading.Event()

    def slow(text: str) -> str:
        calls.append(text)
        gate.wait(0.02)
        return text

    redactor, counts = counting_redactor((), [slow], time_budget_s=0.001)

    assert redactor.redact(["first text", "second text"]) == ["first text", DROPPED]
    assert redactor.redact_text("third text") == DROPPED
    assert calls == ["first text"]
    assert counts == {"failed": 2}


def test_dropped_value_does_not_come_back():
    """A redactor after one that failed cannot bring the value back."""
    redactor, _ = counting_redactor((), [_raise, lambda text: "all fine"])

    assert redactor.redact_text("Oslo") == DROPPED


@settings(max_examples=200, deadline=None)
@given(values.json_values)
def test_clean_structures_are_recognised(structure):
    """All rules leave a structure unchanged that is reported clean."""
    redactor = Redactor((*DEFAULT_RULES, *PII_RULES))
    keys, texts = _parts(structure)

    if redactor.is_clean(keys, texts):
        assert redactor.redact(structure) == structure


@settings(max_examples=12, deadline=None)
@given(SEEDS)
def test_secrets_are_never_reported_clean(redactor, seed):
    """The search for literals misses no secret, in small texts or large ones, alone or in a JSON text."""
    for sample in secrets.positives(seed):
        for text in (sample.text, sample.text + " filler" * 60):
            assert not redactor.is_clean(["content"], ["some", text])


def test_many_large_texts_are_remembered_within_limits(redactor):
    """Hashes of large texts are forgotten before they take much memory."""
    texts = [f"{number} " + "quite ordinary words " * 20 for number in range(5000)]

    assert redactor.is_clean([], texts)
    assert len(redactor._clean) < 4097


def _parts(structure) -> tuple[list[str], list[str]]:
    if isinstance(structure, str):
        return [], [structure]
    members = (
        list(structure.values()) if isinstance(structure, dict) else structure if isinstance(structure, list) else []
    )
    parts = [_parts(member) for member in members]
    keys = list(structure) if isinstance(structure, dict) else []
    numbers = [str(structure)] if type(structure) is int else []
    return keys + [key for inner, _ in parts for key in inner], numbers + [text for _, inner in parts for text in inner]


def test_table_of_precision_and_recall_is_current(redactor, request):
    """docs/redaction.md gives the samples each rule found and the look-alikes it mistook for secrets."""
    page = PAGE.read_text(encoding="utf-8")
    begin, end = page.index(SAMPLES) + len(SAMPLES), page.index(SAMPLES_END)
    current = page[:begin] + _table(redactor) + page[end:]
    if request.config.getoption("--update-goldens"):
        PAGE.write_text(current, encoding="utf-8")

    assert PAGE.read_text(encoding="utf-8") == current


def test_source_of_each_token_is_listed():
    """docs/redaction.md names, for each kind of token, the public lists to compare it with."""
    sources = PAGE.read_text(encoding="utf-8").partition("## Where the shapes stand")[2]
    listed = re.findall(r"^\| ([a-z0-9_]+) \|", sources, re.MULTILINE)

    assert listed == ["rule", *sorted(rule.name for rule in (*TOKENS, *TOKENS_WITH_JWT))]


def _table(redactor: Redactor) -> str:
    alarms: Counter[str] = Counter()
    Redactor(on_redaction=lambda rule, count: alarms.update({rule: count})).redact(list(lookalikes.negatives()))
    samples: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for sample in secrets.positives():
        samples[sample.rule] += 1
        found[sample.rule] += f"[REDACTED:{sample.rule}]" in redactor.redact_text(sample.text)
    rows = [
        f"| {rule} | {samples[rule]} | {found[rule]} | {alarms[rule]} | {_ratio(found[rule], samples[rule])} "
        f"| {_ratio(found[rule], found[rule] + alarms[rule])} |"
        for rule in sorted(samples)
    ]
    total, hits, false = sum(samples.values()), sum(found.values()), sum(alarms.values())
    rows.append(f"| **all** | {total} | {hits} | {false} | {_ratio(hits, total)} | {_ratio(hits, hits + false)} |")
    head = (
        f"\nInvented secrets, and {len(lookalikes.negatives())} look-alikes that hold none, in running text.\n\n"
        "| rule | samples | found | false alarms | recall | precision |\n| --- | --- | --- | --- | --- | --- |\n"
    )
    return head + "\n".join(rows) + "\n\n"


def _ratio(part: int, whole: int) -> str:
    return f"{part / whole:.2f}"
