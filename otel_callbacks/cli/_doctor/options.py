"""The options of a handler that the environment configures, and where each comes from."""

import logging
import os
from collections.abc import Iterator
from dataclasses import fields

from otel_callbacks.cli._doctor.findings import Finding
from otel_callbacks.config import CAPTURE_VARIABLE, PREFIX, STABILITY_VARIABLE, Config

_STANDARD = {"capture": CAPTURE_VARIABLE, "semconv": STABILITY_VARIABLE}


def findings() -> Iterator[Finding]:
    """Read the options from the environment, and turn the warnings about invalid values into findings."""
    listener = _Listener()
    logger = logging.getLogger("otel_callbacks")
    logger.addHandler(listener)
    # The warnings become findings; on the log as well, each would show twice.
    propagate, logger.propagate = logger.propagate, False
    try:
        config = Config.from_env()
    finally:
        logger.removeHandler(listener)
        logger.propagate = propagate
    for message in listener.messages:
        yield Finding("wrong", "Options", message, "correct the variable, or unset it")
    yield from _unknown()
    for option in fields(Config):
        value = getattr(config, option.name)
        source = _source(option.name)
        if source or option.name in {"capture", "redact", "detail", "semconv"}:
            yield Finding("ok", "Options", f"{option.name} = {value!r} ({source or 'default'})")


class _Listener(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def _source(name: str) -> str | None:
    for variable in (PREFIX + name.upper(), _STANDARD.get(name, "")):
        if variable in os.environ:
            return variable
    return None


def _unknown() -> Iterator[Finding]:
    """Find misspelt variables, which otherwise do nothing, silently."""
    variables = {PREFIX + option.name.upper() for option in fields(Config) if option.metadata.get("env", True)}
    for variable in sorted(os.environ):
        if variable.startswith(PREFIX) and variable not in variables:
            text = f"{variable} is not an option in this release"
            yield Finding("warning", "Options", text, f"use one of {', '.join(sorted(variables))}")
