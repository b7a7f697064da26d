"""Redactors that an application brings: they may fail or be slow, and must neither leak nor harm then."""

import re
from collections.abc import Callable
from time import perf_counter

from otel_callbacks._content.redaction.rules import mark

FAILED = "failed"
CUSTOM = "custom"
DROPPED = mark(FAILED)
"""What stands in place of a value whose redaction failed."""


class Guarded:
    """A redactor that fails closed: it drops a value rather than let it pass as it was.

    Args:
        redact: a callable, text in, text out; or a regular expression whose matches are to be replaced.
        time_budget_s: seconds one call may take; after one that took longer, all later values are dropped.
        report: gets the rule and how often it struck: "custom" for a changed value, "failed" for a dropped one.

    Raises:
        re.error: the regular expression is none.
        TypeError: `redact` is none of those.
    """

    __slots__ = ("_is_off", "_redact", "_report", "_time_budget_s")

    def __init__(
        self,
        redact: str | re.Pattern[str] | Callable[[str], str],
        time_budget_s: float,
        report: Callable[[str, int], None],
    ) -> None:
        self._redact = redact if callable(redact) else _replacer(redact)
        self._time_budget_s = time_budget_s
        self._report = report
        self._is_off = False

    def __call__(self, text: str) -> str:
        """`text` as the redactor gives it back, or `DROPPED`."""
        clean = None if self._is_off else self._called(text)
        if not isinstance(clean, str):
            self._report(FAILED, 1)
            return DROPPED
        if clean != text:
            self._report(CUSTOM, 1)
        return clean

    def _called(self, text: str) -> object:
        started = perf_counter()
        try:
            return self._redact(text)
        except Exception:  # noqa: BLE001 - whatever it is, the value must not pass
            return None
        finally:
            if perf_counter() - started > self._time_budget_s:
                self._is_off = True


def _replacer(pattern: str | re.Pattern[str]) -> Callable[[str], str]:
    compiled = re.compile(pattern)
    return lambda text: compiled.sub(mark(CUSTOM), text)
