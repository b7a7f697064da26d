"""What the tests of the life of runs share."""

from collections.abc import Iterator

import pytest

from tests.life.model_server import ModelServer, serve


@pytest.fixture
def server() -> Iterator[ModelServer]:
    """Run a model server."""
    with serve() as running:
        yield running
