"""What samplers keep besides failed traces, how large a trace may be, and what can be searched for."""

import pytest
from fleet import ARRIVAL_S
from native_stack import HOST, wait_until
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.trace import Status, StatusCode
from sdk_traffic import finished_spans, many_spans, sent, trace_id

pytestmark = pytest.mark.scale

NAMES = ["chat m"] * 5
KEPT = {
    "slow": {"seconds": 20.0},
    "input tokens": {"gen_ai__usage__input_tokens": 60_000},
    "output tokens": {"gen_ai__usage__output_tokens": 20_000},
    "a call's cost": {"otel_callbacks__cost__usd": 0.75},
    "a run's cost": {"otel_callbacks__cost__total_usd": 1.5},
}


def to_gateway(fleet, number: int = 0) -> OTLPSpanExporter:
    """Make an exporter to a gateway."""
    return OTLPSpanExporter(endpoint=f"{HOST}:{fleet.stack.gateways[number].grpc}", insecure=True)


def test_slow_and_expensive_traces_are_kept(fleet):
    """Every slow trace, and every one with many tokens or a high cost, is stored; of cheap ones only a share is."""
    cheap = many_spans("policies", ["chat m"] * 60, otel_callbacks__cost__usd=0.25, gen_ai__usage__input_tokens=40_000)
    assert sent(to_gateway(fleet), *cheap)
    for number, attributes in enumerate(KEPT.values()):
        spans = many_spans("policies", NAMES, **attributes)
        assert sent(to_gateway(fleet, number % 2), *spans)
        for span in spans:
            assert wait_until(lambda span=span: fleet.spans(trace_id(span)) == 1, ARRIVAL_S)
    assert sum(fleet.spans(trace_id(span)) for span in cheap) < len(cheap) / 2


def test_a_service_has_a_rate_of_its_own(fleet):
    """All traces of the service that the policy names are stored while they are few."""
    spans = many_spans("otel-callbacks-demo", ["chat m"] * 20)
    assert sent(to_gateway(fleet), *spans)
    for span in spans:
        assert wait_until(lambda span=span: fleet.spans(trace_id(span)) == 1, ARRIVAL_S)


def test_a_large_trace_arrives_whole(fleet):
    """A failed trace of 14 MB, more than Kafka takes in a message, is stored with every span."""
    with finished_spans("large") as (tracer, finished):
        with tracer.start_as_current_span("root") as root:
            root.set_status(Status(StatusCode.ERROR))
            for _ in range(12):
                tracer.start_span("step", attributes={f"text.{n}": f"{n} " * 10_000 for n in range(40)}).end()
        spans = finished()
    for first in range(0, len(spans), 4):
        assert sent(to_gateway(fleet, first % 2), *spans[first : first + 4])
    assert wait_until(lambda: fleet.spans(trace_id(spans[0])) == len(spans), ARRIVAL_S)


def test_indexed_attributes_can_be_searched_for(fleet):
    """Traces are found by service and by each listed attribute, and not by one that is not listed."""
    attributes = {
        "error.type": "RateLimitError",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.conversation.id": "c-1",
        "gen_ai.agent.name": "helper",
        "gen_ai.provider.name": "openai",
    }
    span = many_spans("searched", ["chat m"], seconds=20.0, **attributes)[0]
    assert sent(to_gateway(fleet), span)
    assert wait_until(lambda: fleet.search("searched") == {trace_id(span)}, ARRIVAL_S)
    searchable = {key for key, value in attributes.items() if fleet.search("searched", **{key: value})}
    assert searchable == attributes.keys() - {"gen_ai.provider.name"}
