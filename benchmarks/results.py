"""From raw figures to reported ones: costs above no handler, per event or token, and ratios to the bound."""

import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks.measure import SHORT

Blocks = Mapping[str, list[float]]
"""Label -> cost of one call in each round."""
Row = dict[str, Any]
_ENOUGH_FOR_QUARTILES = 4
_LINE = 160
"""The longest line of a file, in characters."""


def row(figures: Mapping[str, Any], blocks: Blocks, kind: str) -> Row:
    """Return the row of one scenario. `kind`: "cpu" (`blocks` in seconds) or "instructions".

    Returns:
        ``{"units", "kind noise", "modes": {mode: {"emitted", kind: cost above no handler per unit, "kind ratio"}}}``;
        noise is the interquartile range (of few blocks: the range) of the blocks without a handler, as a share of
        their median.
    """
    units = figures["units"]
    extra = {mode: _extra(blocks, mode) / units for mode in figures["emitted"]}
    bound = extra.get("bound")
    return {
        "units": units,
        f"{kind} noise": _noise(blocks["none"]),
        "modes": {
            mode: {
                "emitted": figures["emitted"][mode],
                kind: extra[mode],
                **({f"{kind} ratio": extra[mode] / bound} if bound else {}),
            }
            for mode in extra
        },
    }


def _extra(blocks: Blocks, mode: str) -> float:
    """Return the median over the rounds of the difference to no handler in the same round."""
    pairs = zip(_without_short(blocks, mode), _without_short(blocks, "none"), strict=True)
    return median(cost - base for cost, base in pairs)


def _without_short(blocks: Blocks, mode: str) -> list[float]:
    costs = blocks[mode]
    return [long - short for long, short in zip(costs, blocks.get(mode + SHORT, [0.0] * len(costs)), strict=True)]


def _noise(costs: list[float]) -> float:
    low, high = (min(costs), max(costs)) if len(costs) < _ENOUGH_FOR_QUARTILES else quantiles(costs, n=4)[::2]
    return (high - low) / median(costs)


def merged(time: Row, counted: Row | None) -> Row:
    """Merge both measures of one scenario into one row."""
    if counted is None:
        return time
    modes = {mode: {**values, **counted["modes"][mode]} for mode, values in time["modes"].items()}
    return {**time, **counted, "modes": modes}


def versions() -> dict[str, str]:
    """Return the versions that instruction counts depend on."""
    packages = ("langchain-core", "langgraph", "opentelemetry-sdk")
    return {"python": platform.python_version(), **{package: version(package) for package in packages}}


def load(path: Path) -> dict[str, Any]:
    """Load earlier results; empty if there are none."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def save(path: Path, results: Mapping[str, Any]) -> None:
    """Write results, for people and for `load`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(as_json(rounded(results)) + "\n", encoding="utf-8")


def as_json(value: Any, indent: str = "") -> str:
    """Lay out JSON with one line for whatever fits into it, so that a changed figure is one changed line."""
    line = json.dumps(value)
    if len(indent + line) <= _LINE or not isinstance(value, (dict, list)):
        return line
    inner = indent + " "
    if isinstance(value, list):
        parts, (start, end) = [as_json(part, inner) for part in value], "[]"
    else:
        parts, (start, end) = [f"{json.dumps(key)}: {as_json(part, inner)}" for key, part in value.items()], "{}"
    return f"{start}\n{inner}" + f",\n{inner}".join(parts) + f"\n{indent}{end}"


def rounded(value: Any) -> Any:
    """Round to four significant digits everywhere, so that files do not change without need."""
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value
