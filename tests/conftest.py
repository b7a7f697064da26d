"""What every test may use: real providers in memory, and the option that renews golden files."""

from collections.abc import Iterator

import pytest

from tests.support.recorded_spans import RecordedSpans


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let golden files be renewed."""
    parser.addoption("--update-goldens", action="store_true", help="write golden files instead of comparing with them")


@pytest.fixture
def telemetry() -> Iterator[RecordedSpans]:
    """Record what the test's runs emit, with real ids and times."""
    recorder = RecordedSpans()
    yield recorder
    recorder.shutdown()
