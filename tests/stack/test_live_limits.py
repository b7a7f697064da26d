"""What the stack does with secrets, with excess, and with odd names."""

import re
import time

import pytest
from native_stack import HOST, NativeStack, Ports, wait_until
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import set_span_in_context
from sdk_traffic import finished_spans, many_spans, meters, one_span, over_http, sent, span_id, trace_id

pytestmark = pytest.mark.stack

ARRIVAL_S = 30.0
SECRET = "sk-abcdefghijklmnop1234"


def attributes_in(jaeger, span) -> dict:
    """Return the attributes of a span from Jaeger, as soon as it has the span."""
    assert wait_until(lambda: jaeger.spans(trace_id(span)), ARRIVAL_S)
    return jaeger.spans(trace_id(span))[span_id(span)].attributes


def test_secrets_are_masked_before_they_are_stored(stack, jaeger):
    """The collector masks attributes with a secret's key or form, and leaves token counts alone."""
    span = one_span(
        "secrets",
        api_key="plain",
        gen_ai__input__messages=f'[{{"role":"user","content":"my key is {SECRET}, keep it"}}]',
        gen_ai__usage__input_tokens=12,
        gen_ai__request__max_tokens=100,
    )
    assert sent(over_http(stack), span)
    stored = attributes_in(jaeger, span)
    assert stored["api_key"] == "****"
    assert SECRET not in stored["gen_ai.input.messages"]
    assert "keep it" in stored["gen_ai.input.messages"]
    assert (stored["gen_ai.usage.input_tokens"], stored["gen_ai.request.max_tokens"]) == (12, 100)


def test_secrets_are_masked_in_arrays(stack, jaeger):
    """An array with a secret is stored as text without it; arrays and numbers without one stay what they are."""
    span = one_span("secrets", texts=["a", f"my {SECRET}"], tags=["a", "b"], share=0.5)
    assert sent(over_http(stack), span)
    stored = attributes_in(jaeger, span)
    assert SECRET not in stored["texts"]
    assert '"a"' in stored["texts"]
    assert (stored["tags"], stored["share"]) == ('["a","b"]', 0.5)


def test_secrets_are_masked_in_labels_of_metrics(stack, prometheus):
    """A label whose key or value is a secret's reaches Prometheus masked; the other labels and the value stay."""
    with meters(stack, "secret-labels") as provider:
        counter = provider.get_meter("test").create_counter("secret.labels")
        counter.add(2, {"gen_ai.request.model": SECRET, "api_key": "plain", "gen_ai.token.type": "input"})
    series = '{__name__="secret_labels_total",gen_ai_request_model="****",api_key="****",gen_ai_token_type="input"}'
    assert wait_until(lambda: prometheus.total(series) == 2, ARRIVAL_S)
    assert SECRET not in prometheus.label_values("gen_ai_request_model", "secret_labels_total")


def test_secrets_are_masked_in_logs(tmp_path):
    """Bodies and attributes of log records, whatever their type, leave the collector masked."""
    collector = NativeStack(tmp_path, Ports.free()).collector
    (tmp_path / "detailed.yaml").write_text("exporters: {debug/logs: {verbosity: detailed}}")
    collector._command.append(f"--config={tmp_path / 'detailed.yaml'}")
    url = collector._environment["OTELCOL_HTTP_ENDPOINT"]
    collector.start()
    provider = LoggerProvider(resource=Resource({"service.name": "logs", "note": f"of {SECRET}"}))
    provider.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(f"http://{url}/v1/logs")))
    messages = [{"role": "user", "parts": [{"type": "text", "content": f"use {SECRET}, please"}]}]
    log = provider.get_logger("test")
    log.emit(body=f"text {SECRET}", attributes={"gen_ai.input.messages": messages, "api_key": "plain-key"})
    log.emit(body={"map": [f"deep {SECRET}"], "password": "plain-word"})
    provider.shutdown()
    assert wait_until(lambda: "please" in collector.log.read_text() and "deep" in collector.log.read_text(), ARRIVAL_S)
    collector.stop()
    printed = collector.log.read_text()
    assert "use ****, please" in printed
    assert not [secret for secret in (SECRET, "plain-key", "plain-word") if secret in printed]


def test_long_values_are_cut_not_lost(stack, jaeger):
    """Values of up to 5 MB are stored as their first 32 768 bytes, in spans and events, or 4096 in resources."""
    cut = "x" * 32_768
    plain = one_span("long", text="x" * 5_000_000)
    eventful = one_span("y" * 100_000, text="x" * 100_000, event="x" * 100_000)
    for span in (plain, eventful):
        assert sent(over_http(stack), span)
    assert attributes_in(jaeger, plain)["text"] == cut
    assert attributes_in(jaeger, eventful)["text"] == cut
    stored = jaeger.spans(trace_id(eventful))[span_id(eventful)]
    assert stored.events[0][2]["text"] == cut
    assert stored.resource["service.name"] == "y" * 4096


