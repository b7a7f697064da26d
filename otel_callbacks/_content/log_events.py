"""Events of the conventions that are not events of a span: they leave as log records, correlated with their span."""

from collections.abc import Mapping
from time import time_ns
from typing import Any

from opentelemetry import _logs
from opentelemetry._logs import LoggerProvider, LogRecord, SeverityNumber
from opentelemetry.context import Context

from otel_callbacks._version import SCOPE, __version__


def emit(provider: LoggerProvider | None, name: str, attributes: Mapping[str, Any], context: Context | None) -> None:
    """Emit one event.

    Args:
        provider: Where it goes; the global provider for ``None``.
        name: The event's name.
        attributes: Its attributes; values may be structures.
        context: Holds the span that the event belongs to.
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
    if resource is not None:  # SDKs before 1.39 expect these of the record
        vars(record).update(resource=resource, dropped_attributes=0)
    logger.emit(record)
