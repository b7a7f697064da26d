"""Fixtures that let set-up tests start from nothing and leave nothing behind."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from otel_callbacks import Telemetry, providers
from otel_callbacks._setup import exporters
from tests.support import global_providers, otlp_server


@pytest.fixture
def closed_port() -> str:
    """Return an address where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, closed_port: str) -> Iterator[None]:
    """Set no providers, and a default address where nothing listens."""
    monkeypatch.setattr(exporters, "DEFAULT_ADDRESSES", dict.fromkeys(exporters.PROTOCOLS, closed_port))
    with global_providers.none_set():
        yield


@pytest.fixture
def setup() -> Iterator[Any]:
    """Yield `otel_callbacks.setup`; shut down what it sets up in the end."""
    results: list[Telemetry] = []

    def set_up(*args: Any, **options: Any) -> Telemetry:
        results.append(providers.setup(*args, **options))
        return results[-1]

    yield set_up
    for telemetry in results:
        telemetry.shutdown()


@pytest.fixture
def receiver() -> Iterator[otlp_server.Received]:
    """Yield a receiver of OTLP over HTTP."""
    with otlp_server.http_server() as server:
        yield server
