"""The boards as files: generated, complete, and only about what the package sends."""

import importlib
import importlib.util
import json
import re
from pathlib import Path

import pytest
from emitted import BOTH, METRICS, RESOURCE, STACK_METRICS, base
from promql import read

ROOT = Path(__file__).resolve().parents[2]
BOARDS = sorted((ROOT / "dashboards").glob("*.json"))
RECORDED = re.compile(r"genai:[\w:]+")
ONE_DIALECT = {"of input, from cache"}
"""Legends of queries on counts that the default dialect has no metric for."""


def load(path: Path) -> dict:
    """Load a board."""
    return json.loads(path.read_text())


def panels(board: dict) -> list[dict]:
    """Return its panels without the headings of rows."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def targets(*boards: Path) -> list:
    """Return every query of every panel, as test parameters."""
    return [
        pytest.param(target, id=f"{path.stem}: {panel['title']} {target['refId']}")
        for path in boards
        for panel in panels(load(path))
        for target in panel["targets"]
    ]


def label_queries() -> list:
    """Return the query of every variable, as test parameters."""
    return [
        pytest.param(variable["query"]["query"], id=f"{path.stem}: {variable['name']}")
        for path in BOARDS
        for variable in load(path)["templating"]["list"]
        if variable["type"] == "query"
    ]


def unknown(expression: str) -> set[str]:
    """Return the series and labels of an expression that nothing sends."""
    reading = read(expression)
    names = {one for pattern in reading.patterns for one in pattern.split("|") if not one.startswith("otelcol_")}
    series = {one for one in reading.series | names if not RECORDED.match(one)}
    labels_of = {one: METRICS[base(one)].labels for one in series if base(one) in METRICS}
    labels_of |= {one: STACK_METRICS[one] for one in series if one in STACK_METRICS}
    labels = set().union({"le", "exporter", "tier", *RESOURCE}, *labels_of.values())
    return (series - labels_of.keys()) | (reading.matched - labels) | (reading.grouped - labels)


def test_committed_boards_and_rules_are_what_build_writes():
    """The committed JSON and YAML equal what dashboards/build.py generates."""
    spec = importlib.util.spec_from_file_location("dashboards_build", ROOT / "dashboards" / "build.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    generated = dict(build.files())
    assert {path: path.read_text() for path in generated} == generated
    assert set(BOARDS) <= generated.keys()


def test_there_are_four_boards_with_fixed_uids():
    """Each board has a fixed uid, which is its file name: links and alerts refer to it."""
    assert [(path.stem, load(path)["uid"]) for path in BOARDS] == [
        (f"otel-callbacks-{name}", f"otel-callbacks-{name}") for name in ("agents", "cost", "health", "overview")
    ]


@pytest.mark.parametrize("target", targets(*BOARDS))
def test_queries_read_only_what_is_sent(target):
    """Every series and label in every panel is one that the package or the stack sends."""
    assert not unknown(target["expr"])


@pytest.mark.parametrize("query", label_queries())
def test_variables_read_only_what_is_sent(query):
    """Every series and label in every variable is one that the package sends."""
    selector, label = re.fullmatch(r"label_values\((\{.*\}), (\w+)\)", query).groups()
    assert not unknown(f"sum by ({label}) ({selector})")


@pytest.mark.parametrize("target", targets(*BOARDS))
def test_queries_read_every_dialect(target):
    """Every panel shows data in each dialect of the conventions."""
    read_metrics = {base(one) for one in read(target["expr"]).series} & METRICS.keys()
    dialects = set().union(*(METRICS[one].dialects for one in read_metrics))
    assert not read_metrics or dialects == BOTH or target["legendFormat"] in ONE_DIALECT


def test_an_unknown_name_is_found():
    """The check above finds a misspelt metric, a label of another metric and a wrong grouping."""
    assert unknown("rate(gen_ai_client_operation_duration_count[5m])")
    assert unknown('rate(otel_callbacks_step_duration_seconds_count{gen_ai_request_model="m"}[5m])')
    assert unknown("sum by (gen_ai_tool) (gen_ai_execute_tool_duration_seconds_count)")


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_panels_explain_themselves(path):
    """Each panel has its own title, a description, units, and a text for when it is empty."""
    board = load(path)
    assert len({panel["title"] for panel in panels(board)}) == len(panels(board))
    for panel in panels(board):
        assert panel["description"], panel["title"]
        if panel["type"] != "heatmap":
            assert panel["fieldConfig"]["defaults"]["noValue"], panel["title"]
        units = json.dumps(panel["fieldConfig"]) + json.dumps(panel["options"])
        assert '"unit"' in units, panel["title"]


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_panels_do_not_overlap(path):
    """Panels do not overlap or leave the grid of 24 columns, and their ids differ."""
    board = load(path)
    cells = [
        (x, y)
        for panel in board["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_latency_graphs_show_exemplars(path):
    """Every graph of seconds asks for exemplars, the dots that lead to a trace."""
    for panel in panels(load(path)):
        if panel["type"] in {"timeseries", "heatmap"} and '"unit": "s"' in json.dumps(panel):
            assert all(target["exemplar"] for target in panel["targets"]), panel["title"]


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_all_means_all(path):
    """Selecting "All" keeps series that lack the label, and every board offers data source and job."""
    variables = load(path)["templating"]["list"]
    assert [variable["name"] for variable in variables[:2]] == ["datasource", "job"]
    for variable in variables:
        if variable["type"] == "query":
            assert (variable["multi"], variable["includeAll"], variable["allValue"]) == (True, True, ".*")


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_every_variable_is_used_and_defined(path):
    """Each `$variable` of a board is defined on it, and each one defined is used."""
    board = load(path)
    defined = {variable["name"] for variable in board["templating"]["list"]}
    text = json.dumps({key: value for key, value in board.items() if key != "templating"})
    text += "".join(str(variable.get("query")) for variable in board["templating"]["list"])
    used = {name for name in re.findall(r"\$\{?([a-z]\w*)", text) if not name.startswith("__")}
    assert used <= defined
    assert defined - used <= {"jaeger"}


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_rows_of_tables_lead_to_jaeger(path):
    """Each row of a table links to a search in Jaeger, built from labels that the row has."""
    for panel in panels(load(path)):
        if panel["type"] == "table":
            urls = set(re.findall(r'"url": "([^"]*)"', json.dumps(panel["fieldConfig"])))
            assert len(urls) == 1
            fields = set(re.findall(r"__data\.fields\.(\w+)", urls.pop()))
            assert fields
            assert all(fields <= read(target["expr"]).grouped for target in panel["targets"])


def test_no_query_names_an_sdk():
    """Boards also work with other instrumentations of the same conventions: nothing filters on who measured."""
    assert not [path for path in BOARDS if re.search(r"telemetry_sdk|otel_scope_name", path.read_text())]


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_boards_follow_grafanas_schema(path):
    """Grafana's own models of the dashboard schema have every field of a board, and keep its value."""
    dashboards = pytest.importorskip(
        "grafana_foundation_sdk.models.dashboard",
        reason="grafana-foundation-sdk is not installed (it needs Python 3.11)",
    )
    encoder = importlib.import_module("grafana_foundation_sdk.cog.encoder").JSONEncoder
    board = load(path)
    kept = json.loads(encoder(sort_keys=True).encode(dashboards.Dashboard.from_json(board)))
    assert board.pop("id") is None  # which the models leave out
    assert set(leaves(board)) <= set(leaves(kept))


def leaves(value: object, place: str = "") -> list[tuple[str, str]]:
    """Return every value in a JSON document, with the keys that lead to it."""
    if isinstance(value, dict):
        return [leaf for key, one in value.items() for leaf in leaves(one, f"{place}.{key}")]
    if isinstance(value, list):
        return [leaf for one in value for leaf in leaves(one, f"{place}[]")]
    return [(place, json.dumps(value))]
