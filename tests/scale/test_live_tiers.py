"""Traces from two processes through two gateways, two samplers, Kafka, Jaeger and Cassandra, whole or not at all."""

import time

import pytest
from fleet import ARRIVAL_S
from native_stack import wait_until
from scale_load import SERVICE, SPANS_PER_TRACE

pytestmark = pytest.mark.scale

WINDOW_S = 15.0
"""How long before its death a sampler may have received spans without deciding on them: the longest wait and a tick."""


def test_traces_of_two_processes_are_kept_or_dropped_whole(fleet):
    """Each failed trace is there with the spans of both processes, some of the others whole, none in part."""
    load = fleet.load(300)
    assert load.spans == 300 * SPANS_PER_TRACE
    fleet.assert_failed_traces_are_whole(load)
    stored = fleet.stored(load)
    others = [number for number in stored if number not in load.failed]
    kept = [number for number in others if stored[number]]
    print(f"kept {len(load.failed)} failed traces and {len(kept)} of {len(others)} others")
    assert 0 < len(kept) < len(others) / 3


def test_span_metrics_are_counted_before_sampling_and_once(fleet):
    """While a sampler is down and batches are sent again, the gateways' counts grow by each span once."""
    total = f'sum(traces_span_metrics_calls_total{{service_name="{SERVICE}"}})'
    before = fleet.prometheus.total(total)
    with fleet.without(fleet.stack.samplers[1].program):
        load = fleet.load(100)
    expected = before + load.spans
    assert wait_until(lambda: fleet.prometheus.total(total) >= expected, ARRIVAL_S)
    assert fleet.not_whole(load, load.failed) == []
    assert fleet.prometheus.total(total) == expected
    gateways = f'count(count by (collector_instance_id) (traces_span_metrics_calls_total{{service_name="{SERVICE}"}}))'
    assert fleet.prometheus.total(gateways) == 2


def test_killed_sampler_loses_its_memory_and_nothing_else(fleet):
    """Of failed traces, only some accepted in the window before SIGKILL are missing or split; later ones are whole."""
    killed: list[float] = []
    before = fleet.accepted()

    def kill_and_start() -> None:
        assert wait_until(lambda: fleet.accepted() > before + 12000, ARRIVAL_S)
        with fleet.without(fleet.stack.samplers[0].program):
            killed.append(time.time())
            assert wait_until(lambda: fleet.accepted() > before + 14000, ARRIVAL_S)

    load = fleet.load(1800, rate=60, meanwhile=kill_and_start)
    (kill,) = killed
    in_memory = {n for n in range(load.count) if load.last[n] > kill - WINDOW_S and load.first[n] < kill}
    outside = [number for number in load.failed if number not in in_memory]
    assert min(outside) < min(in_memory) < max(in_memory) < max(outside)
    assert fleet.not_whole(load, outside) == []
    stored = fleet.stored(load)
    lost = [number for number in load.failed if stored[number] == 0]
    split = {number for number, spans in stored.items() if spans not in (0, SPANS_PER_TRACE)}
    print(f"sampler killed: {len(lost)} of {len(load.failed)} failed traces lost, {len(split)} of {load.count} split")
    assert split <= in_memory


@pytest.mark.parametrize("name", ["kafka", "trace_store", "ingester"])
def test_outage_behind_the_samplers_loses_nothing(fleet, name):
    """After Kafka, Cassandra or the ingester was down during the load, every failed trace is whole."""
    with fleet.without(getattr(fleet.stack, name)):
        load = fleet.load(200)
    fleet.assert_failed_traces_are_whole(load)


def test_killed_gateway_loses_nothing_it_accepted(fleet):
    """A gateway killed while samplers are down sends from disk what it had accepted, and its client tries again."""
    gateway = fleet.stack.gateways[0].program
    with fleet.without(*(sampler.program for sampler in fleet.stack.samplers)):
        before = fleet.load(100)

        def kill_and_start() -> None:
            with fleet.without(gateway):
                pass

        during = fleet.load(200, meanwhile=kill_and_start)
    fleet.assert_failed_traces_are_whole(before)
    fleet.assert_failed_traces_are_whole(during)


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_sampler_sends_its_last_decisions_when_it_is_back(fleet, how):
    """Decisions made while Kafka was down survive the end of both samplers on their disks."""
    samplers = [sampler.program for sampler in fleet.stack.samplers]
    decisions = 'otelcol_processor_tail_sampling_global_count_traces_sampled{tier="sampler"}'

    def decided() -> float:
        return fleet.prometheus.total(f"sum({decisions})")

    def nothing_under_way() -> bool:
        # For longer than the longest wait of a trace.
        return fleet.prometheus.total(f"sum(changes({decisions}[15s]))") == 0

    # While samplers were down in earlier tests, gateways came to wait longer between attempts to connect. Fresh ones do
    # not, so that both halves of a trace reach its sampler within its short wait after the root.
    for gateway in fleet.stack.gateways:
        gateway.program.stop()
        gateway.program.start()
    assert wait_until(nothing_under_way, ARRIVAL_S)  # from earlier tests
    with fleet.without(fleet.stack.kafka):
        before = decided()
        load = fleet.load(100)
        assert wait_until(lambda: decided() >= before + load.count and nothing_under_way(), ARRIVAL_S)
        for sampler in samplers:
            getattr(sampler, how)()
    for sampler in samplers:
        sampler.start()
    fleet.assert_failed_traces_are_whole(load)
