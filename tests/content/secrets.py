"""Invented secrets, assembled at run time from pieces: this file holds no whole secret."""

import base64
import random
import string
from collections.abc import Callable
from typing import NamedTuple

SEED = 20_260_101
_WORDS = string.ascii_letters + string.digits
_HEX = "0123456789abcdef"
_UPPER = string.ascii_uppercase + string.digits


class Sample(NamedTuple):
    """A text with a secret in it.

    Attributes:
        rule: The rule that must find it.
        secret: The part that must disappear.
        text: The text around it.
    """

    rule: str
    secret: str
    text: str


class Maker:
    """Random pieces of secrets, the same in every run."""

    def __init__(self, seed: int = SEED) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable, and nothing real

    def of(self, alphabet: str, length: int) -> str:
        """Return random characters of an alphabet."""
        return "".join(self._random.choices(alphabet, k=length))

    def word(self, length: int) -> str:
        """Return letters and digits, with at least one digit."""
        return self.of(_WORDS, length - 2) + self.of(string.digits, 1) + self.of(string.ascii_letters, 1)

    def hexadecimal(self, length: int) -> str:
        """Return hexadecimal digits."""
        return self.of(_HEX, length)

    def uuid(self) -> str:
        """Return a random UUID."""
        return "-".join(self.hexadecimal(length) for length in (8, 4, 4, 4, 12))

    def digits(self, length: int) -> str:
        """Return decimal digits."""
        return self.of(string.digits, length)

    def card(self, prefix: str, length: int) -> str:
        """Return a card number with a correct check digit."""
        body = prefix + self.digits(length - len(prefix) - 1)
        return next(body + last for last in string.digits if _luhn(body + last))

    def jwt(self) -> str:
        """Return a header, a payload and a signature."""
        header, payload = (
            base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
            for text in ('{"alg":"HS256"}', '{"sub":"' + self.word(12) + '"}')
        )
        return f"{header}.{payload}.{self.word(43)}"

    def private_key(self, kind: str) -> str:
        """Return lines of base64 between the two marks."""
        body = "\n".join(self.of(_WORDS + "+/", 64) for _ in range(5))
        name = f"{kind}PRIVATE " + "KEY"
        return f"-----BEGIN {name}-----\n{body}\n-----END {name}-----"


def _luhn(number: str) -> bool:
    digits = [int(digit) for digit in reversed(number)]
    return (sum(digits[::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])) % 10 == 0


