"""The form in which a run's content may leave: redacted, bounded, as JSON text or as a structure."""

from dataclasses import dataclass, field

from otel_callbacks._content.json import NO_REDACTION, ContentRedactor, Json, dumps, plain

_SMALLEST = 2  # bytes of an empty JSON text
_SHORTEST_MESSAGE = 64  # bytes


class Budget:
    """Bytes that the content of one span may still take."""

    __slots__ = ("left",)

    def __init__(self, max_bytes: int) -> None:
        self.left = max_bytes


@dataclass(frozen=True)
class ContentPolicy:
    """Bounds and redaction of content.

    Attributes:
        max_value_bytes: Bytes of one attribute's value. Lowered to the SDK's own limit, if that would cut values.
        max_span_bytes: Bytes of all content of one span.
        redactor: Removes secrets.
    """

    max_value_bytes: int = 16 * 1024
    max_span_bytes: int = 256 * 1024
    redactor: ContentRedactor = field(default=NO_REDACTION)

    def budget(self) -> Budget:
        """Return a new budget for one span, to pass to each call that makes a value for it."""
        return Budget(self.max_span_bytes)

    @property
    def max_items(self) -> int:
        """Messages worth reading: more would not fit even if each were empty."""
        return max(self.max_value_bytes // _SHORTEST_MESSAGE, 2)

    def encode(self, value: object, budget: Budget) -> str | None:
        """Return JSON text of `value`, valid even when cut; ``None`` once the budget is used up."""
        room = min(self.max_value_bytes, budget.left)
        if room < _SMALLEST:
            return None
        text = dumps(value, room, self.redactor)
        budget.left -= _size(text)
        return text

    def structure(self, value: object) -> Json:
        """Return `value` in plain JSON types, bounded and redacted as by `encode`: the form that log records carry."""
        return plain(value, self.max_value_bytes, self.redactor)

    def text(self, text: str, budget: Budget) -> str | None:
        """Return a text such as an exception's message, not as JSON; ``None`` once the budget is used up."""
        room = min(self.max_value_bytes, budget.left)
        short = plain(text, room, self.redactor) if room >= _SMALLEST else None
        if not isinstance(short, str):
            return None
        budget.left -= _size(short)
        return short


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
