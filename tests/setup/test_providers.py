import io
import json
import random
import sys

import pytest
from opentelemetry import _logs, metrics, trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk import _logs as sdk_logs
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

import otel_callbacks
from otel_callbacks import Config, providers
from otel_callbacks._setup import exporters
from tests.support import otlp_server
from tests.support.models import ScriptedChat
from tests.support.otlp_server import Received


def use(telemetry):
    """Make one traced model call and a log record, and export everything."""
    ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [telemetry.handler]})
    _logs.get_logger("test").emit(log_record())
    return telemetry.flush(30)


def messages(caplog):
    """Return what this package logged."""
    return [record.getMessage() for record in caplog.records if record.name == "otel_callbacks"]


def log_record():
    """Return a record as the installed SDK takes it: older ones want their own kind, complete."""
    fields = {"body": "hello", "severity_number": SeverityNumber.INFO}
    if not hasattr(sdk_logs, "LogRecord"):
        return LogRecord(**fields)
    return sdk_logs.LogRecord(**fields, resource=getattr(trace.get_tracer_provider(), "resource", None))


def test_one_line_exports_all_signals_over_http(setup, receiver: Received):
    """`setup(endpoint=...)` sets all three providers; spans, measurements and log records arrive, under one service."""
    assert use(setup("support-bot", endpoint=receiver.url)) is True
    assert {"chat", "gen_ai.client.operation.duration", "hello"} <= set(receiver.names())
    assert sorted(receiver.headers) == ["/v1/logs", "/v1/metrics", "/v1/traces"]
    resources = receiver.resources()
    assert {resource["service.name"] for resource in resources} == {"support-bot"}
    assert len({resource["service.instance.id"] for resource in resources}) == 1


@pytest.mark.parametrize("by", ["argument", "variable"])
def test_grpc_on_request(setup, monkeypatch, by):
    """`protocol="grpc"` or ``OTEL_EXPORTER_OTLP_PROTOCOL=grpc`` sends all signals by gRPC."""
    with otlp_server.grpc_server() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        if by == "variable":
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
            telemetry = setup()
        else:
            telemetry = setup(endpoint=receiver.url, protocol="grpc")
        assert use(telemetry) is True
        assert {"chat", "gen_ai.client.operation.duration", "hello"} <= set(receiver.names())
        telemetry.shutdown()


def test_each_signal_may_have_its_own_protocol_and_address(setup, monkeypatch, receiver: Received):
    """Per-signal variables win over the general ones; "none" leaves a signal out."""
    with otlp_server.grpc_server() as traces:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", traces.url)
        monkeypatch.setenv("OTEL_LOGS_EXPORTER", "none")
        telemetry = setup()
        assert use(telemetry) is True
        assert traces.names() == ["chat"]
        assert sorted(receiver.headers) == ["/v1/metrics"]
        telemetry.shutdown()


def test_standard_variables_are_honoured(setup, monkeypatch, receiver: Received):
    """Service, resource, headers, compression, sampler argument, limits: the SDK's variables apply here as well."""
    for name, value in {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_EXPORTER_OTLP_HEADERS": "x-key=secret",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "base2_exponential_bucket_histogram",
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta",
        "OTEL_SERVICE_NAME": "by-variable",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "3",
    }.items():
        monkeypatch.setenv(name, value)
    assert use(setup()) is True
    resource = receiver.resources()[0]
    assert (resource["service.name"], resource["deployment.environment.name"]) == ("by-variable", "test")
    assert {headers["x-key"] for headers in receiver.headers.values()} == {"secret"}
    assert {headers["content-encoding"] for headers in map(_lower, receiver.headers.values())} == {"gzip"}
    assert [len(span.attributes) for span in receiver.spans()] == [3]
    (duration,) = [one for one in receiver.metrics() if one.name == "gen_ai.client.operation.duration"]
    assert duration.exponential_histogram.aggregation_temporality == 1
    assert len(duration.exponential_histogram.data_points) == 1


def _lower(headers):
    return {name.lower(): value for name, value in headers.items()}


def test_measurements_carry_exemplars_of_their_spans(setup, receiver: Received):
    """A histogram's exemplar names the span that was measured."""
    use(setup(endpoint=receiver.url))
    (duration,) = [one for one in receiver.metrics() if one.name == "gen_ai.client.operation.duration"]
    (span,) = receiver.spans()
    assert [one.span_id for point in duration.histogram.data_points for one in point.exemplars] == [span.span_id]


