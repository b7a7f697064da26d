"""Results as Markdown tables, and their places in the documentation."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.behaviour import PROBES
from benchmarks.modes import OURS
from benchmarks.scenarios import SCENARIOS

_DOCS = Path(__file__).parent.parent / "docs"
PERFORMANCE = _DOCS / "performance.md"
COMPARISON = _DOCS / "comparison.md"
_PLACE = re.compile(r"(<!-- table: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_ROWS = [name for name, scenario in SCENARIOS.items() if scenario.curve is None]
_CURVES = [name for name, scenario in SCENARIOS.items() if scenario.curve is not None]
_HEAD_LINES = 2
_GOALS = {
    ("lcel", "ours-all"): (1.3, 1.5),
    ("lcel", "ours"): (1.2, 1.35),
    ("agent", "ours-all"): (1.35, 1.5),
    ("agent", "ours"): (1.2, 1.35),
    ("stream", "ours"): (1.02, 1.05),
    ("astream", "ours"): (1.02, 1.05),
    ("error", "ours"): (1.3, 1.5),
    ("unsampled", "ours"): (1.2, 1.4),
    ("unsampled-agent", "ours"): (1.2, 1.4),
    ("prompt-10k", "ours"): (1.5, 1.8),
    ("lost-1000", "ours"): (1.35, 1.4),
}
"""Scenario and mode -> what the ratio should be, and what it must not exceed."""
_ANSWERS = {True: "yes", False: "no", None: "fails"}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def costs(results: Mapping[str, Any], kind: str, scale: float) -> str:
    """Compare costs: the bound's per event or token, times `scale`, and all others as multiples of it."""
    scenarios = _scenarios(results)
    columns = ["floor", "ours", "floor-all", "ours-all", *results.get("peers", {})]
    head = ["scenario", "noise", "bound", *columns]
    rows = [
        [
            _title(name),
            f"{scenarios[name][f'{kind} noise']:.1%}",
            f"{scenarios[name]['modes']['bound'][kind] * scale:.3g} ({_emitted(scenarios[name]['modes']['bound'])})",
            *(_ratio(_cell(results, name, mode), kind) for mode in columns),
        ]
        for name in _ROWS
        if name in scenarios and kind in scenarios[name]["modes"]["bound"]
    ]
    return table(head, rows)


def _scenarios(results: Mapping[str, Any]) -> Mapping[str, Any]:
    return dict(results.get("scenarios", {}))


def _title(name: str) -> str:
    scenario = SCENARIOS[name]
    return f"{scenario.title}, per {scenario.unit}" if scenario.unit == "event" else scenario.title


def _cell(results: Mapping[str, Any], name: str, mode: str) -> Mapping[str, Any]:
    """Return what a mode costs in a scenario; a peer was measured beside its own bound, in its own environment."""
    source = results["peers"][mode] if mode in results.get("peers", {}) else results
    return dict(source["scenarios"].get(name, {}).get("modes", {}).get(mode, {}))


def _ratio(values: Mapping[str, Any], kind: str) -> str:
    key = f"{kind} ratio"
    return f"{values[key]:.2f} ({_emitted(values)})" if key in values else "–"


def _emitted(values: Mapping[str, Any]) -> str:
    return " / ".join(str(number) for number in values["emitted"])


def options(results: Mapping[str, Any], kind: str) -> str:
    """Compare what each option costs, as a multiple of the cost with the defaults."""
    scenarios = {name: _scenarios(results)[name]["modes"] for name in ("lcel", "agent") if name in _scenarios(results)}
    rows = [
        [", ".join(f"{key}={value!r}" for key, value in values.items()) or "defaults"]
        + [_to_default(modes, mode, kind) for modes in scenarios.values()]
        for mode, values in OURS.items()
        if any(mode in modes for modes in scenarios.values())
    ]
    return table(["options", *(SCENARIOS[name].title for name in scenarios)], rows)


def _to_default(modes: Mapping[str, Any], mode: str, kind: str) -> str:
    return f"{modes[mode][kind] / modes['ours'][kind]:.2f}" if kind in modes.get(mode, {}) else "–"