TOKENS: dict[str, list[Callable[[Maker], str]]] = {
    "anthropic_key": [lambda m: "sk-" + "ant-api03-" + m.word(80), lambda m: "sk-" + "ant-oat01-" + m.word(60)],
    "openai_key": [
        lambda m: "sk-" + m.word(48),
        lambda m: "sk-" + "proj-" + m.word(74),
        lambda m: "sk-" + "svcacct-" + m.word(60),
        lambda m: "sk-" + "or-v1-" + m.hexadecimal(64),
        lambda m: "sk-" + m.hexadecimal(31) + "7",
    ],
    "google_key": [lambda m: "AI" + "za" + m.word(35)],
    "google_oauth": [lambda m: "ya" + "29." + m.word(60), lambda m: "GOC" + "SPX-" + m.word(28)],
    "aws_access_key": [
        lambda m: "AK" + "IA" + m.of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16),
        lambda m: "AS" + "IA" + m.of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16),
    ],
    "github_token": [
        lambda m: "gh" + "p_" + m.word(36),
        lambda m: "gh" + "o_" + m.word(36),
        lambda m: "gh" + "s_" + m.word(36),
        lambda m: "github" + "_pat_" + m.word(22) + "_" + m.word(59),
    ],
    "gitlab_token": [lambda m: "gl" + "pat-" + m.word(20), lambda m: "gl" + "rt-" + m.word(20)],
    "slack_token": [
        lambda m: "xo" + "xb-" + m.digits(12) + "-" + m.digits(12) + "-" + m.word(24),
        lambda m: "xa" + "pp-1-" + m.of(_UPPER, 11) + "-" + m.digits(13) + "-" + m.hexadecimal(64),
    ],
    "slack_webhook": [
        lambda m: "hooks.slack" + ".com/services/T" + m.of(_UPPER, 8) + "/B" + m.of(_UPPER, 8) + "/" + m.word(24)
    ],
    "stripe_key": [
        lambda m: "sk" + "_live_" + m.word(24),
        lambda m: "rk" + "_test_" + m.word(24),
        lambda m: "wh" + "sec_" + m.word(32),
    ],
    "huggingface_token": [lambda m: "h" + "f_" + m.of(string.ascii_letters, 34)],
    "npm_token": [lambda m: "np" + "m_" + m.word(36)],
    "pypi_token": [lambda m: "py" + "pi-AgEIcHlwaS5vcmc" + m.word(120)],
    "rubygems_token": [lambda m: "ruby" + "gems_" + m.hexadecimal(48)],
    "docker_token": [lambda m: "dckr" + "_pat_" + m.word(27)],
    "sendgrid_key": [lambda m: "S" + "G." + m.word(22) + "." + m.word(43)],
    "twilio_key": [lambda m: "S" + "K" + m.hexadecimal(32)],
    "mailgun_key": [lambda m: "ke" + "y-" + m.hexadecimal(32)],
    "langsmith_key": [
        lambda m: "ls" + "v2_pt_" + m.hexadecimal(32) + "_" + m.hexadecimal(10),
        lambda m: "ls" + "v2_sk_" + m.hexadecimal(32) + "_" + m.hexadecimal(10),
    ],
    "databricks_token": [lambda m: "da" + "pi" + m.hexadecimal(32)],
    "digitalocean_token": [lambda m: "do" + "p_v1_" + m.hexadecimal(64)],
    "groq_key": [lambda m: "gs" + "k_" + m.word(52)],
    "perplexity_key": [lambda m: "pp" + "lx-" + m.word(48)],
    "xai_key": [lambda m: "xa" + "i-" + m.word(80)],
    "replicate_token": [lambda m: "r" + "8_" + m.word(37)],
    "nvidia_key": [lambda m: "nv" + "api-" + m.word(64)],
    "tavily_key": [lambda m: "tv" + "ly-dev-" + m.word(32)],
    "pinecone_key": [lambda m: "pc" + "sk_" + m.word(6) + "_" + m.word(60)],
    "jina_key": [lambda m: "ji" + "na_" + m.hexadecimal(32) + m.word(28)],
    "elevenlabs_key": [lambda m: "s" + "k_" + m.hexadecimal(48)],
    "grafana_token": [lambda m: "gl" + "sa_" + m.word(32) + "_" + m.hexadecimal(8)],
    "newrelic_key": [lambda m: "NR" + "AK-" + m.of(_UPPER, 27)],
    "sentry_token": [lambda m: "sn" + "trys_" + m.word(60)],
    "vault_token": [lambda m: "hv" + "s." + m.word(90)],
    "linear_key": [lambda m: "lin" + "_api_" + m.word(40)],
    "notion_token": [lambda m: "nt" + "n_" + m.word(46)],
    "figma_token": [lambda m: "fi" + "gd_" + m.word(43)],
    "shopify_token": [lambda m: "sh" + "pat_" + m.hexadecimal(32)],
    "supabase_key": [lambda m: "sb" + "p_" + m.hexadecimal(40)],
    "planetscale_token": [lambda m: "pscale" + "_tkn_" + m.word(43)],
    "atlassian_token": [lambda m: "AT" + "ATT3" + m.word(180)],
    "postman_key": [lambda m: "PM" + "AK-" + m.hexadecimal(24) + "-" + m.hexadecimal(34)],
    "doppler_token": [lambda m: "dp" + ".pt." + m.word(43)],
    "langfuse_key": [lambda m: "sk" + "-lf-" + "-".join(m.hexadecimal(n) for n in (8, 4, 4, 4, 12))],
    "fireworks_key": [lambda m: "f" + "w_" + m.word(24) + "aZ"],
    "cerebras_key": [lambda m: "cs" + "k-" + m.word(48)],
    "fly_token": [lambda m: "fm" + "2_" + m.word(80)],
    "age_key": [lambda m: "AGE-SECRET" + "-KEY-1" + m.of(_UPPER, 58)],
    "netlify_token": [lambda m: "nf" + "p_" + m.word(36)],
    "azure_key": [lambda m: m.word(52) + "JQQ" + "J99" + m.word(26)],
    "azure_client_secret": [lambda m: m.word(3) + "8" + "Q~" + m.word(34)],
    "telegram_token": [lambda m: "A" + "A" + m.word(33)],
    "onepassword_token": [lambda m: "ops" + "_eyJ" + m.word(250)],
    "onepassword_key": [
        lambda m: "-".join(["A" + "3", m.of(_UPPER, 6), m.of(_UPPER, 11), *(m.of(_UPPER, 5) for _ in range(3))]),
        lambda m: "-".join(["A" + "3", *(m.of(_UPPER, n) for n in (6, 6, 5, 5, 5, 5))]),
    ],
    "mapbox_token": [lambda m: "pk" + "." + m.word(60) + "." + m.word(22)],
    "jwt_base64": [lambda m: base64.b64encode(m.jwt().encode()).decode().rstrip("=")],
    "openai_ephemeral_key": [lambda m: "ek" + "_" + m.hexadecimal(32)],
    "gemini_key": [lambda m: "AQ" + ".Ab8" + m.word(47)],
    "bedrock_key": [
        lambda m: "AB" + "SK" + base64.b64encode(("BedrockAPI" + "Key-" + m.word(90)).encode()).decode(),
        lambda m: "bedrock-api" + "-key-" + base64.b64encode(b"bedrock.amazonaws.com/?Action=Call").decode(),
    ],
    "together_key": [lambda m: "tg" + "p_v1_" + m.word(43)],
    "voyage_key": [lambda m: "p" + "a-" + m.word(41) + "aZ"],
    "runpod_key": [lambda m: "rp" + "a_" + m.word(42)],
    "firecrawl_key": [lambda m: "f" + "c-" + m.hexadecimal(32)],
    "brave_key": [lambda m: "BS" + "A" + m.word(26) + "aZ"],
    "llamacloud_key": [lambda m: "ll" + "x-" + m.word(48)],
    "e2b_key": [lambda m: "e2" + "b_" + m.hexadecimal(40)],
    "apify_token": [lambda m: "apify" + "_api_" + m.word(36)],
    "google_refresh_token": [lambda m: "1/" + "/0" + m.word(60)],
    "alibaba_key": [lambda m: "LT" + "AI" + m.word(20), lambda m: "LT" + "AI" + m.word(12)],
    "yandex_token": [lambda m: "t" + "1." + m.word(20) + "." + m.word(86) + "="],
    "yandex_key": [lambda m: "AQ" + "VN" + m.word(36), lambda m: "y" + "0_" + m.word(55)],
    "heroku_key": [lambda m: "HR" + "KU-AA" + m.word(58)],
    "cloudflare_key": [
        lambda m: "v1" + ".0-" + m.hexadecimal(24) + "-" + m.hexadecimal(146),
        lambda m: "cf" + "ut_" + m.word(40) + m.hexadecimal(8),
    ],
    "deno_token": [lambda m: "dd" + "p_" + m.word(36)],
    "scalingo_token": [lambda m: "tk" + "-us-" + m.word(48)],
    "openshift_token": [lambda m: "sha" + "256~" + m.word(43)],
    "aiven_password": [lambda m: "AV" + "NS_" + m.word(19)],
    "mongodb_secret": [lambda m: "mdb" + "_sa_sk_" + m.word(40)],
    "clickhouse_key": [lambda m: "4b" + "1d" + m.word(36) + "aZ"],
    "defined_networking_token": [lambda m: "dn" + "key-" + m.of(_UPPER, 26) + "-" + m.of(_UPPER, 52)],
    "tailscale_key": [
        lambda m: "ts" + "key-auth-" + m.word(17) + "-" + m.word(33),
        lambda m: "ts" + "key-api-" + m.word(17) + "-" + m.word(33),
    ],
    "akamai_token": [lambda m: "ak" + "ab-" + m.hexadecimal(16) + "-" + m.hexadecimal(16)],
    "nuget_key": [lambda m: "oy" + "2" + m.hexadecimal(42) + "7"],
    "crates_token": [lambda m: "ci" + "o" + m.word(30) + "aZ"],
    "clojars_token": [lambda m: "CLO" + "JARS_" + m.word(60)],
    "artifactory_key": [
        lambda m: "AK" + "Cp" + m.word(69),
        lambda m: base64.b64encode(("ref" + "tkn:01:" + m.word(38)).encode()).decode().rstrip("="),
    ],
    "trello_token": [lambda m: "AT" + "TA" + m.hexadecimal(64)],
    "terraform_token": [lambda m: m.word(14) + ".atlas" + "v1." + m.word(67)],
    "pulumi_token": [lambda m: "pu" + "l-" + m.hexadecimal(40)],
    "prefect_token": [lambda m: "pn" + "u_" + m.word(36), lambda m: "pn" + "b_" + m.word(36)],
    "buildkite_token": [lambda m: "bk" + "ua_" + m.hexadecimal(40)],
    "circleci_token": [lambda m: "CCI" + "PAT_" + m.word(22) + "_" + m.hexadecimal(40)],
    "harness_token": [lambda m: "pa" + "t." + m.word(22) + "." + m.word(24) + "." + m.word(20)],
    "octopus_key": [lambda m: "AP" + "I-" + m.of(_UPPER, 24) + "Z9"],
    "sonar_token": [lambda m: "sq" + "u_" + m.hexadecimal(40), lambda m: "sq" + "p_" + m.hexadecimal(40)],
    "sourcegraph_token": [
        lambda m: "sg" + "p_" + m.hexadecimal(16) + "_" + m.hexadecimal(40),
        lambda m: "sg" + "p_local_" + m.hexadecimal(40),
        lambda m: "sg" + "p_" + m.hexadecimal(40),
    ],
    "infracost_key": [lambda m: "ic" + "o-" + m.word(30) + "aZ"],
    "dynatrace_token": [lambda m: "dt" + "0c01." + m.of(_UPPER, 24) + "." + m.of(_UPPER, 64)],
    "posthog_key": [lambda m: "ph" + "x_" + m.word(43)],
    "launchdarkly_key": [lambda m: "sd" + "k-" + m.uuid()],
    "rootly_key": [lambda m: "root" + "ly_" + m.hexadecimal(64)],
    "teams_webhook": [
        lambda m: f"webhook.office.com/webhookb2/{m.uuid()}@{m.uuid()}/IncomingWebhook/{m.hexadecimal(32)}/{m.uuid()}"
    ],
    "discord_webhook": [lambda m: "discord" + ".com/api/webhooks/" + m.digits(18) + "/" + m.word(68)],
    "zapier_webhook": [lambda m: "hooks.zapier" + ".com/hooks/catch/" + m.digits(7) + "/" + m.hexadecimal(7)],
    "discord_token": [
        lambda m: base64.b64encode(m.digits(18).encode()).decode() + "." + m.word(6) + "." + m.word(36) + "aZ"
    ],
    "square_token": [lambda m: "EA" + "AA" + m.word(60)],
    "square_secret": [lambda m: "sq" + "0atp-" + m.word(22), lambda m: "sq" + "0csp-" + m.word(43)],
    "facebook_token": [lambda m: "EA" + "AM" + m.word(150)],
    "twitter_token": [lambda m: "A" * 22 + m.word(20) + "%2B" + m.word(40) + "%3D" + m.word(20) + "aZ"],
    "linkedin_secret": [lambda m: "WPL" + "_AP1." + m.word(16) + "." + m.word(6) + "=="],
    "plaid_token": [lambda m: "access" + "-sandbox-" + m.uuid()],
    "easypost_key": [lambda m: "EZ" + "AK" + m.word(54), lambda m: "EZ" + "TK" + m.word(54)],
    "shippo_token": [lambda m: "ship" + "po_live_" + m.hexadecimal(40)],
    "lob_key": [lambda m: "li" + "ve_" + m.hexadecimal(35), lambda m: "te" + "st_pub_" + m.hexadecimal(31)],
    "duffel_token": [lambda m: "duff" + "el_test_" + m.word(43)],
    "flutterwave_key": [lambda m: "FLW" + "SECK_TEST-" + m.hexadecimal(32) + "-X"],
    "brevo_key": [lambda m: "xkey" + "sib-" + m.hexadecimal(64) + "-" + m.word(16)],
    "resend_key": [lambda m: "r" + "e_" + m.word(8) + "_" + m.word(22) + "aZ"],
    "mailchimp_key": [lambda m: m.hexadecimal(32) + "-u" + "s12"],
    "intercom_token": [lambda m: base64.b64encode(("to" + "k:" + m.word(45)).encode()).decode()],
    "hubspot_token": [lambda m: "pa" + "t-na1-" + m.uuid()],
    "airtable_token": [lambda m: "pa" + "t" + m.word(14) + "." + m.hexadecimal(64)],
    "clickup_token": [lambda m: "p" + "k_" + m.digits(8) + "_" + m.of(_UPPER, 32)],
    "contentful_token": [lambda m: "CF" + "PAT-" + m.word(43)],
    "dropbox_token": [lambda m: "s" + "l.u." + m.word(140)],
    "typeform_token": [lambda m: "tf" + "p_" + m.word(59)],
    "readme_key": [lambda m: "rd" + "me_" + m.of(_HEX + "xyz", 70)],
    "frameio_token": [lambda m: "fi" + "o-u-" + m.word(64)],
    "adobe_secret": [lambda m: "p8" + "e-" + m.hexadecimal(31) + "7"],
    "authress_key": [lambda m: "s" + "c_" + m.word(10) + "." + m.word(5) + ".acc-" + m.word(12) + "." + m.word(40)],
    "intra42_secret": [lambda m: "s4t2" + "ud-" + m.hexadecimal(64)],
    "settlemint_token": [lambda m: "sm" + "_pat_" + m.word(16)],
    "password_hash": [
        lambda m: "$2" + "b$12$" + m.word(53),
        lambda m: "$argon" + "2id$v=19$m=65536,t=3,p=4$" + m.word(22) + "$" + m.word(43),
        lambda m: "$6" + "$rounds=5000$" + m.word(16) + "$" + m.word(86),
        lambda m: "$y" + "$j9T$" + m.word(22) + "$" + m.word(43),
        lambda m: "pbkdf2" + "_sha256$600000$" + m.word(22) + "$" + m.word(43) + "=",
    ],
    "jwt": [lambda m: m.jwt(), lambda m: m.jwt()],
    "private_key": [
        lambda m: m.private_key("RSA "),
        lambda m: m.private_key(""),
        lambda m: m.private_key("EC "),
        lambda m: m.private_key("OPENSSH "),
    ],
    "card_number": [
        lambda m: m.card("4", 16),
        lambda m: m.card("55", 16),
        lambda m: m.card("37", 15),
        lambda m: m.card("6011", 16),
        lambda m: " ".join(fours(m.card("4", 16))),
        lambda m: "-".join(fours(m.card("51", 16))),
        lambda m: m.card("6759", 16),
        lambda m: m.card("122", 15),
    ],
}
"""Rule -> makers of secrets that it recognises by their shape."""


