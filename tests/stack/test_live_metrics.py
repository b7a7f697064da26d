"""The demo's metrics, as Prometheus and through it the boards and rules see them."""

import json
from pathlib import Path

import pytest
from backends import Jaeger, Prometheus
from board_queries import (
    ALL_PANELS,
    EMPTY_PANELS,
    EXEMPLAR_TARGETS,
    chosen,
    filled_in,
    numbers,
    recorded,
    silent,
    values_of_variables,
)
from demo_traffic import Demo, run_long_lived
from emitted import METRICS, RESOURCE, SCOPE, base
from native_stack import NativeStack, wait_until
from test_boards import BOARDS, load, panels

pytestmark = pytest.mark.stack

ARRIVAL_S = 30.0
LONG_LIVED = "long-lived"
"""A program that exports more than once: series of observable counters begin with their first value, not with zero."""


@pytest.fixture(scope="module")
def arrived(stack: NativeStack, prometheus: Prometheus, demos: list[Demo]) -> list[Demo]:
    """Provide the demos once their metrics, those of a long-lived program and the rules on them can be queried."""
    run_long_lived(stack, LONG_LIVED)

    def complete() -> bool:
        return recorded(prometheus, [*(demo.job for demo in demos), LONG_LIVED]) and bool(
            prometheus.now(f'traces_span_metrics_calls_total{{service_name="{LONG_LIVED}"}}')
        )

    assert wait_until(complete, ARRIVAL_S)
    return demos


def prometheus_name(metric: str) -> str:
    """Return the name of the histogram that a metric becomes with its unit."""
    plain = metric.replace(".", "_")
    return next(name for name in (f"{plain}_seconds", plain) if name in METRICS)


def test_histograms_equal_what_the_program_measured(prometheus, arrived):
    """Counts, sums and every bucket in Prometheus equal those in the program's own file."""
    for demo in arrived:
        for metric, points in demo.histograms.items():
            name, job = prometheus_name(metric), f'job="{demo.job}"'
            assert prometheus.total(f"{name}_count{{{job}}}") == points.count
            assert prometheus.total(f"{name}_sum{{{job}}}") == pytest.approx(points.total)
            by_boundary = prometheus.now(f"sum by (le) ({name}_bucket{{{job}}})")
            stored = {float(one["metric"]["le"]): float(one["value"][1]) for one in by_boundary}
            assert stored == points.buckets


def test_counts_equal_the_ground_truth(prometheus, arrived):
    """Model calls, tool calls, errors and tokens equal what plain callbacks counted beside the tracer."""
    names = {
        "py-1.3": ("gen_ai_client_operation_duration", 'gen_ai_client_token_usage_sum{{gen_ai_token_type="{0}",{1}}}'),
        "0.1.0": ("gen_ai_client_inference_duration", "gen_ai_client_inference_usage_{0}_tokens_total{{{1}}}"),
    }
    for demo in arrived:
        duration, tokens = names[demo.dialect]
        job, truth = f'job="{demo.job}"', demo.truth
        chat = f'{job},gen_ai_operation_name="chat"'
        assert prometheus.total(f"{duration}_seconds_count{{{chat}}}") == truth["runs"]["chat"]
        assert prometheus.total(f"gen_ai_execute_tool_duration_seconds_count{{{job}}}") == truth["runs"]["tool"]
        errors = prometheus.total(f'{duration}_seconds_count{{{chat},error_type!=""}}') + prometheus.total(
            f'gen_ai_execute_tool_duration_seconds_count{{{job},error_type!=""}}'
        )
        assert errors == sum(truth["errors"].values())
        for kind in ("input", "output"):
            assert prometheus.total(tokens.format(kind, job)) == truth["tokens"][kind]


def test_series_are_those_that_boards_are_checked_against(prometheus, arrived):
    """Each series of the tracer is in the specification of the offline tests, with no label beyond those it lists."""
    for series in prometheus.series('{__name__=~"(gen_ai|otel_callbacks)_.*"}'):
        metric = METRICS[base(series.pop("__name__"))]
        assert series.keys() - {"le"} <= metric.labels | RESOURCE | SCOPE