def test_argument_wins_over_the_variable(setup, monkeypatch, receiver: Received):
    """Service name and address in code win over the variables."""
    monkeypatch.setenv("OTEL_SERVICE_NAME", "by-variable")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://nobody.invalid")
    use(setup("by-argument", endpoint=receiver.url))
    assert receiver.resources()[0]["service.name"] == "by-argument"


def test_sampler_of_the_variable_is_used(setup, monkeypatch, receiver: Received):
    """With ``OTEL_TRACES_SAMPLER=always_off`` no span leaves, but measurements do."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    use(setup(endpoint=receiver.url))
    assert receiver.spans() == []
    assert "gen_ai.client.operation.duration" in receiver.names()


@pytest.fixture
def plugins(monkeypatch, tmp_path):
    """Install a package that registers exporters, readers, samplers and id generators."""
    (tmp_path / "plugged.py").write_text(PLUGGED)
    info = tmp_path / "plugged-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "".join(f"[opentelemetry_{group}]\nplugged = plugged:{name}\n" for group, name in GROUPS.items())
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda: sys.modules["plugged"]
    sys.modules.pop("plugged", None)


GROUPS = {
    "traces_exporter": "Spans",
    "metrics_exporter": "Reader",
    "logs_exporter": "Logs",
    "traces_sampler": "sampler",
    "id_generator": "Ids",
}
PLUGGED = """
from opentelemetry.sdk._logs.export import ConsoleLogExporter as Logs
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

instances = {}

class Spans(InMemorySpanExporter):
    def __init__(self):
        super().__init__()
        instances["spans"] = self

class Reader(InMemoryMetricReader):
    def __init__(self):
        super().__init__()
        instances["reader"] = self

class Ids(RandomIdGenerator):
    def generate_trace_id(self):
        return 42

def sampler(argument):
    return ALWAYS_OFF if argument == "never" else ALWAYS_ON
"""


@pytest.mark.parametrize("argument", ["always", "never"])
def test_registrations_of_other_packages_can_be_named(setup, monkeypatch, plugins, argument):
    """Exporters, metric readers, samplers and id generators of other packages are found by their registered names."""
    for name in ("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_TRACES_SAMPLER", "OTEL_PYTHON_ID_GENERATOR"):
        monkeypatch.setenv(name, "plugged")
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "none")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", argument)
    assert use(setup()) is True
    instances = plugins().instances
    trace_ids = [span.context.trace_id for span in instances["spans"].get_finished_spans()]
    assert trace_ids == ([42] if argument == "always" else [])
    assert instances["reader"].get_metrics_data() is not None


def test_unknown_names_are_reported_with_the_installed_ones(setup, monkeypatch, caplog):
    """An unknown exporter, protocol, sampler or id generator costs one warning each, and the default applies."""
    for name, value in {
        "OTEL_TRACES_EXPORTER": "zipkin",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "carrier-pigeon",
        "OTEL_TRACES_SAMPLER": "sometimes",
        "OTEL_PYTHON_ID_GENERATOR": "dice",
    }.items():
        monkeypatch.setenv(name, value)
    assert exporters.protocol_of("traces") == "http/protobuf"
    setup()
    lines = messages(caplog)
    assert any("'carrier-pigeon' ignored: must be one of http/protobuf, grpc" in line for line in lines)
    assert any(
        "OTEL_TRACES_EXPORTER: 'zipkin' is not installed; installed:" in line and "otlp_proto" in line for line in lines
    )
    assert any("OTEL_TRACES_SAMPLER: 'sometimes' is not installed" in line and "always_off" in line for line in lines)
    assert any("OTEL_PYTHON_ID_GENERATOR: 'dice' is not installed" in line and "random" in line for line in lines)


@pytest.mark.parametrize(
    ("variable", "value", "start"),
    [
        ("OTEL_BSP_SCHEDULE_DELAY", "-1", "OTEL_BSP_... ignored"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1000000", "OTEL_BSP_... ignored"),
        ("OTEL_BLRP_MAX_QUEUE_SIZE", "0", "OTEL_BLRP_... ignored"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0", "OTEL_METRIC_EXPORT_INTERVAL ignored"),
        ("OTEL_METRICS_EXEMPLAR_FILTER", "bogus", "OTEL_METRICS_EXEMPLAR_FILTER ignored"),
    ],
)
def test_values_that_the_sdk_rejects_are_reported_and_ignored(
    setup, monkeypatch, caplog, receiver: Received, variable, value, start
):
    """A variable for which the SDK raises costs one warning, and everything leaves by the defaults."""
    monkeypatch.setenv(variable, value)
    assert use(setup(endpoint=receiver.url)) is True
    assert {"chat", "gen_ai.client.operation.duration", "hello"} <= set(receiver.names())
    (warning,) = messages(caplog)
    assert warning.startswith(start)


def test_exporter_that_rejects_its_variables_is_left_out(setup, monkeypatch, caplog):
    """The gRPC exporter raises for an unknown compression: that costs one warning per signal and nothing else."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "zip")
    use(setup(endpoint="http://localhost:1", protocol="grpc"))
    assert [line.partition(": ")[0] for line in messages(caplog)] == ["traces", "metrics", "logs"]
    assert all("OTEL_EXPORTER_OTLP_COMPRESSION" in line for line in messages(caplog))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"console": "loud"}, r"console='loud': must be True, False or 'live'"),
        ({"endpoint": "localhost:4318"}, r"endpoint='localhost:4318': must be an address such as http://"),
        ({"protocol": "http/json"}, r"protocol='http/json': must be one of http/protobuf, grpc"),
    ],
)
def test_wrong_arguments_name_the_valid_ones(options, message):
    """An invalid value is an error before anything is set up."""
    with pytest.raises(ValueError, match=message):
        otel_callbacks.setup(**options)
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def test_config_goes_to_the_handler(setup, receiver: Received):
    """The handler gets its options from `config`."""
    assert setup(endpoint=receiver.url, config=Config(detail="all")).handler.config.detail == "all"


