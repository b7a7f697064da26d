"""Percentiles from histogram buckets, and their table."""

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from otel_callbacks.cli._demo.summary import Row, names, percentile, rows, table


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [
        pytest.param([0, 10, 0], 0.5, 1.5, id="middle-of-a-bucket"),
        pytest.param([5, 5, 0], 0.5, 1.0, id="bound-between-buckets"),
        pytest.param([10, 0, 0], 0.5, 0.75, id="first-bucket-starts-at-the-least"),
        pytest.param([0, 0, 10], 0.95, 3.9, id="last-bucket-ends-at-the-most"),
        pytest.param([1, 0, 1], 1.0, 4.0, id="highest-is-the-most"),
    ],
)
def test_percentile_is_linear_in_its_bucket(counts, share, expected):
    """Values count as spread evenly in their bucket, between the smallest and the largest value recorded."""
    assert percentile(counts, [1.0, 2.0], 0.5, 4.0, share) == pytest.approx(expected)


def measured():
    """Return real histograms: durations of two models and a tool, and tokens by type."""
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader], shutdown_on_exit=False).get_meter("test")
    duration = meter.create_histogram("duration", "s", explicit_bucket_boundaries_advisory=[0.1, 1.0])
    duration.record(0.05, {"gen_ai.request.model": "large", "gen_ai.operation.name": "chat"})
    duration.record(2.0, {"gen_ai.request.model": "large", "gen_ai.operation.name": "chat", "error.type": "timeout"})
    duration.record(0.5, {"gen_ai.operation.name": "retrieval"})
    duration.record(0.5, {"gen_ai.tool.name": "weather", "gen_ai.agent.name": "helper"})
    tokens = meter.create_histogram("tokens", "{token}", explicit_bucket_boundaries_advisory=[10])
    tokens.record(7, {"gen_ai.request.model": "large", "gen_ai.token.type": "input"})
    meter.create_counter("calls").add(1, {"gen_ai.request.model": "large"})
    return reader.get_metrics_data()


def test_rows_are_per_subject():
    """Histograms are summarised per model, tool or operation, all outcomes together; other metrics are left out."""
    measurements = {(row.metric, row.subject): row.measurements for row in rows(measured())}

    assert measurements == {
        ("duration", "large"): 2,
        ("duration", "retrieval"): 1,
        ("duration", "weather"): 1,
        ("tokens", "large input"): 1,
    }


def test_rows_merge_the_points_of_a_subject():
    """A subject's percentiles cover all its points."""
    (row,) = (row for row in rows(measured()) if row.subject == "large")

    assert (row.p50, row.p95) == pytest.approx((0.1, 1.9))


def test_names_are_those_of_all_metrics():
    """Every metric is named, whether a histogram or not."""
    assert names(measured()) == ["calls", "duration", "tokens"]


def test_nothing_measured_is_an_empty_table():
    """Without any metric there are no rows and no names."""
    assert (rows(None), names(None)) == ([], [])


def test_table_aligns_its_columns():
    """Texts are aligned left and figures right; seconds are formatted for people."""
    text = table([Row("duration", "s", "large", 2, 0.1, 12.5), Row("tokens", "{token}", "large input", 10, 7, 19.6)])

    assert text.splitlines() == [
        "histogram  of           count    p50     p95",
        "duration   large            2  0.10s  12.50s",
        "tokens     large input     10      7      20",
    ]
