"""The rules of redaction: one for each shape of secret or family of keys.

Each pattern takes time in proportion to the text: no repetition is nested in another that could match the same
characters, and no pattern is tried on a text that holds none of its literals.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

OnRedaction = Callable[[str, int], None]
"""Called with the name of a rule and the number of values it redacted."""


@dataclass(frozen=True, eq=False)
class Rule:
    """A shape of secret.

    Attributes:
        name: Used in the mark ``[REDACTED:<name>]`` and in the count of redactions.
        pattern: The secret's shape; only a group named "secret" is redacted, or the whole match if there is none.
        literals: One of them occurs wherever the pattern matches. Empty if that holds for no literal.
        in_run: The match holds a run of 16 or more letters, digits and ``_-./+~=`` that the literals (those without a
            space) are part of.
        begins: The match begins with a literal, at the beginning of a word or after an escaped line end.
        check: Tells whether a match is a secret.
        keys: Endings of keys whose values are secrets: words in lower case, separated by spaces.
    """

    name: str
    pattern: str | re.Pattern[str] | None = None
    literals: tuple[str, ...] = ()
    in_run: bool = False
    begins: bool = False
    check: Callable[[str], bool] | None = None
    keys: tuple[str, ...] = ()

    def apply(self, text: str, on_redaction: OnRedaction) -> str:
        """Return `text` with marks in place of this rule's secrets, and pass their number to `on_redaction`."""
        group = "secret" if "secret" in self._compiled.groupindex else 0
        pieces: list[str] = []
        end = 0
        for match in self._compiled.finditer(text):
            if self.check is None or self.check(match[group]):
                pieces += (text[end : match.start(group)], mark(self.name))
                end = match.end(group)
        if not pieces:
            return text
        on_redaction(self.name, len(pieces) // 2)
        return "".join(pieces) + text[end:]

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        """Compiled on first use: most rules never are, and compiling all takes longer than importing the rest."""
        return re.compile(self.pattern or "(?!)")


_START = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))"
"""The beginning of a word; in texts that hold JSON, line ends are escaped."""


def mark(name: str) -> str:
    """Return what stands in place of a secret."""
    return f"[REDACTED:{name}]"


def _token(name: str, prefixes: str, body: str, *, check: Callable[[str], bool] | None = None) -> Rule:
    """Return a rule for tokens recognised by their prefixes, which `prefixes` separates by spaces."""
    literals = tuple(prefixes.split())
    pattern = rf"{_START}(?:{'|'.join(map(re.escape, literals))}){body}"
    return Rule(name, pattern, literals, in_run=True, begins=True, check=check)


def _keys(name: str, *endings: str) -> Rule:
    return Rule(name, keys=endings)


def _has_digit(text: str) -> bool:
    return any(character.isdigit() for character in text)


def _is_mixed(text: str) -> bool:
    return _has_digit(text) and text.lower() != text != text.upper()


def _is_basic(text: str) -> bool:
    """Tell whether it is base64 of ``user:password``."""
    try:
        return b":" in base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False


_ISSUERS = (
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|[68]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}|6(?:011|5\d\d|4[4-9]\d)\d{12}"
)


def is_card_number(text: str) -> bool:
    """Tell whether the digits in `text` are a payment card's, by issuer, length and check digit (Luhn)."""
    digits = [int(character) for character in text if character.isdigit()]
    if not re.fullmatch(_ISSUERS, "".join(map(str, digits))):
        return False
    doubled = (digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2])  # noqa: PLR2004 - 2 * 5 has two digits
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


_W = r"[A-Za-z0-9_-]"
_AN = "[A-Za-z0-9]"
_HEX = "[0-9a-f]"