def test_providers_that_are_set_stay(setup, caplog, telemetry, receiver: Received):
    """The application's tracer provider gets the spans and stays; missing ones are set; one warning says so."""
    trace.set_tracer_provider(telemetry.tracer_provider)
    result = setup(endpoint=receiver.url)
    assert trace.get_tracer_provider() is telemetry.tracer_provider
    assert isinstance(metrics.get_meter_provider(), MeterProvider)
    assert messages(caplog) == ["setup() keeps the providers that are set already, and where they send: traces"]
    assert use(result) is True
    assert [span.name for span in telemetry.spans] == ["chat"]
    assert "gen_ai.client.operation.duration" in receiver.names()
    result.shutdown()
    telemetry.tracer.start_span("later").end()
    assert [span.name for span in telemetry.spans] == ["chat", "later"]


def test_second_call_sets_up_nothing_twice(setup, caplog, receiver: Received):
    """When a notebook's cell runs again, the first providers stay and each span leaves once."""
    setup(endpoint=receiver.url)
    provider = trace.get_tracer_provider()
    assert use(setup(endpoint=receiver.url)) is True
    assert trace.get_tracer_provider() is provider
    assert len(receiver.spans()) == 1
    assert "keeps the providers that are set already, and where they send: traces, metrics, logs" in caplog.text


