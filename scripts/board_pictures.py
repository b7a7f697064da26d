"""Draw each Grafana board from its committed JSON and a real Prometheus' answers to its queries.

usage: python scripts/board_pictures.py      (needs Chromium, and go unless the native stack is built)

This script draws, not Grafana: titles, positions, units, queries and legends are the board's; colours and axes are not.
"""

import html
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pictures
from native_stack import NativeStack, Ports

_BOARDS = Path(__file__).resolve().parent.parent / "dashboards"
_TRAFFIC_S = 150
_STEP_S = 3
_LEFT = 62
"""Width of the vertical axis, in pixels."""
_BUILT_IN = {"__rate_interval": "20s", "__range": f"{_TRAFFIC_S}s", "__interval": f"{_STEP_S}s"}
_COLOURS = (
    "#73bf69",
    "#f2cc0c",
    "#5794f2",
    "#ff9830",
    "#f2495c",
    "#b877d9",
    "#8ab8ff",
    "#96d98d",
    "#ffcb7d",
    "#fade2a",
)
_STYLE = """
body { margin: 0; background: #111217; color: #ccccdc; font: 13px/1.35 system-ui, sans-serif; }
main { display: grid; grid-template-columns: repeat(24, 1fr); grid-auto-rows: 36px; gap: 8px; }
main { padding: 12px; width: 1400px; box-sizing: border-box; }
section { background: #181b1f; border: 1px solid #25282e; border-radius: 3px; padding: 6px 10px; }
section { overflow: hidden; display: flex; flex-direction: column; }
h1 { grid-column: 1 / -1; font-size: 18px; margin: 0; }
h2 { font-size: 13px; font-weight: 500; margin: 0 0 4px; }
.row { background: none; border: 0; padding: 6px 0; }
.row h2 { font-size: 15px; }
.stat div { font-size: 30px; margin: auto; }
.stat .empty, .empty { font-size: 13px; margin: auto; color: #8e8e9b; }
svg { flex: 1; min-height: 0; width: 100%; }
text { fill: #8e8e9b; font-size: 11px; }
.legend { font-size: 11px; color: #a0a0ae; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.legend b { display: inline-block; width: 12px; height: 3px; margin: 0 4px 3px 10px; }
table { border-collapse: collapse; width: 100%; font-size: 12px; }
td, th { text-align: left; padding: 3px 8px; border-bottom: 1px solid #25282e; font-weight: 400; }
th { color: #6e9fff; }
"""


class Line(NamedTuple):
    """One series of a panel."""

    name: str
    points: list[tuple[float, float]]
    """Time and value."""


def main() -> int:
    """Draw the boards, and return the exit code."""
    chromium = pictures.browser()
    if chromium is None:
        return 1
    with tempfile.TemporaryDirectory() as folder, NativeStack(Path(folder), Ports.free(), interval="2s") as stack:
        _send_traffic(stack.url(stack.ports.otlp_http), Path(folder))
        for file in sorted(_BOARDS.glob("otel-callbacks-*.json")):
            board = json.loads(file.read_text(encoding="utf-8"))
            page = Path(folder) / f"{file.stem}.html"
            page.write_text(_page(board, Prometheus(stack.url(stack.ports.prometheus), board)), encoding="utf-8")
            rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"]) + 1
            name = file.stem.removeprefix("otel-callbacks-")
            pictures.photograph(chromium, page, pictures.FOLDER / f"board-{name}.png", (1400, 24 + 44 * rows))
    return 0


def _send_traffic(otlp: str, folder: Path) -> None:
    variables = {
        **os.environ,
        "OTEL_CALLBACKS_CHUNK_METRICS": "true",
        "OTEL_METRIC_EXPORT_INTERVAL": "2000",
        "OTEL_SERVICE_NAME": "support",
    }
    command = [sys.executable, "-m", "otel_callbacks", "demo", "--json", "--otlp", otlp, "--out", str(folder / "demo")]
    print(f"Sending traffic for {_TRAFFIC_S} s ...", flush=True)
    subprocess.run([*command, "--for", f"{_TRAFFIC_S}s"], env=variables, check=True, stdout=subprocess.DEVNULL)


