"""What every test may use: real providers in memory, and the option that renews golden files."""

from collections.abc import Iterator

import pytest

from tests.support.telemetry import Telemetry


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let golden files be renewed."""
    parser.addoption("--update-goldens", action="store_true", help="write golden files instead of comparing with them")


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """Record what the test's runs emit, with real ids and times."""
    recorder = Telemetry()
    yield recorder
    recorder.shutdown()
