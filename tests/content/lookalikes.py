"""Look-alikes of secrets: texts and keys that redaction must leave alone, and keys that it must not."""

from otel_callbacks._content.redaction.numbers import is_card_number
from tests.content.secrets import SEED, Maker, fours


def _split(words: str) -> list[str]:
    return words.split()


KEYS = _split(
    "api_key apikey apiKey APIKey api-key API_KEY x-api-key X-Api-Key OPENAI_API_KEY openai_api_key anthropicApiKey"
    " openaiapikey authorization Authorization proxy-authorization password Password user_password userPassword passwd"
    " db_passwd pwd passphrase db_pass secret client_secret clientSecret app-secret aws_secret_access_key secretKey"
    " token x-token access_token accessToken refresh_token id_token auth_token bearer_token session_token csrf_token"
    " github_token hf_token HF_TOKEN cookie Cookie set-cookie Set-Cookie private_key privateKey PRIVATE_KEY ssh_key"
    " signing_key encryption_key connection_string connectionString conn_str dsn sentry_dsn jwt credentials"
    " aws_access_key_id account_key AccountKey password_hash token_value secret_value apikey1 cvv card_number auth"
    " basic_auth subscription-key Ocp-Apim-Subscription-Key"
)
"""Keys whose values are secrets."""

HARMLESS_KEYS = _split(
    "max_tokens maxTokens max_completion_tokens token_usage input_tokens output_tokens total_tokens tokenizer tokens"
    " token_count tokenCount token_type num_tokens prompt_tokens next_token next_page_token nextPageToken page_token"
    " stop_token eos_token pad_token bos_token first_token last_token new_token on_llm_new_token time_to_first_token"
    " cost_per_token completion_token author authors authority authored_by auth_type auth_method authenticated key keys"
    " primary_key foreign_key keyboard keyword keywords sort_key cache_key partition_key public_key hotkey monkey"
    " turkey secretary secretariat passenger passed pass_rate pass bypass compass password_policy password_length"
    " password_hint password_required session_id thread_id user_id conversation_id cookie_policy cookies_enabled"
    " connection connections connector signature sign design content type role parts name description arguments query"
    " city result summary title url path id model temperature text input output messages"
)
"""Keys whose values may be shown."""


def negatives(seed: int = SEED) -> list[str]:
    """Return at least two hundred texts that resemble secrets but hold none."""
    maker = Maker(seed)
    return [*_PROSE, *_CODE, *_identifiers(maker), *_numbers(maker)]


def _identifiers(maker: Maker) -> list[str]:
    """Return the identifiers that fill logs and tool calls."""
    uuid = "-".join(maker.hexadecimal(length) for length in (8, 4, 4, 4, 12))
    return [
        *(f"request {'-'.join(maker.hexadecimal(n) for n in (8, 4, 4, 4, 12))} done" for _ in range(10)),
        *(f"call_{maker.word(24)}" for _ in range(5)),
        *(f"toolu_{maker.word(24)}" for _ in range(5)),
        *(f"chatcmpl-{maker.word(29)}" for _ in range(5)),
        *(f"msg_{maker.word(24)} resp_{maker.hexadecimal(48)}" for _ in range(5)),
        *(f"commit {maker.hexadecimal(40)}" for _ in range(5)),
        *(f"sha256:{maker.hexadecimal(64)}" for _ in range(5)),
        *(f"https://example.com/{maker.word(12)}/{maker.word(20)}?page={maker.digits(3)}" for _ in range(10)),
        *(f"s3://bucket-{maker.hexadecimal(8)}/data/part-{maker.digits(5)}.parquet" for _ in range(5)),
        *(f"trace {maker.hexadecimal(32)} span {maker.hexadecimal(16)}" for _ in range(5)),
        *(f"file-{maker.word(22)} thread_{maker.word(22)} run-{uuid}" for _ in range(5)),
        *(f"lc_run--{uuid}-0" for _ in range(2)),
        f"arn:aws:iam::{maker.digits(12)}:role/{maker.word(20)}",
        f"projects/demo-{maker.digits(6)}/locations/europe-west1/endpoints/1{maker.digits(18)}",
        f'W/"{maker.hexadecimal(32)}"',
        f"etag: {maker.hexadecimal(32)}",
    ]


def _numbers(maker: Maker) -> list[str]:
    """Return long numbers that are not card numbers: wrong check digit, wrong issuer, other things."""
    wrong = [str(int(maker.card("4", 16)) + 1) for _ in range(10)]
    grouped = [" ".join(fours(str(int(maker.card("5105", 16)) + 2))) for _ in range(5)]
    other = [text for text in ("1" + maker.digits(15) for _ in range(10)) if not is_card_number(text)]
    return [
        *(f"order {number} shipped" for number in wrong + grouped + other),
        "1767225600000000000 ns", "1767225600000 ms", "2026-01-02T03:04:05.678901+00:00", "3.141592653589793238462643",
        "0.1234567890123456", "192.168.100.200:8080", "+49 30 1234567", "ISBN 978-3-16-148410-0", "1,234,567,890.45",
        "IBAN DE00 0000 0000 0000 0000 00", "(415) 555-0100 ext 4111", "version 4.11.11.1111.1111",
    ]  # fmt: skip


