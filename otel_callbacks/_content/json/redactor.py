"""What bounding needs from redaction."""

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from otel_callbacks._content.json.encoding import Json


class ContentRedactor(Protocol):
    """Removes secrets from content while it is bounded, and sees each emitted text exactly once."""

    def is_clean(self, keys: Collection[str], texts: Collection[str]) -> bool:
        """Tell whether `redact` would certainly change nothing in a structure with these keys and texts."""

    def redact(self, structure: Json) -> Json:
        """Return a structure without its secrets."""

    def redact_text(self, text: str) -> str:
        """Return a text without its secrets."""

    def redact_key(self, key: str) -> str:
        """Return a dictionary's key, which may itself hold a secret, without it."""

    def key_mark(self, key: str, value: object, beside: Mapping[Any, object]) -> str | None:
        """Return the mark for the value of a key that names a secret, else ``None``; `beside`: all entries."""


class _NoRedaction:
    """Removes nothing."""

    def is_clean(self, keys: Collection[str], texts: Collection[str]) -> bool:  # noqa: ARG002
        return True

    def redact(self, structure: Json) -> Json:
        return structure

    def redact_text(self, text: str) -> str:
        return text

    def redact_key(self, key: str) -> str:
        return key

    def key_mark(self, key: str, value: object, beside: Mapping[Any, object]) -> str | None:  # noqa: ARG002
        return None


NO_REDACTION: ContentRedactor = _NoRedaction()
