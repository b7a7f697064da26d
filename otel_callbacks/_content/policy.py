"""What of a run's content may leave, and in what form: redacted, bounded, as JSON text or as a structure."""

from dataclasses import dataclass, field

from otel_callbacks._content.json import NO_REDACTION, ContentRedactor, Json, dumps, plain

_SMALLEST = 2  # bytes of an empty JSON text
_SHORTEST_MESSAGE = 64


class Budget:
    """What the content of one span may still take, in bytes."""

    __slots__ = ("left",)

    def __init__(self, max_bytes: int) -> None:
        self.left = max_bytes


@dataclass(frozen=True)
class ContentPolicy:
    """Bounds and redaction of content.

    Attributes:
        max_value_bytes: bytes of one attribute's value, and no more than the SDK lets pass uncut.
        max_span_bytes: bytes of all content of one span.
        redactor: takes secrets out.
    """

    max_value_bytes: int = 16 * 1024
    max_span_bytes: int = 256 * 1024
    redactor: ContentRedactor = field(default=NO_REDACTION)

    def budget(self) -> Budget:
        """For one span, to be handed to each call that makes a value for it."""
        return Budget(self.max_span_bytes)

    @property
    def max_items(self) -> int:
        """Messages that are worth looking at: more have no room even if each is empty."""
        return max(self.max_value_bytes // _SHORTEST_MESSAGE, 2)

    def encode(self, value: object, budget: Budget) -> str | None:
        """JSON text of `value`, valid also when cut; ``None`` once the budget is used up."""
        room = min(self.max_value_bytes, budget.left)
        if room < _SMALLEST:
            return None
        text = dumps(value, room, self.redactor)
        budget.left -= _size(text)
        return text

    def structure(self, value: object) -> Json:
        """`value` in plain JSON types, bounded and redacted as `encode` does it: the form that log records carry."""
        return plain(value, self.max_value_bytes, self.redactor)

    def text(self, text: str, budget: Budget) -> str | None:
        """A text such as an exception's message, not as JSON; ``None`` once the budget is used up."""
        room = min(self.max_value_bytes, budget.left)
        shown = plain(text, room, self.redactor) if room >= _SMALLEST else None
        if not isinstance(shown, str):
            return None
        budget.left -= _size(shown)
        return shown


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
