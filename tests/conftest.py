"""Fixtures that every test may use: real providers in memory, handlers on them, and the tree of what was exported."""

from collections.abc import Iterator

import pytest

from tests.support.telemetry import Telemetry


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-goldens", action="store_true", help="write golden files anew instead of comparing")


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    made = Telemetry()
    yield made
    made.shutdown()