class Prometheus:
    """Answers to a board's queries, with "All" selected everywhere."""

    def __init__(self, url: str, board: Mapping[str, Any]) -> None:
        self._url = url
        self._values = {**{v["name"]: v.get("allValue") or "" for v in board["templating"]["list"]}, **_BUILT_IN}
        self._end = time.time()
        self.start = self._end - _TRAFFIC_S

    def lines(self, target: Mapping[str, Any]) -> list[Line]:
        """Return the series of a query over the time of the traffic."""
        period = {"start": self.start, "end": self._end, "step": _STEP_S}
        series = self._ask("query_range", query=self._fill_in(target["expr"]), **period)
        return [Line(_legend(target, one["metric"]), _numbers(one["values"])) for one in series]

    def now(self, target: Mapping[str, Any]) -> list[tuple[dict[str, str], float]]:
        """Return the labels and values of a query at the end of the traffic."""
        series = self._ask("query", query=self._fill_in(target["expr"]), time=self._end)
        return [(one["metric"], float(one["value"][1])) for one in series if one["value"][1] != "NaN"]

    def _fill_in(self, expression: str) -> str:
        return re.sub(r"\$\{?(\w+)\}?", lambda match: self._values.get(match[1], match[0]), expression)

    def _ask(self, path: str, **parameters: Any) -> list[Any]:
        address = f"{self._url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(address) as answer:  # noqa: S310 - loopback
            result: list[Any] = json.load(answer)["data"]["result"]
            return result


def _numbers(values: Iterable[Any]) -> list[tuple[float, float]]:
    return [(float(when), float(value)) for when, value in values if value not in {"NaN", "+Inf"}]


def _legend(target: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    if target["legendFormat"] == "__auto":
        return ", ".join(value for key, value in labels.items() if key != "__name__") or "value"
    return re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], ""), target["legendFormat"])


def _page(board: Mapping[str, Any], prometheus: Prometheus) -> str:
    panels = "".join(_panel(panel, prometheus) for panel in board["panels"])
    return f"<meta charset=utf-8><style>{_STYLE}</style><main><h1>{html.escape(board['title'])}</h1>{panels}</main>"


def _panel(panel: Mapping[str, Any], prometheus: Prometheus) -> str:
    at = panel["gridPos"]
    place = f"grid-area: {at['y'] + 2} / {at['x'] + 1} / span {at['h']} / span {at['w']}"
    body = _DRAWINGS[panel["type"]](panel, prometheus)
    return f'<section class="{panel["type"]}" style="{place}"><h2>{html.escape(panel["title"])}</h2>{body}</section>'


def _empty(panel: Mapping[str, Any]) -> str:
    return f'<div class="empty">{html.escape(panel["fieldConfig"]["defaults"].get("noValue", "No data"))}</div>'


def _stat(panel: Mapping[str, Any], prometheus: Prometheus) -> str:
    series = prometheus.now(panel["targets"][0])
    if not series:
        return _empty(panel)
    return f"<div>{_format(series[0][1], panel['fieldConfig']['defaults'].get('unit'))}</div>"


class Area(NamedTuple):
    """Where a panel's data is drawn, in pixels."""

    width: float
    height: float
    start: float
    """Time at the left edge."""

    @classmethod
    def of(cls, panel: Mapping[str, Any], start: float) -> "Area":
        """Return a panel's area without its frame, title and legend."""
        at = panel["gridPos"]
        return cls(at["w"] * 57 - 30, at["h"] * 44 - 66, start)

    def x(self, when: float) -> float:
        """Return the pixels from the left."""
        return _LEFT + (self.width - _LEFT) * (when - self.start) / _TRAFFIC_S

    def y(self, share: float) -> float:
        """Return the pixels from the top. `share`: of the height."""
        return 8 + (self.height - 16) * (1 - share)

    def drawing(self, parts: Iterable[str]) -> str:
        """Put the parts into one drawing."""
        return f'<svg viewBox="0 0 {self.width} {self.height}">{"".join(parts)}</svg>'

    def label(self, share: float, text: str) -> str:
        """Draw a text on the vertical axis."""
        return f'<text x="{_LEFT - 6}" y="{self.y(share) + 4:.1f}" text-anchor="end">{html.escape(text)}</text>'


