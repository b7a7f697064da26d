"""The demo's traces, as Jaeger returns them."""

import pytest
from backends import Jaeger, Prometheus
from demo_traffic import SERVICE, Demo
from native_stack import wait_until
from otlp_files import Span

pytestmark = pytest.mark.stack

ARRIVAL_S = 30.0
CLIENT_OPERATION = "chat gpt-4o-mini"


def stored(jaeger: Jaeger, demo: Demo) -> dict[str, Span]:
    """Return all spans of a demo from Jaeger, as soon as it has them all."""
    spans: dict[str, Span] = {}

    def complete() -> bool:
        spans.update(span for trace_id in demo.trace_ids for span in jaeger.spans(trace_id).items())
        return spans.keys() >= demo.spans.keys()

    wait_until(complete, ARRIVAL_S)
    return spans


def without_link_attributes(span: Span) -> Span:
    """Return the same span with its links as pairs of ids."""
    return span._replace(links=[link[:2] for link in span.links])


def test_every_span_arrives_as_it_was_sent(jaeger, demos):
    """Ids, parents, names, kinds, times, typed attributes, events, links, status and resource are all unchanged.

    The attributes of links are an exception: Jaeger's disk store has no place for them.
    """
    for demo in demos:
        assert {span_id: without_link_attributes(span) for span_id, span in stored(jaeger, demo).items()} == {
            span_id: without_link_attributes(span) for span_id, span in demo.spans.items()
        }


def test_the_demo_sends_what_this_must_show(demos):
    """The traffic has what the test above compares: parents, kinds, numbers, arrays, events, links and errors."""
    for demo in demos:
        spans = demo.spans.values()
        assert {span.kind for span in spans} == {1, 3}
        assert {type(value) for span in spans for value in span.attributes.values()} >= {str, int, float}
        assert any(span.parent for span in spans)
        assert any(span.events for span in spans)
        assert any(span.links for span in spans)
        assert any(span.status[0] == 2 for span in spans)


def test_traces_are_found_by_service_and_attribute(jaeger, demos):
    """Searches for an error type and for a model find exactly the traces that have them."""
    demo = demos[0]
    stored(jaeger, demo)
    assert SERVICE in jaeger.services()
    assert "jaeger" not in jaeger.services()
    for key in ("error.type", "gen_ai.agent.name"):
        values = {span.trace_id: span.attributes[key] for span in demo.spans.values() if key in span.attributes}
        for trace_id, value in values.items():
            assert trace_id in jaeger.search(SERVICE, **{key: value})


@pytest.mark.parametrize(
    ("kind", "operation"), [("client", CLIENT_OPERATION), ("internal", "invoke_agent support_agent")]
)
def test_monitor_shows_rates_and_latencies(jaeger, demos, kind, operation):
    """Jaeger's Monitor tab has calls per minute and p95 in milliseconds for client and for internal spans."""
    calls, slow = ({}, {})

    def filled() -> bool:
        calls.update(jaeger.monitor("calls", SERVICE, kind))
        slow.update(jaeger.monitor("latencies", SERVICE, kind, quantile=0.95))
        return any(calls.get(operation, [])) and any(slow.get(operation, []))

    assert wait_until(filled, ARRIVAL_S), (calls, slow)
    longest = max(span.end - span.start for demo in demos for span in demo.spans.values() if span.name == operation)
    assert 1 < max(slow[operation]) < 4 * longest / 1e6


def test_monitor_shows_errors(jaeger, demos):
    """The failed model call appears in the Monitor tab's error rate."""
    assert wait_until(lambda: any(jaeger.monitor("errors", SERVICE, "client").get(CLIENT_OPERATION, [])), ARRIVAL_S)


def test_span_metrics_count_every_span(prometheus: Prometheus, demos):
    """The collector's span metrics add up to the spans that were sent."""
    sent = sum(len(demo.spans) for demo in demos)
    query = f'sum(traces_span_metrics_calls_total{{service_name="{SERVICE}"}})'
    assert wait_until(lambda: prometheus.total(query) == sent, ARRIVAL_S), (prometheus.total(query), sent)