def test_program_that_exports_once_has_a_rate(prometheus, arrived):
    """increase() sees a program that lives for seconds and exports once: its series begin at zero."""
    for demo in arrived:
        increase = f'sum(increase(gen_ai_execute_tool_duration_seconds_count{{job="{demo.job}"}}[10m]))'
        assert prometheus.total(increase) > 0


@pytest.mark.parametrize(("board", "panel"), ALL_PANELS)
def test_every_panel_shows_data(prometheus, arrived, board, panel):
    """Each query of each panel gives points on the demo's traffic, with "All" selected everywhere."""
    assert silent(prometheus, board, panel) == []


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_panels_that_may_be_empty_are_valid(prometheus, arrived, path):
    """Queries of panels that stay empty are still accepted, and give nothing rather than something wrong."""
    board = load(path)
    for panel in panels(board):
        if panel["title"] in EMPTY_PANELS:
            silent(prometheus, board, panel)


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_every_variable_lists_values(prometheus, arrived, path):
    """Job, provider, model and agent can be chosen from values that were sent."""
    values = values_of_variables(prometheus, load(path))
    assert all(values.values()), values
    assert {demo.job for demo in arrived} <= set(values["job"])


def test_choosing_one_model_leaves_out_the_others(prometheus, arrived):
    """A selected value filters: an unknown model empties the panel that "All" fills."""
    board = load(next(path for path in BOARDS if path.stem.endswith("overview")))
    panel = next(panel for panel in panels(board) if panel["title"] == "Calls per second")
    values = chosen(board)
    assert numbers(prometheus, panel["targets"][0], values)
    assert not numbers(prometheus, panel["targets"][0], {**values, "model": "no-such-model"})


def test_every_rule_is_healthy(prometheus, arrived):
    """Each recording and alert rule was evaluated on real data without an error, and names no made-up label."""
    rules = prometheus.rules()
    assert len(rules) > 50
    assert wait_until(lambda: all(rule["health"] == "ok" for rule in prometheus.rules()), ARRIVAL_S), [
        (rule["name"], rule.get("lastError")) for rule in prometheus.rules() if rule["health"] != "ok"
    ]
    assert not [rule for rule in rules if "error expanding template" in json.dumps(rule)]


@pytest.mark.parametrize(("board", "target"), EXEMPLAR_TARGETS)
def test_exemplars_lead_to_traces(prometheus, jaeger: Jaeger, arrived, board, target):
    """Each latency graph has exemplars, and each one's trace and span are in Jaeger."""
    exemplars = prometheus.exemplars(filled_in(target["expr"], chosen(board)))
    assert exemplars
    for exemplar in exemplars:
        trace_id, span_id = (exemplar["labels"][name] for name in ("trace_id", "span_id"))
        assert wait_until(lambda: span_id in jaeger.spans(trace_id), ARRIVAL_S)  # noqa: B023 (called at once)


def test_exemplars_sit_on_the_span_that_was_measured(prometheus, jaeger, arrived):
    """The exemplar of a tool call's duration names that call's own span, and its value is the span's duration."""
    for demo in arrived:
        exemplars = prometheus.exemplars(f'gen_ai_execute_tool_duration_seconds_bucket{{job="{demo.job}"}}')
        assert exemplars
        for exemplar in exemplars:
            span = demo.spans[exemplar["labels"]["span_id"]]
            assert span.name.startswith("execute_tool")
            assert float(exemplar["value"]) == pytest.approx((span.end - span.start) / 1e9, rel=1e-3)


def test_empty_panels_are_on_boards():
    """The list of panels that may be empty names panels that exist."""
    titles = {panel["title"] for path in BOARDS for panel in panels(load(Path(path)))}
    assert EMPTY_PANELS.keys() <= titles
