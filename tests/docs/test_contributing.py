"""CONTRIBUTING names places; they are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS = [line for line in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
PLACE = re.compile(r"`([\w./-]+(?:/|\.(?:py|md|yml|json|txt)))`")
TARGET = re.compile(r"`make ([a-z-]+)`")


@pytest.mark.parametrize("row", [pytest.param(row, id=row.split("|")[1].strip()) for row in ROWS])
def test_each_row_names_places_that_exist(row):
    """Each file, folder and target of `make` in a row exists, files of the package also without its name."""
    roots = (ROOT, ROOT / "otel_callbacks", *(path for path in (ROOT / "otel_callbacks").iterdir() if path.is_dir()))
    places = PLACE.findall(row)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert [place for place in places if not any((root / place).exists() for root in roots)] == []
    assert [target for target in TARGET.findall(row) if f"\n{target}:" not in makefile] == []


def test_rows_name_places():
    """The reader of rows finds the places in them, so that none passes unread."""
    assert len([row for row in ROWS if PLACE.search(row) or TARGET.search(row)]) > 30