_PROSE = (
    "The token limit is 4096 tokens per request.", "token: the unit that models count", "tokens used: 1532",
    "password: must be at least 8 characters", "Password: required", "Your password has expired.",
    "Forgot password? Click here: https://example.com/reset", "secret: a thing nobody knows",
    "The secret of good soup: fresh herbs", "Authorization: the process of granting access",
    "authorization=required", "The bearer of this letter is my friend", "bearer authentication is supported",
    "Bearer tokens are opaque", "basic understanding of chemistry", "Basic authentication: see RFC 7617",
    "basic arithmetic", "Basic plan costs 10 EUR", "api key: see the settings page", "API_KEY is not set",
    "api_key: your key goes here", "The key: practice", "cookie: a small baked good", "Cookies: chocolate, oat",
    "He asked her to keep it secret", "a private key is kept by one party", "a PRIVATE KEY file has a header",
    "skills: task-oriented-dialogue-system", "risk-management-and-compliance-programme", "ask-me-anything-sessions",
    "desk-lamp-with-adjustable-brightness", "state-of-the-art-question-answering", "sk-learn is fine",
    "scikit-learn-compatible-estimator", "the AKIA prefix marks access keys", "AIza keys are Google's",
    "glpat- tokens are GitLab's", "ghp_ is the prefix", "xoxb- is a prefix", "hf_ models", "SG. is for SendGrid",
    "eyJ starts a JWT", "-----BEGIN CERTIFICATE-----", "ssh-rsa keys are public", "see user@example.com",
    "write to support@example.com: thanks", "meet me at 10:30@the cafe", "http://localhost:8080/path@v2",
    "https://example.com:443/a?b=c@d", "git@github.com:org/repo.git", "postgresql://localhost:5432/app",
    "redis://cache:6379/0", "mongodb://host1:27017,host2:27017/db", "https://user@example.com/repo.git",
    "ratio 3:1, see note", "time: 12:30:45", "Note: the cat sat. Reason: unknown.", "see https://example.com/a=b",
    "Question: what is a JWT?", "pass: 12, fail: 3", "connection: keep-alive", "Connection: upgrade",
    "session_id: 4f2a9c", "author: Ada Lovelace", "Keyboard: QWERTZ", "sign: plus", "design: modern",
    "internationalization and counterrevolutionaries", "supercalifragilisticexpialidocious",
    "Donaudampfschifffahrtsgesellschaft", "pneumonoultramicroscopicsilicovolcanoconiosis",
    "================================", "--------------------------------", "................................",
    "x" * 64, "0" * 64, "abc" * 30, "A" * 40, "lorem/ipsum/dolor/sit/amet/consectetur/adipiscing",
    "/usr/local/lib/python3.11/site-packages/langchain_core/messages/base.py",
    "C:\\Users\\me\\AppData\\Local\\Programs\\Python", "com.example.application.configuration.PropertySource",
    "text-embedding-3-large-2026-01-01-preview", "claude-sonnet-4-5-20260101-thinking-extended",
    "gpt-4o-mini-2026-07-18-preview-eu", "meta-llama/Llama-3.3-70B-Instruct-Turbo-Free",
    "anthropic.claude-3-5-sonnet-20241022-v2:0", "projects/x/secrets/y/versions/latest",
)  # fmt: skip

_CODE = (
    "max_tokens=4096", "max_tokens = 4096", '"max_tokens": 4096', "tokenizer=tiktoken.get_encoding('cl100k')",
    "def login(user, password):", "password = input('Password: ')", "password=password", "api_key=api_key",
    "Client(api_key=os.environ['API_KEY'])", "client = Client(token=settings.token)", "token = next(tokens)",
    "if token is None:", "for token in stream:", "secret = secrets.token_hex(16)", "api_key = os.getenv('KEY')",
    "API_KEY=${API_KEY}", "PASSWORD=<your-password>", "TOKEN=your-token-here", "password=None", "token=null",
    'password: "********"', "'api_key': None", '"token": null', "password=***", "key=value&page=2",
    "SELECT password FROM users", "WHERE token_type = 'access'", "print(f'token: {token}')",
    "<input type='password' name='password'>", "type: password", "def authorize(self) -> None:", "auth=auth",
    "self.secret = secret", "headers['Authorization'] = f'Bearer {token}'", "-H 'Authorization: Bearer $TOKEN'",
    "const apiKey = process.env.API_KEY;", "cookie = SimpleCookie()", "passwd: files systemd", "PATH=/usr/bin:/bin",
    '{"type": "string", "description": "the password of the user"}', "sort_key=created_at", "primary_key=True",
    "cache_key = hash(prompt)", "x-ratelimit-remaining-tokens: 149984", "usage: {input_tokens: 12, output_tokens: 7}",
    "token_usage={'prompt_tokens': 9}", "docker run -u 1000:1000 image", "chown -u www-data:www-data", "--token TOKEN",
    "--password <password>", "--api-key $API_KEY run", "--auth-type basic", "--max-tokens 4096", "<key>practice</key>",
    "<tokens>4096</tokens>", "<password></password>", "input('Password: ') or exit('no')",
    "print('token: ' + token + ' x')", "Set-Cookie: see RFC 6265", "Authorization: Bearer <token>",
    "authorization: token based", "keyword=example&keywords=a", "monkey=business",
)  # fmt: skip
