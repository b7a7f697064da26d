"""Fixtures that end instrumentation after each test, since it covers the whole process."""

from collections.abc import Iterator

import pytest

import otel_callbacks


@pytest.fixture(autouse=True)
def _uninstrumented() -> Iterator[None]:
    yield
    otel_callbacks.uninstrument()


@pytest.fixture
def options(telemetry):
    """Return the options of `instrument` that send everything to `telemetry`."""
    return {
        "tracer_provider": telemetry.tracer_provider,
        "meter_provider": telemetry.meter_provider,
        "logger_provider": telemetry.logger_provider,
    }
