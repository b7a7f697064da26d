"""Fixtures that every test may use: real providers in memory, handlers on them, and the tree of what was exported."""

from collections.abc import Iterator

import pytest

from tests.support.telemetry import Telemetry


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let golden files be renewed."""
    parser.addoption("--update-goldens", action="store_true", help="write golden files anew instead of comparing")


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """A tracer and a meter provider in memory, shut down afterwards."""
    made = Telemetry()
    yield made
    made.shutdown()
