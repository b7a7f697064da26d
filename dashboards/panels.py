"""Grafana's classic dashboard schema: panels, variables and boards as plain dictionaries.

They use only what Grafana 11 to 13 read alike. Every panel reads the board's data source variable.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

SCHEMA_VERSION = 39
GRID_WIDTH = 24
TAG = "otel-callbacks"
DATASOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True)
class Panel:
    """A panel without a position, which `board` assigns. Sizes are in Grafana's grid of 24 columns."""

    body: Json
    width: int
    height: int


@dataclass(frozen=True)
class Query:
    """A PromQL expression and the legend of its series."""

    expression: str
    legend: str = ""


@dataclass(frozen=True)
class Column:
    """A value column of a table."""

    title: str
    unit: str
    expression: str


@dataclass(frozen=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: Sequence[Panel]


def stat(
    title: str, description: str, unit: str, expression: str, *, limits: Sequence[float] = (), empty: str
) -> Panel:
    """Show one figure over the board's time range. `limits`: above them it turns amber, then red."""
    colors = ["green", "orange", "red"]
    steps = [{"color": color, "value": value} for color, value in zip(colors, [None, *limits], strict=False)]
    defaults = {"unit": unit, "noValue": empty, "thresholds": {"mode": "absolute", "steps": steps}}
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value" if limits else "none",
        "graphMode": "none",
    }
    targets = _targets([Query(expression)], instant=True)
    return _panel(_heading("stat", title, description), targets, defaults, options, width=4, height=4)


def graph(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    exemplars: bool = False,
    stacked: bool = False,
    width: int = 12,
    empty: str = "No data in this range",
) -> Panel:
    """Show lines over time; with `exemplars`, dots that lead from a latency to its trace."""
    custom: Json = {"lineWidth": 1, "fillOpacity": 30 if stacked else 5, "showPoints": "auto", "spanNulls": 60_000}
    if stacked:
        custom["stacking"] = {"mode": "normal", "group": "A"}
    options = {
        "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["mean", "max"], "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    defaults = {"unit": unit, "min": 0, "noValue": empty, "custom": custom}
    targets = _targets(queries, exemplars=exemplars)
    return _panel(_heading("timeseries", title, description), targets, defaults, options, width=width)


def heatmap(title: str, description: str, unit: str, expression: str) -> Panel:
    """Show a histogram over time, one row of cells per bucket."""
    options = {
        "calculate": False,
        "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64},
        "yAxis": {"unit": unit},
        "cellGap": 1,
        "tooltip": {"mode": "single", "yHistogram": True},
        "exemplars": {"color": "rgba(31,120,255,0.7)"},
    }
    targets = _targets([Query(expression, "{{le}}")], exemplars=True)
    targets[0]["format"] = "heatmap"
    return _panel(_heading("heatmap", title, description), targets, {}, options, width=12)


def table(
    title: str, description: str, keys: Mapping[str, str], *columns: Column, link: Json, width: int = GRID_WIDTH
) -> Panel:
    """Show one row per combination of labels. `keys`: label -> heading; `link`: where each row leads."""
    targets = _targets([Query(column.expression) for column in columns], instant=True)
    for target in targets:
        target["format"] = "table"
    defaults = {"noValue": "-", "custom": {"align": "auto", "filterable": True}}
    panel = _panel(_heading("table", title, description), targets, defaults, {}, width=width)
    panel.body["fieldConfig"]["overrides"] = [
        *(_override(key, displayName=heading, links=[link]) for key, heading in keys.items()),
        *(
            _override(f"Value #{target['refId']}", displayName=column.title, unit=column.unit)
            for target, column in zip(targets, columns, strict=True)
        ),
    ]
    panel.body["transformations"] = [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": {"Time": True}}},
    ]
    return panel


def _override(field: str, **properties: object) -> Json:
    matcher = {"id": "byName", "options": field}
    return {"matcher": matcher, "properties": [{"id": name, "value": value} for name, value in properties.items()]}


def _targets(queries: Iterable[Query], *, instant: bool = False, exemplars: bool = False) -> list[Json]:
    return [
        {
            "refId": chr(ord("A") + index),
            "datasource": DATASOURCE,
            "expr": query.expression,
            "legendFormat": query.legend or "__auto",
            "instant": instant,
            "range": not instant,
            "exemplar": exemplars,
        }
        for index, query in enumerate(queries)
    ]


def _panel(heading: Json, targets: list[Json], defaults: Json, options: Json, *, width: int, height: int = 8) -> Panel:
    fields = {"defaults": defaults, "overrides": []}
    body = {**heading, "datasource": DATASOURCE, "targets": targets, "fieldConfig": fields, "options": options}
    return Panel(body, width, height)


def _heading(kind: str, title: str, description: str) -> Json:
    return {"type": kind, "title": title, "description": description}


def label_variable(name: str, heading: str, series: Sequence[str], label: str, *filters: str) -> Json:
    """Offer the values of a label. "All" stands for any value or none: series without the label stay in."""
    matchers = [f'__name__=~"{"|".join(series)}"', *filters]
    query = f"label_values({{{','.join(matchers)}}}, {label})"
    return {
        "type": "query",
        "name": name,
        "label": heading,
        "datasource": DATASOURCE,
        "definition": query,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
        "options": [],
    }


def datasource_variable() -> Json:
    """Offer the Prometheus servers to read: boards work with any."""
    return {"type": "datasource", "name": "datasource", "label": "Prometheus", "query": "prometheus", "current": {}}


def text_variable(name: str, heading: str, value: str) -> Json:
    """Offer a text that the reader can change, such as the address in links."""
    return {
        "type": "textbox",
        "name": name,
        "label": heading,
        "query": value,
        "current": {"text": value, "value": value},
        "options": [{"text": value, "value": value, "selected": True}],
    }


def board(uid: str, title: str, description: str, variables: Sequence[Json], rows: Sequence[Row]) -> Json:
    """Make a dashboard, with its panels laid out from left to right, row by row."""
    return {
        "id": None,
        "uid": uid,
        "title": title,
        "description": description,
        "tags": [TAG],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": [_firing_alerts()]},
        "links": [_board_links()],
        "templating": {"list": list(variables)},
        "panels": _layout(rows),
    }


def _firing_alerts() -> Json:
    return {
        "name": "Firing alerts",
        "datasource": DATASOURCE,
        "enable": True,
        "iconColor": "red",
        "expr": 'ALERTS{alertstate="firing",job=~"$job|"}',
        "titleFormat": "{{alertname}}",
        "step": "60s",
    }


def _board_links() -> Json:
    link = {"type": "dashboards", "tags": [TAG], "title": "GenAI boards", "asDropdown": True}
    return {**link, "includeVars": True, "keepTime": True, "icon": "external link", "targetBlank": False}


def _layout(rows: Sequence[Row]) -> list[Json]:
    panels: list[Json] = []
    y = 0
    for row in rows:
        heading = {"type": "row", "title": row.title, "collapsed": False, "panels": []}
        panels.append({**heading, "gridPos": _grid(0, y, GRID_WIDTH, 1)})
        y += 1
        x = height = 0
        for panel in row.panels:
            if x + panel.width > GRID_WIDTH:
                x, y, height = 0, y + height, 0
            panels.append({**panel.body, "gridPos": _grid(x, y, panel.width, panel.height)})
            x, height = x + panel.width, max(height, panel.height)
        y += height
    return [{"id": number, **panel} for number, panel in enumerate(panels, start=1)]


def _grid(x: int, y: int, width: int, height: int) -> Json:
    return {"x": x, "y": y, "w": width, "h": height}
