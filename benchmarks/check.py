"""Has the handler become more expensive than the committed baseline?"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import callgrind, pairing, results
from benchmarks.modes import BASE

BASELINE = Path(__file__).parent / "baseline.json"
TOLERANCE = 0.05
CHECKED: Mapping[str, tuple[str, ...]] = {
    "lcel": (*BASE, "ours-all"),
    "agent": (*BASE, "ours-all"),
    "stream": BASE,
    "unsampled": BASE,
    "error": BASE,
}


class Change(NamedTuple):
    """One figure beside its baseline."""

    name: str
    before: float
    now: float

    @property
    def growth(self) -> float:
        """The change as a share: 0.1 is a tenth more expensive."""
        return self.now / self.before - 1


def measure() -> dict[str, Any]:
    """Count everything that the baseline holds."""
    return {
        "versions": results.versions(),
        "scenarios": {name: pairing.instructions(name, modes, rounds=1)["modes"] for name, modes in CHECKED.items()},
    }


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, list[Change]]:
    """Compare instructions, or only their ratio to the bound if Python or a dependency has another version."""
    kind = "instructions" if before["versions"] == now["versions"] else "instructions ratio"
    return kind, [
        Change(f"{scenario} {mode}", modes[mode][kind], now["scenarios"][scenario][mode][kind])
        for scenario, modes in before["scenarios"].items()
        for mode in modes
        if mode not in {"none", "bound"}
    ]


def main(*, update: bool) -> int:
    """Print the changes; return 1 if any cost grew by more than the tolerance."""
    missing = callgrind.missing()
    if missing:
        print(f"Costs are not checked: counting instructions needs {missing}.")
        return 0
    now = results.rounded(measure())
    if update:
        results.save(BASELINE, now)
        return 0
    kind, compared = changes(results.load(BASELINE), now)
    print(f"{kind} per event or token, above no handler")
    for change in compared:
        verdict = "DEARER" if change.growth > TOLERANCE else ""
        print(f"{change.name:20} {change.before:10.5g} -> {change.now:10.5g} {change.growth:+7.1%} {verdict}")
    return int(any(change.growth > TOLERANCE for change in compared))
