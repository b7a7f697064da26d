"""The former place of `CUT_OFF`, which the tests of the alert rules still import from here."""

from otel_callbacks._mapping.finish import CUT_OFF

__all__ = ["CUT_OFF"]
