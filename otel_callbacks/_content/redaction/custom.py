"""An application's own redactors: one that fails or is slow must neither leak nor harm."""

import re
from collections.abc import Callable
from time import perf_counter

from otel_callbacks._content.redaction.rule import OnRedaction, mark

FAILED = "failed"
CUSTOM = "custom"
DROPPED = mark(FAILED)
"""Stands in place of a value whose redaction failed."""


class CustomRedactor:
    """A redactor that fails closed: it drops a value rather than let it pass unchanged.

    Args:
        redact: A callable, text in, text out; or a regular expression whose matches are replaced.
        time_budget_s: Seconds that one call may take; after a longer one, all later values are dropped.
        on_redaction: Called for each changed value with "custom" and 1, for each dropped one with "failed" and 1.
    """

    __slots__ = ("_is_off", "_on_redaction", "_redact", "_time_budget_s")

    def __init__(
        self,
        redact: re.Pattern[str] | Callable[[str], str],
        time_budget_s: float,
        on_redaction: OnRedaction,
    ) -> None:
        self._redact = redact if callable(redact) else _replacer(redact)
        self._time_budget_s = time_budget_s
        self._on_redaction = on_redaction
        self._is_off = False

    def __call__(self, text: str) -> str:
        """Return the redactor's text, or `DROPPED`."""
        clean = None if self._is_off else self._call(text)
        if not isinstance(clean, str):
            self._on_redaction(FAILED, 1)
            return DROPPED
        if clean != text:
            self._on_redaction(CUSTOM, 1)
        return clean

    def _call(self, text: str) -> object:
        started = perf_counter()
        try:
            return self._redact(text)
        except Exception:  # noqa: BLE001 - whatever failed, the value must not pass
            return None
        finally:
            if perf_counter() - started > self._time_budget_s:
                self._is_off = True


def _replacer(pattern: re.Pattern[str]) -> Callable[[str], str]:
    return lambda text: pattern.sub(mark(CUSTOM), text)
