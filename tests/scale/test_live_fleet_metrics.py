"""Boards and rules behind the tiers, and the long-term store at the other end of remote write."""

import time

import pytest
from demo_traffic import SERVICE
from fleet import ARRIVAL_S, last_values, send_exponential
from native_stack import wait_until
from test_rules import ALERTS, RECORDINGS

pytestmark = pytest.mark.scale


@pytest.mark.usefixtures("long_lived")
def test_rules_and_their_series_are_those_of_the_one_machine_stack(fleet, demos):
    """The demo's counts are exact, every rule is healthy, and its recordings are in both stores."""
    for demo in demos:
        runs = f'last_over_time(otel_callbacks_runs_total{{job="{demo.job}"}}[1h])'
        assert wait_until(lambda: fleet.prometheus.total(runs) == sum(demo.truth["runs"].values()), ARRIVAL_S)  # noqa: B023 (called at once)
    assert wait_until(lambda: all(rule["health"] == "ok" for rule in fleet.prometheus.rules()), ARRIVAL_S)
    for name in {rule["record"] for rule in RECORDINGS}:
        for store in fleet.stores:
            assert wait_until(lambda: store.now(f"last_over_time({name}[1h])"), ARRIVAL_S), name  # noqa: B023 (called at once)


def test_every_span_of_the_demo_is_counted(fleet, demos):
    """Span metrics of the demo count all spans, kept or not."""
    for demo in demos:
        total = f'sum(last_over_time(traces_span_metrics_calls_total{{service_name="{SERVICE}",job="{demo.job}"}}[1h]))'
        assert wait_until(lambda: fleet.prometheus.total(total) == len(demo.spans), ARRIVAL_S)  # noqa: B023 (called at once)


def test_long_term_store_has_the_same_series_and_exemplars(fleet, demos):
    """Remote write carries every series of the demo with its value, and every exemplar."""
    here, there, job = fleet.prometheus, fleet.long_term_store, demos[1].job
    assert wait_until(lambda: last_values(here, job), ARRIVAL_S)
    assert wait_until(lambda: last_values(here, job) == last_values(there, job), ARRIVAL_S)
    buckets = f'{{__name__=~"gen_ai.*_bucket|traces_span_metrics_duration_milliseconds_bucket",job="{job}"}}'
    assert wait_until(lambda: here.exemplars(buckets), ARRIVAL_S)
    assert wait_until(lambda: len(there.exemplars(buckets)) == len(here.exemplars(buckets)), ARRIVAL_S)
    assert {one["metric"]["cluster"] for one in there.now(f'{{job="{job}"}}')} == {"native"}


def test_long_term_store_has_native_histograms(fleet):
    """An exponential histogram is a native one on both sides, with the same quantile."""
    send_exponential(fleet.collector(0), "native")
    p95 = 'histogram_quantile(0.95, last_over_time(lasting_seconds{job="native"}[1h]))'
    assert wait_until(lambda: fleet.long_term_store.now(p95), ARRIVAL_S)
    assert fleet.long_term_store.total(p95) == fleet.prometheus.total(p95) == pytest.approx(0.95, rel=0.05)


def test_long_term_store_that_was_away_is_noticed_and_gets_everything(fleet):
    """The delay that the alert watches grows while the store is down, past the point where Prometheus' queue is full.

    It falls when the store is back, which then has every sample of that time.
    """
    (delay,) = (rule["expr"].partition(" > ")[0] for rule in ALERTS if rule["alert"] == "TelemetryRemoteWriteBehind")
    with fleet.without(fleet.stack.long_term_store):
        assert wait_until(lambda: fleet.prometheus.now(f"{delay} > 20"), ARRIVAL_S)
        samples = f"sum(count_over_time(up[15s] @ {time.time():.0f}))"
    assert wait_until(lambda: fleet.prometheus.now(f"{delay} < 20"), ARRIVAL_S)
    here = fleet.prometheus.total(samples)
    assert here > 0
    assert wait_until(lambda: fleet.long_term_store.total(samples) == here, ARRIVAL_S)
