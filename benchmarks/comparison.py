"""From the answers of `benchmarks.behaviour` to the tables of docs/comparison.md."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.behaviour import PROBES

DOCUMENT = Path(__file__).parent.parent / "docs" / "comparison.md"
_PLACE = re.compile(r"(<!-- behaviour -->\n).*?(<!-- end -->)", re.DOTALL)
_WORDS = {True: "yes", False: "no", None: "fails"}


def document(found: Mapping[str, Any]) -> None:
    """Put the tables into the documentation."""
    made = table(found)
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(_PLACE.sub(lambda place: f"{place[1]}{made}{place[2]}", text), encoding="utf-8")


def table(found: Mapping[str, Any]) -> str:
    """One column per tracer, one row per statement, and which releases were asked."""
    names = list(found)
    rows = [
        ["", *("otel_callbacks" if name == "ours" else name for name in names)],
        ["---"] * (len(names) + 1),
        *(
            [str(probe.__doc__).rstrip("."), *(_WORDS[found[name]["answers"].get(key)] for name in names)]
            for key, probe in PROBES.items()
        ),
    ]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    releases = [" ".join(found[name]["package"]) for name in names]
    return "\n".join([*lines, "", f"Asked: {', '.join(releases)}.", ""])
