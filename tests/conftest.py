"""Fixtures that every test may use: real providers in memory, handlers on them, and the tree of what was exported."""

from collections.abc import Iterator

import pytest

from tests.support.telemetry import Telemetry


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    made = Telemetry()
    yield made
    made.shutdown()
