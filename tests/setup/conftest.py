"""Set-up tests start from nothing and leave nothing behind."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from otel_callbacks import Telemetry, providers
from otel_callbacks._setup import exporters
from tests.support import global_providers, otlp_server


@pytest.fixture
def closed_port() -> str:
    """An address where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, closed_port: str) -> Iterator[None]:
    """No providers, no variables, and a default address that is nobody's."""
    monkeypatch.setattr(exporters, "DEFAULT_ADDRESSES", dict.fromkeys(exporters.PROTOCOLS, closed_port))
    with global_providers.none_set():
        yield


@pytest.fixture
def setup() -> Iterator[Any]:
    """`otel_callbacks.setup`, shut down in the end."""
    made: list[Telemetry] = []

    def set_up(*args: Any, **options: Any) -> Telemetry:
        made.append(providers.setup(*args, **options))
        return made[-1]

    yield set_up
    for telemetry in made:
        telemetry.shutdown()


@pytest.fixture
def receiver() -> Iterator[otlp_server.Received]:
    """A receiver of OTLP over HTTP."""
    with otlp_server.http_server() as server:
        yield server
