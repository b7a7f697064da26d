"""Exponential histograms, which Prometheus stores as native ones, and the panels that keep working."""

import pytest
from backends import Prometheus
from board_queries import chosen, numbers
from demo_traffic import run_long_lived
from native_stack import NativeStack, wait_until
from test_boards import BOARDS, load, panels

pytestmark = pytest.mark.stack

ARRIVAL_S = 30.0
SERVICE = "exponential"
AGGREGATION = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"
DURATION = "gen_ai_client_operation_duration_seconds"

WORKING = {
    "Cost",
    "Cost in 30 days",
    "Cost per hour by model",
    "Cost per hour by agent",
    "Cost by model",
    "Models",
    "Why answers ended",
    "Open runs",
    "Ended runs per second",
    "Outcomes other than ok",
}
"""Panels of the tracer of which at least one query needs no classic histogram; docs/stack.md names the same."""


def shows_job(panel: dict) -> bool:
    """Tell whether a panel can be filtered by job: the others are about the stack."""
    return "$job" in str(panel["targets"])


def test_panels_that_need_no_buckets_go_on_working(stack: NativeStack, prometheus: Prometheus, monkeypatch):
    """With exponential histograms exactly the documented panels show the job; quantiles come from the series itself."""
    monkeypatch.setenv(AGGREGATION, "base2_exponential_bucket_histogram")
    run_long_lived(stack, SERVICE)
    native = f'histogram_quantile(0.95, sum(rate({DURATION}{{job="{SERVICE}"}}[5m])))'
    assert wait_until(lambda: prometheus.total(native) > 0, ARRIVAL_S)
    working = {
        panel["title"]
        for path in BOARDS
        for panel in panels(load(path))
        if shows_job(panel)
        and any(numbers(prometheus, one, {**chosen(load(path)), "job": SERVICE}) for one in panel["targets"])
    }
    assert working == WORKING


def test_docs_name_the_panels_that_work(request):
    """The stack's page lists the panels that keep working."""
    page = (request.config.rootpath / "docs/stack.md").read_text()
    assert all(f"*{title}*" in page for title in WORKING)
