"""The tiers from the shipped configuration, on the real engines, and two processes that load them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Scripts and the stack's tests are run by path and never installed.
sys.path += [str(ROOT / "scripts"), str(ROOT / "tests/stack")]

from demo_traffic import Demo, run_demo, run_long_lived  # noqa: E402
from fleet import SAMPLING, Fleet  # noqa: E402
from native_scale import ScaleStack  # noqa: E402


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """All tiers; a test that stops a program starts it again."""
    with ScaleStack(tmp_path_factory.mktemp("scale"), environment=SAMPLING, interval="1s") as running:
        yield Fleet(running)


@pytest.fixture(scope="session")
def demos(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> list[Demo]:
    """The demo in both dialects, each in its own process and through its own gateway."""
    return [
        run_demo(fleet.collector(number), tmp_path_factory.mktemp(dialect), dialect)
        for number, dialect in enumerate(("py-1.3", "0.1.0"))
    ]


@pytest.fixture(scope="session")
def long_lived(fleet: Fleet) -> str:
    """The job of a program that exported more than once, so that it has rates."""
    run_long_lived(fleet.collector(0), "long-lived")
    return "long-lived"
