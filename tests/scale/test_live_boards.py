"""Boards and rules as shipped, behind the tiers: each panel and rule on Prometheus and on the long-term store.

These live tests run first, while nothing has been stopped: afterwards alerts may have cause to fire.
"""

import pytest
from backends import Prometheus
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
from fleet import ARRIVAL_S
from native_stack import wait_until
from promql import read
from test_boards import BOARDS, load, panels
from test_rules import ALERTS, RECORDINGS, named

pytestmark = pytest.mark.scale

ADDED = {"cluster", "replica"}
"""Labels that remote write adds."""

NEVER_SENT = {"otel_callbacks_errors_total": "the demo's tracer makes no errors"}
QUIET = {
    "GenAIErrorBudgetBurnFast": "no agent run or workflow of the demo fails",
    "GenAIErrorBudgetBurnSlow": "no agent run or workflow of the demo fails",
    "GenAILatencyBudgetBurn": "no model call of the demo is slow",
    "GenAITimeToFirstChunkHigh": "the demo's streams begin at once",
    "GenAITokenRateAnomaly": "there is no yesterday",
    "GenAICostAnomaly": "there is no yesterday",
    "GenAICostBudget": "the demo costs less than a cent",
    "GenAIAgentLoop": "the demo's agent makes few model calls",
    "GenAITruncatedOutputs": "the demo's answers are not cut off",
    "GenAITelemetryAbsent": "the demo has not been there for an hour",
    "OtelCallbacksErrors": "the demo's tracer makes no errors",
    "OtelCallbacksRunsPileUp": "few runs are open",
    "TelemetryLost": "nothing is lost",
    "TelemetryQueueFilling": "every back end runs",
    "TelemetryRemoteWriteBehind": "the long-term store runs",
    "TelemetryTargetDown": "every program runs",
}
"""Alerts that the demo gives no cause for, and why; its failing tool and model call fire the two others."""


@pytest.fixture(scope="module")
def arrived(fleet, demos, long_lived) -> list:
    """Provide the demos once they, a long-lived program, their rules and the tiers' own counts are in both stores."""
    jobs = [*(demo.job for demo in demos), long_lived]

    def complete() -> bool:
        last = 'rate({__name__=~"otelcol_exporter_sent_spans.*",tier="sampler"}[5m])'
        return all(
            recorded(store, jobs) and len(store.now(last)) == len(fleet.stack.samplers) for store in fleet.stores
        )

    assert wait_until(complete, ARRIVAL_S)
    return demos


@pytest.fixture(params=["prometheus", "long_term_store"])
def store(fleet, arrived, request) -> Prometheus:
    """Each of the stores that boards can read."""
    return getattr(fleet, request.param)


@pytest.mark.parametrize(("board", "panel"), ALL_PANELS)
def test_every_panel_shows_data(store, board, panel):
    """Each query of each panel that shows data on the one-machine stack does so here."""
    assert silent(store, board, panel) == []


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_panels_that_are_empty_on_one_machine_are_so_here(store, path):
    """Panels on what the demo does not do show nothing, or zero."""
    board = load(path)
    for panel in panels(board):
        if panel["title"] in EMPTY_PANELS:
            values = {float(number) for target in panel["targets"] for number in numbers(store, target, chosen(board))}
            assert values <= {0.0}, panel["title"]


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_every_variable_lists_values(store, arrived, path, long_lived):
    """Job, provider, model and agent can be chosen from values that were sent, through either gateway."""
    values = values_of_variables(store, load(path))
    assert all(values.values()), values
    assert {long_lived, *(demo.job for demo in arrived)} <= set(values["job"])


@pytest.mark.parametrize("rule", RECORDINGS + ALERTS, ids=named)
def test_every_rule_has_what_it_reads(store, rule):
    """Every series that a rule reads is there, and its expression gives a result unless it has no cause to."""
    reading = read(rule["expr"])
    selectors = reading.series | {f'{{__name__=~"{pattern}"}}' for pattern in ["|".join(reading.patterns)] if pattern}
    assert {one for one in selectors if not store.now(f"last_over_time({one}[10m])")} <= NEVER_SENT.keys()
    # One call in five fails, which is a limit exactly, and rounding would decide.
    expression = rule["expr"].replace("> 0.2", "> 0")
    assert bool(store.now(expression)) == (rule.get("alert") not in QUIET)


def test_both_stores_answer_with_the_same_series(fleet, arrived):
    """The queries of boards and rules give series with the same labels in both stores."""
    expressions = [rule["expr"] for rule in RECORDINGS + ALERTS] + [
        filled_in(target["expr"], chosen(board))
        for board in map(load, BOARDS)
        for panel in panels(board)
        for target in panel["targets"]
    ]

    def differing() -> list[str]:
        here, there = ([labels(store, one) for one in expressions] for store in fleet.stores)
        return [expression for expression, a, b in zip(expressions, here, there, strict=True) if a != b]

    assert wait_until(lambda: not differing(), ARRIVAL_S), differing()


def labels(store: Prometheus, expression: str) -> set:
    """Return the labels of each series that a query gives, without those that remote write adds."""
    return {frozenset((k, v) for k, v in one["metric"].items() if k not in ADDED) for one in store.now(expression)}


@pytest.mark.parametrize(("board", "target"), EXEMPLAR_TARGETS)
def test_exemplars_lead_to_traces(fleet, store, arrived, board, target):
    """Each latency graph has exemplars of the demo, and the trace of each is stored: a policy keeps all of them."""
    jobs = "|".join(demo.job for demo in arrived)
    exemplars = store.exemplars(filled_in(target["expr"], {**chosen(board), "job": jobs}))
    assert exemplars
    for trace_id in {exemplar["labels"]["trace_id"] for exemplar in exemplars}:
        assert wait_until(lambda: fleet.spans(trace_id), ARRIVAL_S)  # noqa: B023 (called at once)


def query(title: str, legend: str) -> str:
    """Return the expression of the one query of a panel with this legend."""
    (target,) = (
        target["expr"]
        for path in BOARDS
        for panel in panels(load(path))
        for target in panel["targets"]
        if (panel["title"], target["legendFormat"]) == (title, legend)
    )
    return target


@pytest.mark.parametrize(("legend", "truth"), [("spans in", "accepted"), ("spans out", "kept")])
def test_spans_are_shown_once(fleet, store, legend, truth):
    """The health board counts what applications sent and what goes to the store, not each hop between."""
    total = query("Spans and points per second", legend).replace("rate(", "last_over_time(")
    assert wait_until(lambda: store.total(total) == getattr(fleet, truth)(), ARRIVAL_S)


def test_every_scraped_program_is_watched(store):
    """The health board, and so the alert on targets that are down, covers each scraped tier by its job."""
    scraped = {target["metric"]["job"] for target in store.now("up")}
    assert {program["metric"]["job"] for program in store.now(query("Programs up", "{{job}}"))} == scraped