_TOKENS = (
    _token("anthropic_key", "sk-ant-", rf"{_W}{{20,}}"),
    _token("langfuse_key", "sk-lf- pk-lf-", r"[0-9a-f-]{30,}"),
    _token("openai_key", "sk- sess-", rf"{_W}{{20,}}", check=_has_digit),
    _token("google_key", "AIza", rf"{_W}{{35}}"),
    _token("google_oauth", "ya29. GOCSPX-", rf"{_W}{{20,}}"),
    _token("aws_access_key", "AKIA ASIA ABIA ACCA", r"[A-Z2-7]{16}(?![A-Za-z0-9])"),
    _token("github_token", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", "[A-Za-z0-9_]{22,}"),
    _token("gitlab_token", "glpat- gldt- glrt- glcbt- glptt- glft- gloas- glsoat- glimt- glagent-", rf"{_W}{{20,}}"),
    _token("slack_token", "xoxa- xoxb- xoxe- xoxo- xoxp- xoxr- xoxs- xapp-", r"[A-Za-z0-9-]{10,}", check=_has_digit),
    _token("slack_webhook", "hooks.slack.com/services/", r"[A-Za-z0-9/]{30,}"),
    _token("stripe_key", "sk_live_ sk_test_ rk_live_ rk_test_ whsec_", r"[A-Za-z0-9+/]{16,}"),
    _token("huggingface_token", "hf_ api_org_", rf"{_AN}{{30,}}"),
    _token("npm_token", "npm_", rf"{_AN}{{36}}"),
    _token("pypi_token", "pypi-AgE", rf"{_W}{{50,}}"),
    _token("rubygems_token", "rubygems_", rf"{_HEX}{{48}}"),
    _token("docker_token", "dckr_pat_ dckr_oat_", rf"{_W}{{20,}}"),
    _token("sendgrid_key", "SG.", rf"{_W}{{16,32}}\.{_W}{{16,64}}"),
    _token("twilio_key", "SK", rf"{_HEX}{{32}}(?![A-Za-z0-9])"),
    _token("mailgun_key", "key-", rf"{_HEX}{{32}}(?![A-Za-z0-9])"),
    _token("langsmith_key", "lsv2_pt_ lsv2_sk_ ls__", r"[0-9a-f_]{32,}"),
    _token("databricks_token", "dapi", rf"{_HEX}{{32}}(?:-\d)?(?![A-Za-z0-9])"),
    _token("digitalocean_token", "dop_v1_ doo_v1_ dor_v1_", rf"{_HEX}{{64}}"),
    _token("groq_key", "gsk_", rf"{_AN}{{40,}}"),
    _token("perplexity_key", "pplx-", rf"{_AN}{{40,}}"),
    _token("xai_key", "xai-", rf"{_AN}{{60,}}"),
    _token("replicate_token", "r8_", rf"{_AN}{{30,}}"),
    _token("nvidia_key", "nvapi-", rf"{_W}{{40,}}"),
    _token("fireworks_key", "fw_", rf"{_AN}{{20,}}", check=_is_mixed),
    _token("tavily_key", "tvly-", r"[A-Za-z0-9-]{20,}"),
    _token("pinecone_key", "pcsk_", r"[A-Za-z0-9_]{40,}"),
    _token("cerebras_key", "csk-", rf"{_AN}{{40,}}"),
    _token("jina_key", "jina_", rf"{_W}{{40,}}"),
    _token("elevenlabs_key", "sk_", rf"{_HEX}{{48}}"),
    _token("grafana_token", "glsa_ glc_", r"[A-Za-z0-9+/=_]{32,}"),
    _token("newrelic_key", "NRAK- NRII- NRJS-", r"[A-Za-z0-9_-]{19,}"),
    _token("sentry_token", "sntrys_ sntryu_", r"[A-Za-z0-9+/=_-]{40,}"),
    _token("vault_token", "hvs. hvb. hvr.", rf"{_W}{{24,}}"),
    _token("linear_key", "lin_api_ lin_oauth_", rf"{_AN}{{40,}}"),
    _token("notion_token", "ntn_ secret_", rf"{_AN}{{40,}}"),
    _token("figma_token", "figd_ figo_", rf"{_W}{{40,}}"),
    _token("shopify_token", "shpat_ shpca_ shppa_ shpss_", r"[0-9a-fA-F]{32}"),
    _token("supabase_key", "sbp_ sb_secret_", r"[A-Za-z0-9_]{20,}"),
    _token("planetscale_token", "pscale_tkn_ pscale_pw_ pscale_oauth_", rf"{_W}{{32,}}"),
    _token("atlassian_token", "ATATT3 ATCTT3 ATBB", r"[A-Za-z0-9_=+/-]{24,}"),
    _token("postman_key", "PMAK-", rf"{_HEX}{{24}}-{_HEX}{{34}}"),
    _token("doppler_token", "dp.pt. dp.st. dp.ct. dp.sa.", r"[A-Za-z0-9_.-]{40,}"),
    _token("netlify_token", "nfp_ nfc_ nfo_", rf"{_AN}{{36,}}"),
    _token("fly_token", "fm2_ fo1_", r"[A-Za-z0-9+/=_-]{40,}"),
    _token("age_key", "AGE-SECRET-KEY-1", r"[0-9A-Z]{50,}"),
    Rule("azure_key", rf"{_AN}{{52}}JQQJ99{_AN}{{20,26}}", ("JQQJ99",), in_run=True),
    Rule(
        "azure_client_secret",
        r"(?<![A-Za-z0-9~])[A-Za-z0-9_.~-]{3}\dQ~[A-Za-z0-9_.~-]{31,34}", ("Q~",), in_run=True,
    ),
    Rule(
        "telegram_token",
        r":(?P<secret>AA[A-Za-z0-9_-]{33})(?<=\d:.{35})(?![A-Za-z0-9_-])", ("AA",), in_run=True,
    ),
    Rule(
        "aws_secret_key",
        r"(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])",
        ("AKIA", "ASIA", "aws ", "AWS "), in_run=True, check=_is_mixed,
    ),
)  # fmt: skip

_SHAPES = (
    Rule(
        "private_key",
        # A cut text may hold only the beginning of a key, or only its end.
        (
            r"-----BEGIN[A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:[A-Za-z0-9+/=\s\\:,.]|-(?!----))*"
            r"(?:-----END[A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?"
            r"|\A[A-Za-z0-9+/=\s\\]*-----END[A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        ),
        ("PRIVATE KEY",), in_run=True,
    ),
    Rule(
        "jwt",
        rf"(?:(?<!{_W})|(?<=\\[nrt]))eyJ{_W}{{8,}}\.(?:eyJ{_W}*|{_W}{{20,}})(?:\.{_W}*){{0,3}}", ("eyJ",),
        in_run=True, begins=True,
    ),
    Rule(
        "bearer",
        r"(?i)bearer {1,4}(?P<secret>[A-Za-z0-9_.~+/-]{16,}=*)",
        ("earer ", "EARER "), in_run=True, check=_has_digit,
    ),
    Rule(
        "basic",
        r"(?i)basic {1,4}(?P<secret>[A-Za-z0-9+/]{14,}={0,2})",
        ("asic ", "ASIC "), in_run=True, check=_is_basic,
    ),
    Rule(
        "connection_string",
        r"://[^\s/@:\"'<>]{0,128}:(?P<secret>[^\s/?#\"'<>]{1,256})@", ("@",),
        keys=("connection string", "connection str", "conn string", "conn str", "dsn"),
    ),
)  # fmt: skip

CARD = Rule(
    "card_number",
    r"(?<![\w.+-])(?:\d{4}([ -])\d{4}\1\d{4}\1\d{4}|3\d{3}([ -])\d{6}\2\d{4,5}|\d{13,19})(?![\w-])(?!\.\d)",
    check=is_card_number,
    keys=("cvv", "cvc", "card number"),
)

_KEYS = (
    _keys(
        "password", "password", "passwd", "passphrase", "passcode", "pwd", "pass phrase", "pass word", "db pass",
        "user pass", "smtp pass", "mysql pass", "pg pass", "postgres pass", "redis pass", "ftp pass", "admin pass",
        "root pass", "email pass", "mail pass", "ssh pass", "proxy pass",
    ),
    _keys("secret", "secret", "secrets", "client secret", "app secret", "credential", "credentials", "creds"),
    _keys(
        "token", "token", "access tokens", "refresh tokens", "api tokens", "auth tokens", "access token",
        "refresh token", "auth token", "id token", "bearer token", "session token", "jwt", "bearer",
    ),
    _keys(
        "api_key", "api key", "api keys", "access key", "access key id", "account key", "auth key", "client key",
        "deploy key", "license key", "service key", "shared key", "storage key", "subscription key",
    ),
    _keys(
        "private_key", "private key", "secret key", "signing key", "encryption key", "master key", "ssh key",
        "session key", "hmac key", "aes key",
    ),
    _keys("authorization", "authorization", "auth", "basic auth", "http auth"),
    _keys("cookie", "cookie", "cookies"),
)  # fmt: skip

_PERSONAL = (
    Rule(
        "email",
        (
            r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-])"
        ),
        ("@",),
    ),
    Rule(
        "phone",
        (
            r"(?<![\w.+-])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){2,4}"
            r"|\(\d{3}\) ?\d{3}[ .-]\d{4}|\d{3}[.-]\d{3}[.-]\d{4})(?![\w-])"
        ),
        ("+", "-", ")", "."),
    ),
    Rule(
        "ip_address",
        r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7})(?![\w.:]*\w)",
        (".", ":"), check=_is_address,
    ),
)  # fmt: skip

DEFAULT_RULES: tuple[Rule, ...] = (*_SHAPES, *_TOKENS, CARD, *_KEYS)
"""Provider keys and tokens, private keys, JWTs, credentials, connection strings, card numbers, names of secrets."""
PII_RULES: tuple[Rule, ...] = _PERSONAL
"""Personal data, added on request: e-mail addresses, telephone numbers, IP addresses."""
RULES: dict[str, Rule] = {rule.name: rule for rule in (*DEFAULT_RULES, *PII_RULES)}
"""Every built-in rule by name."""
