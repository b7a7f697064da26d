"""What bounding asks of redaction."""

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from otel_callbacks._content.json.encoding import Json


class Scrub(Protocol):
    """What takes secrets out of content while it is bounded. It sees each shown text once."""

    def is_clean(self, keys: Collection[str], texts: Collection[str]) -> bool:
        """Whether `redact` surely changes nothing in a structure of these keys and texts."""

    def redact(self, structure: Json) -> Json:
        """A structure without its secrets."""

    def redact_text(self, text: str) -> str:
        """A text without its secrets."""

    def redact_key(self, key: str) -> str:
        """A dictionary's key, which may hold a secret itself."""

    def hidden(self, key: str, value: object, beside: Mapping[Any, object]) -> str | None:
        """What stands for the value of a key that names a secret, ``None`` for other keys; `beside`: all entries."""


class _Nothing:
    """Takes nothing out."""

    def is_clean(self, keys: Collection[str], texts: Collection[str]) -> bool:  # noqa: ARG002
        return True

    def redact(self, structure: Json) -> Json:
        return structure

    def redact_text(self, text: str) -> str:
        return text

    def redact_key(self, key: str) -> str:
        return key

    def hidden(self, key: str, value: object, beside: Mapping[Any, object]) -> str | None:  # noqa: ARG002
        return None


NOTHING: Scrub = _Nothing()
