"""Stores that the tiers' Prometheus can write to, by protocol version: what arrives, and how to query it."""

from collections.abc import Iterator, Mapping

import pytest
import yaml
from backends import Prometheus
from board_queries import chosen, numbers, recorded
from demo_traffic import run_long_lived
from fleet import ARRIVAL_S, Fleet, last_values, metrics_page, send_exponential
from native_stack import HOST, free_ports, wait_until
from test_boards import BOARDS, load, panels

pytestmark = pytest.mark.scale

STORES = ("prometheus 2.0", "victoria-metrics 1.0", "victoria-metrics 2.0")
"""Program and protocol version; Prometheus with 1.0 is the fleet's own store."""

MESSAGES = {"1.0": "prometheus.WriteRequest", "2.0": "io.prometheus.write.v2.Request"}
JOB = "stored"
EXPONENTIAL = "stored-exponential"
NATIVE_P95 = f'histogram_quantile(0.95, last_over_time(lasting_seconds{{job="{EXPONENTIAL}"}}[1h]))'
VMRANGE_P95 = (
    f'histogram_quantile(0.95, sum by (vmrange) (last_over_time(lasting_seconds_bucket{{job="{EXPONENTIAL}"}}[1h])))'
)
EXEMPLARS = f'{{__name__=~"gen_ai.*_bucket",job="{JOB}"}}'
ANYTHING = 'count(last_over_time({job!=""}[1h]))'


@pytest.fixture(scope="module")
def stores(fleet: Fleet) -> Iterator[Mapping[str, int]]:
    """Send traffic to further stores, set up like the shipped one but for version and address; provide their ports."""
    stack = fleet.stack
    start = {"prometheus": stack.remote_prometheus, "victoria-metrics": stack.victoria_metrics}
    ports = dict(zip(STORES, free_ports(len(STORES)), strict=True))
    programs = [start[store.split()[0]](store.replace(" ", "-"), port) for store, port in ports.items()]
    shipped = stack.prometheus_config.read_text()
    with fleet.without(stack.prometheus):
        stack.prometheus_config.write_text(also_written_to(ports, shipped))
    try:
        for program in programs:
            program.start()
        run_long_lived(fleet.collector(0), JOB)
        send_exponential(fleet.collector(0), EXPONENTIAL)
        assert wait_until(lambda: fleet.prometheus.now(NATIVE_P95), ARRIVAL_S)
        assert wait_until(lambda: recorded(fleet.prometheus, [JOB]), ARRIVAL_S)
        yield ports
    finally:
        with fleet.without(stack.prometheus):
            stack.prometheus_config.write_text(shipped)
        for program in programs:
            program.stop()


def also_written_to(ports: Mapping[str, int], config: str) -> str:
    """Return a configuration of Prometheus that also writes to these stores."""
    document = yaml.safe_load(config)
    (shipped,) = document["remote_write"]
    for store, port in ports.items():
        url, message = f"http://{HOST}:{port}/api/v1/write", MESSAGES[store.split()[1]]
        document["remote_write"].append({**shipped, "name": store, "url": url, "protobuf_message": message})
    return yaml.safe_dump(document)


def api(port: int) -> Prometheus:
    """Return the query API, which both programs have."""
    return Prometheus(f"http://{HOST}:{port}")


def answered(store: Prometheus) -> set[tuple[str, str, str]]:
    """Return the queries of the boards that show data of the job: board, panel, query."""
    return {
        (path.stem, panel["title"], target["refId"])
        for path in BOARDS
        for panel in panels(load(path))
        for target in panel["targets"]
        if numbers(store, target, {**chosen(load(path)), "job": JOB})
    }


def counted(fleet: Fleet, what: str, store: str) -> float:
    """Return what Prometheus counts for a store: ``exemplars``, ``exemplars_failed`` ..."""
    return fleet.prometheus.total(f'prometheus_remote_storage_{what}_total{{remote_name="{store}"}}')


@pytest.mark.parametrize("store", ["prometheus 2.0", "victoria-metrics 1.0"])
def test_store_has_every_series_and_answers_the_boards(fleet, stores, store):
    """Every series has the value that Prometheus has, and each query of the boards with data there has data."""
    here, there = fleet.prometheus, api(stores[store])
    assert wait_until(lambda: last_values(there, JOB) == pytest.approx(last_values(here, JOB)), ARRIVAL_S)
    expected = answered(here)
    assert len(expected) > 30
    assert wait_until(lambda: expected <= answered(there), ARRIVAL_S), expected - answered(there)


def test_second_version_carries_native_histograms_and_no_exemplars(fleet, stores):
    """With 2.0 a native histogram gives the same quantile, while the receiver answers 400 to each exemplar."""
    store = "prometheus 2.0"
    there = api(stores[store])
    assert wait_until(lambda: there.now(NATIVE_P95), ARRIVAL_S)
    assert there.total(NATIVE_P95) == fleet.prometheus.total(NATIVE_P95) == pytest.approx(0.95, rel=0.05)
    assert wait_until(lambda: fleet.long_term_store.exemplars(EXEMPLARS), ARRIVAL_S)
    assert wait_until(
        lambda: 0 < counted(fleet, "exemplars", store) == counted(fleet, "exemplars_failed", store), ARRIVAL_S
    )
    assert there.exemplars(EXEMPLARS) == []
    assert 'prometheus_http_requests_total{code="400",handler="/api/v1/write"}' in metrics_page(stores[store])


def test_victoria_metrics_has_other_histograms_and_no_exemplars(fleet, stores):
    """A native histogram becomes one of `vmrange` buckets, with the same quantile; exemplars vanish unnoticed."""
    store = "victoria-metrics 1.0"
    there = api(stores[store])
    assert wait_until(lambda: there.now(VMRANGE_P95), ARRIVAL_S)
    assert there.total(VMRANGE_P95) == pytest.approx(fleet.prometheus.total(NATIVE_P95), rel=0.01)
    assert there.now(NATIVE_P95) == []
    assert wait_until(lambda: counted(fleet, "exemplars", store) > 0, ARRIVAL_S)
    assert counted(fleet, "exemplars_failed", store) == 0
    assert there.exemplars(EXEMPLARS) == []


def test_victoria_metrics_keeps_nothing_of_the_second_version(fleet, stores):
    """VictoriaMetrics keeps nothing of version 2.0, and Prometheus counts each sample sent to it as failed."""
    store = "victoria-metrics 2.0"
    assert wait_until(
        lambda: 0 < counted(fleet, "samples", store) == counted(fleet, "samples_failed", store), ARRIVAL_S
    )
    assert wait_until(lambda: api(stores["victoria-metrics 1.0"]).now(ANYTHING), ARRIVAL_S)
    assert api(stores[store]).now(ANYTHING) == []
