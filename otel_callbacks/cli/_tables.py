"""Plain text tables."""

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Return one line per row, every column as wide as its widest cell.

    Args:
        rows: Cells of each row, as many in each.
        left: How many columns from the first are aligned left; figures in the others are aligned right.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligns = ["<"] * left + [">"] * (len(widths) - left)
    return [
        "  ".join(f"{cell:{align}{width}}" for cell, align, width in zip(row, aligns, widths, strict=True))
        for row in rows
    ]
