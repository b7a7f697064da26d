"""The stack's programs from the shipped configuration, and the demo's real traffic through them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Scripts and the boards' sources are run by path and never installed.
sys.path += [str(ROOT / "scripts"), str(ROOT / "dashboards")]

from backends import Jaeger, Prometheus  # noqa: E402
from demo_traffic import Demo, run_demo  # noqa: E402
from native_stack import NativeStack, Ports  # noqa: E402


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeStack]:
    """All programs, asking and counting every second; tests leave it running and whole."""
    with NativeStack(tmp_path_factory.mktemp("stack"), Ports.free(), interval="1s") as running:
        yield running


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[NativeStack]:
    """Programs for one test, which may stop and kill them."""
    with NativeStack(tmp_path / "stack", Ports.free(), interval="1s") as running:
        yield running


@pytest.fixture(scope="session")
def demos(stack: NativeStack, tmp_path_factory: pytest.TempPathFactory) -> list[Demo]:
    """The demo in both dialects, sent to the collector and to files."""
    return [run_demo(stack, tmp_path_factory.mktemp(dialect), dialect) for dialect in ("py-1.3", "0.1.0")]


@pytest.fixture(scope="session")
def jaeger(stack: NativeStack) -> Jaeger:
    """The API of the shared stack's Jaeger."""
    return Jaeger(stack.url(stack.ports.jaeger_ui))


@pytest.fixture(scope="session")
def prometheus(stack: NativeStack) -> Prometheus:
    """The API of the shared stack's Prometheus."""
    return Prometheus(stack.url(stack.ports.prometheus))
