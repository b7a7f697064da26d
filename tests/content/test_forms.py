"""A value beside the name of a secret is found in the forms that people write, and words beside one are left alone."""

import pytest

from otel_callbacks._content.redaction import DEFAULT_RULES, Redactor
from otel_callbacks._content.redaction.escapes import readable
from otel_callbacks._content.redaction.grammar import _STEMS
from tests.content import secrets

VALUE = secrets.Maker(11).word(20)
TOKEN = secrets.TOKENS["openai_key"][1](secrets.Maker(11))

ASSIGNED = (
    'apiKey := "{}"', "API_KEY ?= {}", "$apiKey .= '{}'", 'api_key: str = "{}"', 'api_key: str | None = "{}"',
    "const apiKey: string = '{}';", 'var apiKey string = "{}"', 'let api_key: &str = "{}";',
    'api_key: Optional[str] = "{}"',
    "let api_key: &'static str = \"{}\"", 'api_key = """{}"""', 'api_key = \\\n    "{}"',
    'password = r"{}"', "API_KEY={}",
    '"api_key": "{}"', '{{\\"api_key\\": \\"{}\\"}}', "'api_key' => '{}'", "Token token={}", "AccountKey={}==;x=1",
    "api_key = `{}`",
)  # fmt: skip
CALLED = (
    'os.environ["X_API_KEY"] = "{}"', 'os.environ.setdefault("API_KEY", "{}")', 'headers.set("X-API-Key", "{}")',
    '("api_key", "{}")', "[['x-api-key', '{}']]", 'System.setProperty("APP_TOKEN", "{}")',
)  # fmt: skip
ARGUMENTS = (
    'curl -H "X-API-Key: {}" https://x', "curl -u user:{} https://x", "curl -b 'session={}' https://x",
    "mysql -u root -p{} db", "sshpass -p {} ssh x", "ENV API_KEY {}", "--password={}", "--api-key {}",
)  # fmt: skip
PAIRS = (
    "- name: API_KEY\n  value: {}", '- name: API_KEY\n  value: "{}"', '{{"name": "password", "value": "{}"}}',
    '<add key="password" value="{}" />', '<entry key="password">{}</entry>', "<api_key>{}</api_key>",
    "password:\n  {}", "password: |\n  {}",
)  # fmt: skip
ADDRESSES = ("https://x.com/?key={}", "https://x.com/a?code={}&b=1", "https://{}@github.com/x.git")
PROSE = (
    "**Password:** {}", "**Password**: {}", "API key: `{}`", "| Password | {} |", "my password is {}",
    'the password is "{}"', "set the password to {}", "password: {} thanks", "Invalid API key: {}",
    "Incorrect API key provided: {}", "CREATE USER a IDENTIFIED BY '{}'", "ALTER USER a WITH PASSWORD '{}'",
)  # fmt: skip
ABROAD = (
    "Passwort: {}", "mein Passwort ist {}", "contraseña: {}", "mot de passe : {}", "senha={}", "пароль: {}",
    "ПАРОЛЬ={}",
    "\u5bc6\u7801: {}", "\u5bc6\u7801\uff1a{}", "パスワードは{}です", "비밀번호: {}",
)  # fmt: skip
ESCAPED = ("api_key=&quot;{}&quot;", "api_key%3D{}", "a?api_key\\u003d{}", "password=\x1b[31m{}\x1b[0m")


@pytest.mark.parametrize("form", [*ASSIGNED, *CALLED, *ARGUMENTS, *PAIRS, *ADDRESSES, *PROSE, *ABROAD, *ESCAPED])
def test_value_beside_a_name_is_hidden(form):
    """A value without any shape of its own is hidden in every form of a name with a value, also in running text."""
    for text in (form.format(VALUE), f"First line.\n{form.format(VALUE)}\nLast line, the end."):
        clean = Redactor().redact_text(text)

        assert VALUE not in clean
        assert "[REDACTED:" in clean


@pytest.mark.parametrize(
    "text",
    [
        "my password is wrong", "the password is required", "password: must have 8 characters",
        "the token is 20 minutes old",
        "Invalid API key: see https://example.com/keys/2026", "| Password | Required since v2.1 |", "| Token | 4096 |",
        '("password", "username")', '["token", "kind42"]', 'if token == "COMMENT_2":',
        "def password(self):\n    '''Ask 2'''",
        'auth = "Basic " + encoded', "auth = 'Digest %s' % auth", "credentials = '{0}:{1}'.format(a, b)",
        'password = "${db.default.password}"', "api_key: str = field(default=None)", "token: Optional[str] = None",
        "password=xxxxxxxxxxxx1", "token = <insert-token-2>", "export TOKEN=abc1...",
        "auth_header = 'Proxy-Authorization'",
        "https://x.com/?key=name&code=404", "mysql -p db", "docker run -p 8080:80 app", "ENV API_KEY_FILE /run/x1",
        "\u5bc6\u7801: \u5fc5\u586b", "Passwort: mindestens 8 Zeichen", "пароль: обязателен", "monkey: b4n4n4s",
        "author: r2d2c3",
    ],
)  # fmt: skip
def test_words_beside_a_name_stay(text):
    """Words, figures, placeholders and programs beside the name of a secret are left alone."""
    assert Redactor().redact_text(text) == text


@pytest.mark.parametrize(
    "before",
    [
        "\x1b[32m", "\x1b[01;31m\x1b[K", "\\u001b[32m", "a\\u003d", "%3D", "%22", "t=%20", "\\x00", "&quot;", "&#61;",
        "\u200b", "\\n",
    ],
)  # fmt: skip
def test_token_is_found_behind_an_escape(before):
    """A token is found right behind a colour, an escaped mark, an HTML entity or a character of no width."""
    clean = Redactor().redact_text(f"see {before}{TOKEN}")

    assert clean == f"see {before.replace(chr(0x200B), '')}[REDACTED:openai_key]"


def test_characters_of_no_width_hide_nothing():
    """A token with a character of no width inside is found; without a secret such characters stay."""
    split = f"{TOKEN[:10]}\u200b{TOKEN[10:]}"

    assert Redactor().redact_text(f"a\u200bb {split}") == "ab [REDACTED:openai_key]"
    assert (
        Redactor().redact_text("family \U0001f468\u200d\U0001f469 of two") == "family \U0001f468\u200d\U0001f469 of two"
    )


def test_readable_text_has_the_same_places():
    """Escapes give way to what they mean, and the text keeps its length."""
    text = "a%3D1 \\u0022b\\u0022 &lt;c&gt; %zz \\u1234 100%"

    assert len(readable(text)) == len(text)
    assert readable(text).replace("\0", "") == 'a=1 "b" <c> %zz \\u1234 100%'


def test_every_latin_name_holds_a_stem():
    """The search for a few stems misses no name."""
    of_structures = {"card number", "gitlab session"}  # found as keys, not in texts
    names = [name for rule in DEFAULT_RULES for name in rule.keys if name.isascii() and name not in of_structures]

    assert [name for name in names if not any(stem.decode() in name for stem in _STEMS)] == []


def test_rest_of_a_text_is_searched_behind_a_placeholder():
    """A placeholder consumes nothing: the next name in the same words still counts."""
    assert Redactor().redact_text(f"auth=your/token={VALUE}") == "auth=your/token=[REDACTED:token]"
