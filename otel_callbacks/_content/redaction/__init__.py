"""Removes secrets from content: built-in rules, an application's own patterns and callables; fails closed."""

import re
from collections.abc import Callable, Sequence

from otel_callbacks._content.redaction.custom import DROPPED
from otel_callbacks._content.redaction.redactor import Redactor, ignore
from otel_callbacks._content.redaction.rule import OnRedaction, Rule
from otel_callbacks._content.redaction.rules import DEFAULT_RULES, PII_RULES, RULES

__all__ = ["DEFAULT_RULES", "DROPPED", "PII_RULES", "RULES", "Redaction", "Redactor", "Rule", "redactor_for"]

Redaction = str | re.Pattern[str] | Callable[[str], str]
"""The name of a rule for personal data, a regular expression, or a callable, text in and text out."""


def redactor_for(redact: Sequence[Redaction], on_redaction: OnRedaction = ignore) -> Redactor:
    """Return a redactor with the default rules and those an application adds.

    Args:
        redact: Names in `PII_RULES`, compiled regular expressions and callables.
        on_redaction: Called with a rule's name and the number of values it redacted.

    Raises:
        KeyError: A text names no rule; `Config` checks this before.
    """
    personal = {rule.name: rule for rule in PII_RULES}
    rules = [personal[entry] for entry in redact if isinstance(entry, str)]
    custom = [entry for entry in redact if not isinstance(entry, str)]
    return Redactor((*DEFAULT_RULES, *rules), custom, on_redaction=on_redaction)