def fours(number: str) -> list[str]:
    """Return the number in groups of four digits."""
    return [number[start : start + 4] for start in range(0, len(number), 4)]


_PLACES: tuple[Callable[[str], str], ...] = (
    lambda secret: secret,
    lambda secret: f"Please use {secret} for the call.",
    lambda secret: f"first line\n{secret}\nlast line",
    lambda secret: f"curl 'https://api.example.com/v1?x=1' -H 'x: {secret}'",
    lambda secret: f"({secret}), said the log",
)


def positives(seed: int = SEED) -> list[Sample]:
    """Return at least two hundred secrets in running text."""
    maker = Maker(seed)
    samples = [
        Sample(rule, secret, _placed(rule, place, secret))
        for rule, makers in TOKENS.items()
        for make in makers
        for place in _PLACES[: 3 if len(makers) > 1 else 5]
        for secret in (make(maker),)
    ]
    return samples + _credentials(maker) + _assignments(maker)


def _placed(rule: str, place: Callable[[str], str], secret: str) -> str:
    return place(f"{Maker().digits(9)}:{secret}" if rule == "telegram_token" else secret)


def _credentials(maker: Maker) -> list[Sample]:
    bearer, password = maker.word(32), maker.word(14)
    opaque = maker.of(string.ascii_lowercase, 24)  # without a digit
    basic = base64.b64encode(f"{maker.word(6)}:{maker.word(12)}".encode()).decode()
    short = base64.b64encode(f"me:{maker.word(7)}".encode()).decode()
    aws = maker.of(_WORDS, 37) + "a1Z"
    access = TOKENS["aws_access_key"][0](maker)
    return [
        Sample("bearer", bearer, f"Authorization: Bearer {bearer}"),
        Sample("bearer", bearer, f"sent with bearer {bearer}, refused"),
        Sample("basic", basic, f"Authorization: Basic {basic}"),
        Sample("basic", basic, f"-H 'authorization: basic {basic}'"),
        Sample("basic", short, f"Authorization: Basic {short}"),
        *(
            Sample("authorization", opaque, text)
            for text in (
                f"Authorization: Bearer {opaque}",
                f"proxy-authorization: token {opaque}",
                f"{{'Authorization': 'Bearer {opaque}'}}",
            )
        ),
        Sample("password", password, f"curl -u me:{password} https://db.example.com"),
        Sample("password", password, f"http --user 'me:{password}' example.com"),
        Sample("aws_secret_key", aws, f"AWS keys: {access} and {aws}"),
        *(
            Sample("connection_string", password, f"{scheme}://user:{password}@db.example.com:5432/app")
            for scheme in ("postgresql", "mysql+pymysql", "mongodb+srv", "redis", "amqp", "https", "ftp", "mssql")
        ),
        Sample("url_token", bearer, f"git clone https://{bearer}@git.example.com/app.git"),
        Sample("connection_string", password + "@x", f"url=postgres://me:{password}@x@host/db"),
    ]


