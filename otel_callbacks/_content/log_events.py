"""Events of the conventions that are no span's: they leave as log records, correlated with their span."""

from collections.abc import Mapping
from time import time_ns
from typing import Any

from opentelemetry import _logs
from opentelemetry._logs import LoggerProvider, LogRecord, SeverityNumber
from opentelemetry.context import Context

from otel_callbacks._version import __version__

SCOPE = "otel_callbacks"


def emit(provider: LoggerProvider | None, name: str, attributes: Mapping[str, Any], context: Context | None) -> None:
    """Emit one event.

    Args:
        provider: where it goes; the global provider for ``None``.
        name: the event's name.
        attributes: values may be structures.
        context: holds the span that the event belongs to.
    """
    logger = _logs.get_logger(SCOPE, __version__, logger_provider=provider)
    now = time_ns()
    record = LogRecord(
        timestamp=now,
        observed_timestamp=now,
        context=context,
        severity_number=SeverityNumber.INFO,
        attributes=attributes,
        event_name=name,
    )
    resource = getattr(logger, "resource", None)
    if resource is not None:  # SDKs before 1.39 take the record as it is, with what is theirs on it
        vars(record).update(resource=resource, dropped_attributes=0)
    logger.emit(record)
