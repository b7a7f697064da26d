"""The queries of the boards, sent to Prometheus as Grafana would."""

import re
from collections.abc import Iterable
from typing import Any

import pytest
from backends import Prometheus
from test_boards import BOARDS, load, panels

BUILT_IN = {"__rate_interval": "1m", "__range": "10m"}

EMPTY_PANELS = {
    "The tracer's own errors": "the demo makes none",
    "Redacted values": "the demo captures no content",
    "Refused or lost per second": "nothing is lost",
    "Calls without usage": "every demo model reports its usage",
    "Calls without a price": "every demo model has a listed price",
    "Contradictions": "no report of the demo contradicts another",
    "Tool calls without an answer per second": "the demo's models ask only for tools that exist",
}
"""Panels that stay empty on the demo's traffic, and why."""

ALL_PANELS = [
    pytest.param(load(path), panel, id=f"{path.stem}: {panel['title']}")
    for path in BOARDS
    for panel in panels(load(path))
    if panel["title"] not in EMPTY_PANELS
]

EXEMPLAR_TARGETS = [
    pytest.param(load(path), target, id=f"{path.stem}: {panel['title']} {target['refId']}")
    for path in BOARDS
    for panel in panels(load(path))
    for target in panel["targets"]
    if target["exemplar"]
]


def recorded(prometheus: Prometheus, jobs: Iterable[str]) -> bool:
    """Tell whether the rules have evaluated what these jobs sent, over the longest window."""
    return all(prometheus.now(f'genai:run_errors:ratio_rate6h{{job="{job}"}}') for job in jobs)


def chosen(board: dict[str, Any]) -> dict[str, str]:
    """Return the initial values of a board's variables: "All" where that is possible."""
    return {
        variable["name"]: variable.get("allValue") or str(variable.get("query"))
        for variable in board["templating"]["list"]
    }


def filled_in(expression: str, values: dict[str, str]) -> str:
    """Fill in the variables of a query, as Grafana does."""
    return re.sub(r"\$\{?(\w+)\}?", lambda match: {**BUILT_IN, **values}.get(match[1], match[0]), expression)


def numbers(prometheus: Prometheus, target: dict[str, Any], values: dict[str, str]) -> list[str]:
    """Return every number that a panel's query gives."""
    expression = filled_in(target["expr"], values)
    if target["instant"]:
        points = [series["value"] for series in prometheus.now(expression)]
    else:
        points = [point for series in prometheus.history(expression) for point in series["values"]]
    return [value for _, value in points if value != "NaN"]


def silent(prometheus: Prometheus, board: dict[str, Any], panel: dict[str, Any]) -> list[str]:
    """Return a panel's queries, filled in, that give no number with "All" selected everywhere."""
    values = chosen(board)
    return [filled_in(one["expr"], values) for one in panel["targets"] if not numbers(prometheus, one, values)]


def values_of_variables(prometheus: Prometheus, board: dict[str, Any]) -> dict[str, list[str]]:
    """Return the choices that a board's variables offer, if they list labels."""
    choices = {}
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            selector, label = re.fullmatch(r"label_values\((\{.*\}), (\w+)\)", variable["query"]["query"]).groups()
            choices[variable["name"]] = prometheus.label_values(label, filled_in(selector, chosen(board)))
    return choices