def _assignments(maker: Maker) -> list[Sample]:
    value = maker.word(16)
    phrase = " ".join(maker.of(string.ascii_lowercase, 7) for _ in range(4))
    return [
        Sample("password", phrase, f'{{"password": "{phrase}", "user": "me"}}'),
        Sample("password", f"it's {phrase}", f'{{\\"password\\": \\"it\'s {phrase}\\"}}'),
        Sample("password", f'{phrase}\\"x', f'{{"password": "{phrase}\\"x"}}'),
        Sample("password", value, f'"{{\\\\\\"password\\\\\\": \\\\\\"{value}\\\\\\"}}"'),
        Sample("password", value, f"<db><user>me</user><password>{value}</password></db>"),
        Sample("password", value, f"mysqldump --user me --password {value} app"),
        Sample("password", value, f"'password' => '{value}',"),
        Sample("api_key", value, f"tool --api-key '{value}' run"),
        Sample("cookie", value, f"Cookie: theme=dark; id={value}\nAccept: text/html"),
        Sample("cookie", value, f"Set-Cookie: id={value}; Path=/; HttpOnly"),
        Sample("password", value, f"password={value}"),
        Sample("password", value, f"DB_PASSWORD={value}\nDB_USER=me"),
        Sample("password", value, f'{{"password": "{value}", "user": "me"}}'),
        Sample("password", value, f'{{\\"password\\": \\"{value}\\"}}'),
        Sample("password", value, f"{{'passwd': '{value}'}}"),
        Sample("password", value, f"db:\n  password: {value}\n  user: me"),
        Sample("password", value, f"Server=tcp:db;Uid=sa;Pwd={value};Encrypt=yes"),
        Sample("api_key", value, f"https://api.example.com/v1?api_key={value}&q=1"),
        Sample("api_key", value, f"X-Api-Key: {value}"),
        Sample("api_key", value, f'client = Client(api_key="{value}")'),
        Sample("api_key", value, f"AccountName=me;AccountKey={value}==;EndpointSuffix=x"),
        Sample("api_key", value, f"OPENAI_API_KEY={value}"),
        Sample("token", value, f"https://host/cb?access_token={value}"),
        Sample("token", value, f'"refresh_token":"{value}"'),
        Sample("token", value, f"VAULT_TOKEN={value}"),
        Sample("secret", value, f"client_secret={value}&grant=x"),
        Sample("secret", value, f'clientSecret: "{value}"'),
        Sample("private_key", value, f"signing_key = '{value}'"),
        Sample("cookie", value, f"Cookie: session={value}; theme=dark"),
        Sample("signature", value, f"https://blob.example.com/x?sv=1&sig={value}"),
    ]
