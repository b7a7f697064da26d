"""Tail sampling: whole traces kept or dropped, metrics complete."""

import pytest
from backends import Jaeger, Prometheus
from demo_traffic import SERVICE, run_demo
from native_stack import NativeStack, Ports, wait_until
from sdk_traffic import one_span, over_http, sent, trace_id

pytestmark = pytest.mark.stack

ARRIVAL_S = 60.0


@pytest.fixture
def sampled_stack(tmp_path, monkeypatch):
    """The stack with TRACE_SAMPLING=tail, deciding after two seconds and keeping nothing but failed and slow traces."""
    monkeypatch.setenv("OTELCOL_TAIL_WAIT", "2s")
    monkeypatch.setenv("OTELCOL_TAIL_PERCENT", "0")
    with NativeStack(tmp_path / "stack", Ports.free(), sampling="tail", interval="1s") as running:
        yield running


def test_failed_traces_are_kept_whole_and_metrics_stay_complete(sampled_stack, tmp_path):
    """Every span of every failed trace is stored, none of the others; span metrics and the app's metrics count all."""
    demo = run_demo(sampled_stack, tmp_path / "demo")
    jaeger = Jaeger(sampled_stack.url(sampled_stack.ports.jaeger_ui))
    prometheus = Prometheus(sampled_stack.url(sampled_stack.ports.prometheus))
    failed = {span.trace_id for span in demo.spans.values() if span.status[0] == 2}
    assert failed
    assert failed < demo.trace_ids
    expected = {span_id for span_id, span in demo.spans.items() if span.trace_id in failed}

    def stored() -> set[str]:
        return {span_id for trace_id in demo.trace_ids for span_id in jaeger.spans(trace_id)}

    assert wait_until(lambda: stored() >= expected, ARRIVAL_S)
    assert stored() == expected
    all_spans = f'sum(traces_span_metrics_calls_total{{service_name="{SERVICE}"}})'
    assert wait_until(lambda: prometheus.total(all_spans) == len(demo.spans), ARRIVAL_S)
    assert prometheus.total(f'otel_callbacks_runs_total{{job="{demo.job}"}}') == sum(demo.truth["runs"].values())


def test_slow_traces_are_kept(sampled_stack):
    """A trace of 20 s is stored although nothing failed; one of 1 s is not."""
    jaeger = Jaeger(sampled_stack.url(sampled_stack.ports.jaeger_ui))
    slow, quick = one_span("sampled", seconds=20), one_span("sampled", seconds=1)
    assert sent(over_http(sampled_stack), quick, slow)
    assert wait_until(lambda: jaeger.spans(trace_id(slow)), ARRIVAL_S)
    assert not jaeger.spans(trace_id(quick))
