"""Collects which cells of the matrix passed."""

from collections.abc import Callable

import pytest

_passed: set[tuple[str, str, str]] = set()


@pytest.fixture(scope="session")
def record_matrix() -> Callable[[str, str, str], None]:
    """Notes a cell that passed."""

    def record(way: str, subject: str, ending: str) -> None:
        _passed.add((way, subject, ending))

    return record