def test_a_long_array_loses_only_its_span(stack, jaeger):
    """The limit does not apply inside arrays: a span with 70 000 bytes in one is lost, others of its message stay."""
    lost, kept = one_span("array", texts=["x" * 35_000, "y" * 35_000]), one_span("array", texts=["short"])
    assert sent(over_http(stack), lost, kept)
    assert attributes_in(jaeger, kept)["texts"] == '["short"]'
    assert not jaeger.spans(trace_id(lost))


def test_spans_that_cannot_be_stored_do_not_block(stack, jaeger):
    """Many messages with a span that Jaeger drops do not block the next ones."""
    for _ in range(12):
        assert sent(over_http(stack), one_span("array", texts=["x" * 70_000]))
    kept = one_span("array", text="x")
    assert sent(over_http(stack), kept)
    assert attributes_in(jaeger, kept)["text"] == "x"


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_message_of_17_mb_is_refused(stack, jaeger, protocol):
    """A message above 16 MiB is refused on both protocols; the next one is accepted."""
    exporter = {
        "http": lambda: over_http(stack),
        "grpc": lambda: OTLPSpanExporter(f"{HOST}:{stack.ports.otlp_grpc}", insecure=True, timeout=2),
    }[protocol]
    too_big, next_one = one_span("big", text="x" * 17_000_000), one_span("big", text="x")
    assert not sent(exporter(), too_big)
    assert sent(exporter(), next_one)
    assert attributes_in(jaeger, next_one)["text"] == "x"
    assert not jaeger.spans(trace_id(too_big))


def test_made_up_names_do_not_fill_the_store(stack, prometheus):
    """10 000 different tool names yield at most 2000 series of span metrics; the count of spans stays right."""
    spans = many_spans("many-names", [f"execute_tool t{number}" for number in range(10_000)])
    assert sent(over_http(stack), *spans)
    calls = 'traces_span_metrics_calls_total{service_name="many-names"}'
    assert wait_until(lambda: prometheus.total(f"sum({calls})") == len(spans), ARRIVAL_S)
    assert prometheus.total(f"count({calls})") <= 2001


@pytest.mark.parametrize("name", ['quo"ted', "back\\slash", "spa ce/β", "a{b}=~|.*", "x" * 500])
def test_odd_model_names_are_kept(stack, prometheus, name):
    """A model's name is a label value that a board can list and select, whatever its characters."""
    duration = "gen_ai_client_operation_duration_seconds_count"
    with meters(stack, "odd-names") as provider:
        histogram = provider.get_meter("test").create_histogram("gen_ai.client.operation.duration", unit="s")
        histogram.record(1, {"gen_ai.request.model": name})
    assert wait_until(
        lambda: name in prometheus.label_values("gen_ai_request_model", f'{duration}{{job="odd-names"}}'), ARRIVAL_S
    )
    escaped = re.escape(name).replace("\\", "\\\\").replace('"', '\\"')
    assert prometheus.total(f'sum({duration}{{gen_ai_request_model=~"{escaped}"}})') == 1


def test_a_skewed_clock_is_shown_as_it_is(stack, jaeger):
    """A child that seems to begin an hour before its parent keeps its times: Jaeger does not shift spans."""
    hour, now = 3_600_000_000_000, time.time_ns()
    with finished_spans("skewed") as (tracer, spans):
        parent = tracer.start_span("parent", start_time=now)
        child = tracer.start_span("child", set_span_in_context(parent), start_time=now - hour)
        child.end(now - hour + 1000)
        parent.end(now + 1000)
        both = spans()
    assert sent(over_http(stack), *both)
    assert wait_until(lambda: len(jaeger.spans(trace_id(both[0]))) == 2, ARRIVAL_S)
    stored = jaeger.spans(trace_id(both[0]))
    assert {span.name: (span.start, span.end) for span in stored.values()} == {
        "parent": (now, now + 1000),
        "child": (now - hour, now - hour + 1000),
    }


def test_log_records_are_accepted(stack):
    """An application that also exports logs sees no failure, although this stack stores none."""
    exporter = OTLPLogExporter(f"{stack.url(stack.ports.otlp_http)}/v1/logs")
    provider = LoggerProvider()
    processor = BatchLogRecordProcessor(exporter)
    provider.add_log_record_processor(processor)
    provider.get_logger("test").emit(event_name="gen_ai.evaluation.result", body="good")
    assert provider.force_flush()
    provider.shutdown()
    assert wait_until(lambda: '"log records": 1' in stack.collector.log.read_text(), ARRIVAL_S)
