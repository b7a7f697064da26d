"""The built-in rules of redaction.

Each pattern takes time in proportion to the text: no repetition is nested in another that could match the same
characters, and no pattern is tried on a text that holds none of its literals.
"""

import base64
import binascii

from otel_callbacks._content.redaction.numbers import CARD
from otel_callbacks._content.redaction.personal import PERSONAL
from otel_callbacks._content.redaction.rule import Rule, has_digit, is_mixed, token
from otel_callbacks._content.redaction.tokens import TOKENS, TOKENS_WITH_JWT, W


def _keys(name: str, *endings: str) -> Rule:
    return Rule(name, keys=endings)


def _decoded(text: str) -> bytes:
    """Return the bytes that `text` is the base64 of; none if it is not base64."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _is_basic(text: str) -> bool:
    """Tell whether it is base64 of ``user:password``."""
    return b":" in _decoded(text)


def _is_encoded_jwt(text: str) -> bool:
    """Tell whether it is base64 of a JWT, as Kubernetes stores tokens. The end of the text may be missing."""
    return b"." in _decoded(text[: len(text) // 4 * 4])


_SHAPES = (
    Rule(
        "private_key",
        # A cut text may hold only the beginning of a key, or only its end.
        (
            r"-----BEGIN[A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:[A-Za-z0-9+/=\s\0\\:,.]|-(?!----))*"
            r"(?:-----END[A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?"
            r"|\A(?:-{0,5}[A-Z ]{0,60}-{1,5})?[A-Za-z0-9+/=\s\0\\]*-----END[A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        ),
        ("PRIVATE KEY",), in_run=True,
    ),
    *TOKENS_WITH_JWT,
    Rule(
        "jwt",
        (
            rf"(?:(?<!{W})|(?<=\\[nrt])|(?<=[0-9;\[]m)|(?<=\[[HJK]))"
            rf"eyJ{W}{{8,}}\.(?:eyJ{W}*|{W}{{20,}})(?:\.{W}*){{0,3}}"
        ),
        ("eyJ",), in_run=True, begins=True,
    ),
    token("jwt_base64", "ZXlK", r"[A-Za-z0-9+/]{20,}={0,2}", check=_is_encoded_jwt),
    Rule(
        "bearer",
        r"(?i)bearer {1,4}(?P<secret>[A-Za-z0-9_.~+/-]{16,}=*)",
        ("earer ", "EARER "), in_run=True, check=has_digit,
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
    Rule("url_token", r"://(?P<secret>[A-Za-z0-9_.~%-]{20,128})@", ("@",), check=is_mixed),
)  # fmt: skip

_KEYS = (
    _keys(
        "password", "password", "passwd", "passphrase", "passcode", "pwd", "pass phrase", "pass word", "db pass",
        "user pass", "smtp pass", "mysql pass", "pg pass", "postgres pass", "redis pass", "ftp pass", "admin pass",
        "root pass", "email pass", "mail pass", "ssh pass", "proxy pass", "identified by",
        "passwort", "kennwort", "mot de passe", "mdp", "contraseña", "contrasena", "senha", "parola",
        "hasło", "passord", "lösenord", "şifre", "пароль",
        "\u5bc6\u7801", "\u5bc6\u78bc", "\u53e3\u4ee4", "パスワード", "\u6697\u8bc1", "비밀번호",
    ),
    _keys("secret", "secret", "secrets", "client secret", "app secret", "credential", "credentials", "creds"),
    _keys(
        "token", "token", "access tokens", "refresh tokens", "api tokens", "auth tokens", "access token",
        "refresh token", "auth token", "id token", "\u4ee4\u724c", "bearer token", "session token", "jwt", "bearer",
    ),
    _keys(
        "api_key", "api key", "api keys", "access key", "access key id", "account key", "auth key", "client key",
        "deploy key", "license key", "service key", "shared key", "storage key", "subscription key",
        "api schlüssel", "clave api", "clé api", "api\u5bc6\u94a5", "\u5bc6\u94a5",
    ),
    _keys(
        "private_key", "private key", "secret key", "signing key", "encryption key", "master key", "ssh key",
        "session key", "hmac key", "aes key",
    ),
    _keys("authorization", "authorization", "auth", "basic auth", "http auth"),
    _keys("cookie", "cookie", "cookies", "gitlab session"),
)  # fmt: skip

DEFAULT_RULES: tuple[Rule, ...] = (*_SHAPES, *TOKENS, CARD, *_KEYS)
"""Provider keys and tokens, private keys, JWTs, credentials, connection strings, card numbers, names of secrets."""
PII_RULES: tuple[Rule, ...] = PERSONAL
"""Personal data, added on request: e-mail addresses, telephone numbers, IP addresses, IBANs, SSNs."""
RULES: dict[str, Rule] = {rule.name: rule for rule in (*DEFAULT_RULES, *PII_RULES)}
"""Every built-in rule by name."""