def test_disabled_sdk_sets_up_nothing(setup, monkeypatch, tmp_path):
    """``OTEL_SDK_DISABLED=true`` sets no provider and makes no file; the handler can be used and does nothing."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    telemetry = setup(console=True, files=tmp_path / "traces")
    assert use(telemetry) is True
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    assert list(tmp_path.iterdir()) == []
    assert telemetry.shutdown() is True


def test_configuration_file_is_left_to_others(setup, monkeypatch, caplog, receiver: Received):
    """``OTEL_CONFIG_FILE`` is not read, and a warning says what reads it."""
    monkeypatch.setenv("OTEL_CONFIG_FILE", "otel.yaml")
    setup(endpoint=receiver.url)
    assert "setup() does not read OTEL_CONFIG_FILE; `opentelemetry-instrument` does" in caplog.text


def test_console_draws_on_stderr_and_a_missing_collector_costs_one_warning(setup, capsys, caplog):
    """With `console=True` and no collector there is the tree, one warning, and no export that could fail."""
    telemetry = setup(console=True)
    assert use(telemetry) is True
    assert "chat" in capsys.readouterr().err
    (warning,) = messages(caplog)
    assert warning.startswith("nothing listens at http://127.0.0.1:")
    assert warning.endswith(": no OTLP is sent")


def test_live_console_prints_spans_as_they_end(setup, monkeypatch):
    """`console="live"` on a terminal prints a child before its root ends."""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    setup(console="live")
    tracer = trace.get_tracer("test")
    with tracer.start_as_current_span("root"):
        tracer.start_span("child").end()
        assert "child" in screen.getvalue()
        assert "root" not in screen.getvalue()
    assert "root" in screen.getvalue()


def test_console_and_collector_together(setup, capsys, receiver: Received):
    """With an address, the tree is drawn and everything is sent."""
    assert use(setup(console=True, endpoint=receiver.url)) is True
    assert "chat" in capsys.readouterr().err
    assert "chat" in receiver.names()


def test_files_hold_all_signals(setup, tmp_path):
    """`files="traces/"` writes OTLP JSON lines, one file per signal."""
    pytest.importorskip("opentelemetry.exporter.otlp.json.file")
    telemetry = setup("support-bot", files=tmp_path / "traces")
    assert use(telemetry) is True
    files = {path.name: path.read_text() for path in (tmp_path / "traces").iterdir()}
    assert sorted(files) == ["logs.jsonl", "metrics.jsonl", "traces.jsonl"]
    (spans,) = map(json.loads, files["traces.jsonl"].splitlines())
    (span,) = spans["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert span["name"] == "chat"
    assert all("support-bot" in text for text in files.values())


def test_missing_files_extra_leaves_nothing_set_up(setup, monkeypatch, tmp_path):
    """Without the extra, one line names it, and no provider is half set up."""
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.json.file", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'otel-callbacks\[files\]'"):
        setup(files=tmp_path)
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def test_missing_collector_is_reported_once(setup, caplog, monkeypatch):
    """If nothing listens at the default address, one warning at set-up says what that means."""
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    setup()
    (warning,) = messages(caplog)
    assert warning.endswith(": no telemetry leaves")


def test_default_address_with_a_collector_is_used_beside_the_console(setup, monkeypatch, caplog, receiver: Received):
    """With `console=True` and a collector at the default address, nothing is left out and nothing warns."""
    monkeypatch.setattr(exporters, "DEFAULT_ADDRESSES", {"http/protobuf": receiver.url})
    signals = []
    monkeypatch.setattr(providers, "exporters_of", lambda signal, *_: signals.append(signal) or [])
    setup(console=True)
    assert signals == ["traces", "metrics", "logs"]
    assert messages(caplog) == []


def test_flush_says_when_the_back_end_refused(setup):
    """`flush` returns False if a collector answers 400, although nothing raises or hangs."""
    with otlp_server.http_server(status=400) as receiver:
        telemetry = setup(endpoint=receiver.url)
        assert use(telemetry) is False
        telemetry.shutdown()


def test_block_shuts_down(receiver: Received):
    """At the end of the block everything has left, and later runs are not recorded."""
    with otel_callbacks.setup(endpoint=receiver.url) as telemetry:
        ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [telemetry.handler]})
    assert "chat" in receiver.names()
    ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [telemetry.handler]})
    assert len(receiver.spans()) == 1


def test_shutdown_ends_open_runs(receiver: Received):
    """A stream that is still being read at shutdown leaves as abandoned."""
    telemetry = otel_callbacks.setup(endpoint=receiver.url)
    stream = ScriptedChat(script=["hi"]).stream("x", {"callbacks": [telemetry.handler]})
    next(stream)
    assert telemetry.shutdown(60) is True
    (span,) = receiver.spans()
    outcomes = [pair.value.string_value for pair in span.attributes if pair.key == "otel_callbacks.outcome"]
    assert outcomes == ["abandoned"]
    stream.close()


def test_shutdown_returns_whether_everything_left(closed_port, monkeypatch):
    """With nothing listening, `shutdown` returns False."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.1")
    telemetry = otel_callbacks.setup(endpoint=closed_port)
    ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [telemetry.handler]})
    assert telemetry.shutdown(60) is False


def test_seeding_random_does_not_repeat_traces(setup, receiver: Received):
    """`random.seed()` in the application, as in tests and simulations, does not affect ids."""
    setup(endpoint=receiver.url)
    tracer = trace.get_tracer("test")
    ids = set()
    for _ in range(3):
        random.seed(7)
        context = tracer.start_span("x").get_span_context()
        ids |= {context.trace_id, context.span_id}
        assert context.is_valid
    assert len(ids) == 6
    random.seed(7)
    repeated = TracerProvider(shutdown_on_exit=False).get_tracer("sdk").start_span("x").get_span_context().trace_id
    random.seed(7)
    assert TracerProvider(shutdown_on_exit=False).get_tracer("sdk").start_span("x").get_span_context().trace_id == (
        repeated
    )
