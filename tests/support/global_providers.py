"""Lets a test look like an application that has not set up OpenTelemetry, in a process that runs many tests."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import _logs, metrics, trace
from opentelemetry.util._once import Once

_PLACES = [
    (trace, "_TRACER_PROVIDER"),
    (metrics._internal, "_METER_PROVIDER"),
    (_logs._internal, "_LOGGER_PROVIDER"),
]


@contextmanager
def none_set() -> Iterator[None]:
    """Forget the global providers and all ``OTEL_*`` variables inside the block."""
    before = [(module, name, getattr(module, name), getattr(module, f"{name}_SET_ONCE")) for module, name in _PLACES]
    variables = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("OTEL_")}
    for module, name in _PLACES:
        setattr(module, name, None)
        setattr(module, f"{name}_SET_ONCE", Once())
    try:
        yield
    finally:
        for module, name, provider, once in before:
            setattr(module, name, provider)
            setattr(module, f"{name}_SET_ONCE", once)
        os.environ.update(variables)
