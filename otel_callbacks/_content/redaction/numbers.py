"""Numbers with a structure of their own: payment cards, bank accounts, social security numbers."""

import re

from otel_callbacks._content.redaction.rule import Rule

_ISSUERS = (
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-5]|[689]\d)\d{11}"  # Diners Club
    r"|35(?:2[89]|[3-8]\d)\d{12}"  # JCB
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12}"  # Discover
    r"|62\d{14}(?:\d{3})?"  # UnionPay
    r"|5[0678]\d{14}|(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{9,15}"  # Maestro
    r"|1(?!000)\d{14}"  # UATP; identifiers of other kinds begin with 1000
)
_AROUND = 160  # characters
_FOURS = re.compile(r"\d{4}")
_ROW = re.compile(r"(?<![\w.])\d{4}(?:[ -]\d{4}){3,}(?![\w.])")
_BEFORE = re.compile(r"(?:(?<!\d)\d{4}[ -])*\Z")
_BEHIND = re.compile(r"(?:[ -]\d{4}(?!\d))*")
_MOST_BESIDE = 2  # a year in front of a card, and the month and year of its end behind it


def is_card_number(text: str) -> bool:
    """Tell whether the digits in `text` are a payment card's, by issuer, length and check digit (Luhn)."""
    digits = [int(character) for character in text if character.isdigit()]
    if not re.fullmatch(_ISSUERS, "".join(map(str, digits))):
        return False
    doubled = (digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2])  # noqa: PLR2004 - 2 * 5 has two digits
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_alone(match: re.Match[str]) -> bool:
    """Tell whether a card's groups of digits are not a part of a table of numbers."""
    if match["secret"].isdigit():
        return True
    start, end = match.span("secret")
    above, before = f"\n{match.string[max(0, start - _AROUND) : start]}".rsplit("\n", 2)[-2:]
    after, below = f"{match.string[end : end + _AROUND]}\n\n".split("\n", 2)[:2]
    beside = _FOURS.findall(_BEFORE.search(before)[0]) + _FOURS.findall(_BEHIND.match(after)[0])  # type: ignore[index]
    return len(beside) <= _MOST_BESIDE and not any(map(_is_row, (above, below)))


def _is_row(line: str) -> bool:
    """Tell whether a line holds numbers of four digits side by side, and no card."""
    runs = map(_FOURS.findall, _ROW.findall(line))
    return any(not any(is_card_number("".join(run[at : at + 4])) for at in range(len(run) - 3)) for run in runs)


CARD = Rule(
    "card_number",
    # It only looks ahead: the digits of a year in front of a card may begin a match that is none.
    (
        r"(?<![\w.+-])(?=(?P<secret>\d{4}([ -])\d{4}\2\d{4}\2\d{4}|3\d{3}([ -])\d{6}\3\d{4,5}"
        r"|1\d{3}([ -])\d{5}\4\d{6}|\d{13,19})(?![\w-])(?!\.\d))"
    ),
    check=is_card_number,
    fits=_is_alone,
    keys=("cvv", "cvc", "card number"),
)

_IBAN_LENGTHS = {
    15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK", 21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
    29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
}  # fmt: skip
"""Length -> countries, by the registry of ISO 13616."""
_IBAN = "|".join(
    rf"(?:{countries.replace(' ', '|')})\d\d(?: ?[A-Z0-9]){{{length - 4}}}"
    for length, countries in _IBAN_LENGTHS.items()
)
_FEWEST_DIGITS = 10


def is_iban(text: str) -> bool:
    """Tell whether the check digits of an account number are right (ISO 7064, modulus 97)."""
    number = text.replace(" ", "").upper()
    if sum(map(str.isdigit, number)) < _FEWEST_DIGITS:  # so that words are no number
        return False
    return int("".join(str(int(character, 36)) for character in number[4:] + number[:4])) % 97 == 1


IBAN = Rule("iban", rf"(?i)(?<![A-Z0-9])(?:{_IBAN})(?![A-Z0-9])", check=is_iban, keys=("iban",), shortest=15)

SSN = Rule(
    "us_ssn",
    # Areas 000, 666 and 9xx, group 00 and serial 0000 are never given out.
    r"(?<![\w.-])(?!000|666|9)\d{3}([ .-])(?!00)\d\d\1(?!0000)\d{4}(?![\w-])(?!\.\d)",
    (" ", ".", "-"),
    keys=("ssn", "social security", "social security number"),
    shortest=11,
)