def growth(results: Mapping[str, Any], kind: str, scale: float) -> str:
    """Compare costs per event or token while one quantity grows."""
    scenarios = _scenarios(results)
    rows = []
    for name in _CURVES:
        if name in scenarios and kind in scenarios[name]["modes"]["ours"]:
            modes = scenarios[name]["modes"]
            quantity, value = SCENARIOS[name].curve or ("", 0)
            figures = [f"{modes[mode][kind] * scale:.3g}" for mode in ("bound", "ours")]
            rows.append([quantity, f"{value}", *figures, f"{modes['ours'][f'{kind} ratio']:.2f}"])
    return table(["quantity", "value", "bound", "ours", "ratio"], rows)


def others(results: Mapping[str, Any]) -> str:
    """Compare memory, imports and outages: one column per mode."""
    of_peers = {name: peer.get("other", {}).get(name, {}) for name, peer in results.get("peers", {}).items()}
    columns = {**results.get("other", {}), **of_peers}
    labels = list(dict.fromkeys(label for values in columns.values() for label in values))
    rows = [[label, *(_number(values.get(label)) for values in columns.values())] for label in labels]
    return table(["", *columns], rows)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.1f}".removesuffix(".0")


def goals(results: Mapping[str, Any], kind: str) -> str:
    """Compare ratios with their goals."""
    key = f"{kind} ratio"
    rows = []
    for (name, mode), (goal, most) in _GOALS.items():
        modes = _scenarios(results).get(name, {}).get("modes", {})
        if key in modes.get(mode, {}):
            floor = modes.get(mode.replace("ours", "floor"), {}).get(key)
            reached = modes[mode][key]
            figures = [f"{number:.2f}" for number in (goal, most, reached)]
            rows.append([_title(name), mode, f"{floor:.2f}" if floor else "–", *figures, _verdict(reached, goal, most)])
    return table(["scenario", "mode", "floor", "goal", "at most", "reached", ""], rows)


def _verdict(reached: float, goal: float, most: float) -> str:
    if reached > most:
        return "**not met**"
    return "goal met" if reached <= goal else "met"


def hot_spots(results: Mapping[str, Any], scenario: str) -> str:
    """List our functions by what they cost, with everything that they call."""
    head, *rows = results.get("hot-spots", {}).get(scenario) or [["function"]]
    return table(head, rows)


def tables(results: Mapping[str, Any]) -> dict[str, str]:
    """Return every table by its name."""
    return {
        "instructions": costs(results, "instructions", 1e-3),
        "cpu-time": costs(results, "cpu", 1e6),
        "options": options(results, "instructions"),
        "growth": growth(results, "instructions", 1e-3),
        "goals": goals(results, "instructions"),
        "other": others(results),
        "hot-spots": hot_spots(results, "lcel"),
        "hot-spots-agent": hot_spots(results, "agent"),
        "versions": table(["package", "version"], list(results.get("versions", {}).items())),
        "peers": table(
            ["name", "package", "version"],
            [[name, *peer["package"]] for name, peer in results.get("peers", {}).items()],
        ),
    }


def comparison(results: Mapping[str, Any]) -> str:
    """Lay out what `benchmarks.behaviour` found: a column per tracer, a row per statement, and the releases."""
    head = ["", *("otel_callbacks" if name == "ours" else name for name in results)]
    rows = [
        [str(probe.__doc__).rstrip("."), *(_ANSWERS[tracer["answers"].get(key)] for tracer in results.values())]
        for key, probe in PROBES.items()
    ]
    releases = ", ".join(" ".join(tracer["package"]) for tracer in results.values())
    return f"{table(head, rows)}\nReleases: {releases}.\n"


def places(text: str) -> list[str]:
    """Return the names of the tables that a text has a place for."""
    return [place[2] for place in _PLACE.finditer(text)]


def fill(document: Path, tables: Mapping[str, str]) -> None:
    """Put each table into its place in a document."""
    document.write_text(filled(document.read_text(encoding="utf-8"), tables), encoding="utf-8")


def filled(text: str, tables: Mapping[str, str]) -> str:
    """Return the text with each table in its place."""
    return _PLACE.sub(lambda place: place[1] + tables[place[2]] + place[3], text)


def text(results: Mapping[str, Any]) -> str:
    """Return all tables that have rows, for a terminal."""
    return "\n".join(f"{name}\n\n{rows}" for name, rows in tables(results).items() if rows.count("\n") > _HEAD_LINES)