def _timeseries(panel: Mapping[str, Any], prometheus: Prometheus) -> str:
    lines = [line for target in panel["targets"] for line in prometheus.lines(target) if line.points]
    if not lines:
        return _empty(panel)
    unit = panel["fieldConfig"]["defaults"].get("unit")
    top = max(value for line in lines for _, value in line.points) * 1.1 or 1
    area = Area.of(panel, prometheus.start)
    parts, legend = [], []
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = f"{area.y(share):.1f}"
        parts.append(f'<line x1="{_LEFT}" x2="{area.width}" y1="{y}" y2="{y}" stroke="#25282e"/>')
        parts.append(area.label(share, _format(top * share, unit)))
    for line, colour in zip(lines, _COLOURS * len(lines), strict=False):
        path = " ".join(f"{area.x(when):.1f},{area.y(value / top):.1f}" for when, value in line.points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        legend.append(f'<b style="background:{colour}"></b>{html.escape(line.name)}')
    return f'{area.drawing(parts)}<div class="legend">{"".join(legend)}</div>'


def _heatmap(panel: Mapping[str, Any], prometheus: Prometheus) -> str:
    buckets = _per_bucket(prometheus.lines(panel["targets"][0]))
    if not buckets:
        return _empty(panel)
    area = Area.of(panel, prometheus.start)
    most = max(value for line in buckets for _, value in line.points)
    width, height = area.x(area.start + _STEP_S) - _LEFT - 1, (area.height - 16) / len(buckets) - 1
    parts = []
    for index, line in enumerate(buckets):
        parts.append(area.label((index + 0.5) / len(buckets), f"{float(line.name):g} s"))
        y = area.y((index + 1) / len(buckets))
        parts.extend(
            f'<rect x="{area.x(when):.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="#ff9830" '
            f'opacity="{value / most:.2f}"/>'
            for when, value in line.points
        )
    return area.drawing(parts)


def _per_bucket(cumulative: Iterable[Line]) -> list[Line]:
    """Turn counts up to each boundary into counts between two; leave out empty buckets."""
    below: dict[float, float] = {}
    buckets = []
    for line in sorted(cumulative, key=lambda line: float(line.name)):
        buckets.append(Line(line.name, [(when, value - below.get(when, 0.0)) for when, value in line.points]))
        below.update(line.points)
    return [line for line in buckets if any(value > 0 for _, value in line.points)]


def _table(panel: Mapping[str, Any], prometheus: Prometheus) -> str:
    headings, units = _overrides(panel)
    rows: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}
    for target in panel["targets"]:
        key = f"Value #{target['refId']}" if len(panel["targets"]) > 1 else "Value"
        for labels, value in prometheus.now(target):
            row = tuple(sorted((name, text) for name, text in labels.items() if name in headings))
            rows.setdefault(row, {})[key] = _format(value, units.get(key))
    if not rows:
        return _empty(panel)
    head = "".join(f"<th>{html.escape(text)}</th>" for text in headings.values())
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape({**dict(row), **cells}.get(key, '-'))}</td>" for key in headings) + "</tr>"
        for row, cells in rows.items()
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _overrides(panel: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the headings and units of a table's columns by the name of the field."""
    headings, units = {}, {}
    for override in panel["fieldConfig"]["overrides"]:
        field = override["matcher"]["options"]
        properties = {one["id"]: one["value"] for one in override["properties"]}
        if "displayName" in properties:
            headings[field] = properties["displayName"]
        if "unit" in properties:
            units[field] = properties["unit"]
    return headings, units


def _format(value: float, unit: str | None) -> str:
    if unit == "s":
        return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"
    if unit == "percentunit":
        return f"{value:.1%}"
    if unit and unit.startswith("currency"):
        return f"${value:.3g}"
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"  # noqa: PLR2004 - three digits are not enough


_DRAWINGS: Mapping[str, Callable[[Mapping[str, Any], Prometheus], str]] = {
    "row": lambda *_: "",
    "stat": _stat,
    "timeseries": _timeseries,
    "heatmap": _heatmap,
    "table": _table,
}

if __name__ == "__main__":
    sys.exit(main())
