"""The real docker-compose.scale.yml, over docker-compose.yml, on a real engine."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, NamedTuple

import pytest
from backends import Prometheus
from demo_traffic import run_demo
from docker_engine import engine, run
from fleet import collector_at, span_ids, summed
from native_stack import HOST, free_ports, wait_until
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Status, StatusCode
from sdk_traffic import finished_spans, sent, span_id, trace_id
from stand_ins import images, published
from tier_stand_ins import tiers

pytestmark = pytest.mark.scale

ROOT = Path(__file__).resolve().parents[2]
FILES = (ROOT / "docker-compose.yml", ROOT / "docker-compose.scale.yml")
PROJECT = "otel-callbacks-scale-test"
# Decisions, counts and scrapes happen at the shipped intervals.
ARRIVAL_S = 120.0
CHECKED = ("cassandra", "grafana", "jaeger", "jaeger-ingester", "kafka", "long-term-store", "prometheus")
COLLECTORS = ("otel-collector", "otel-collector-2", "otel-sampler-1", "otel-sampler-2")
ONE_SHOT = ("scale-volumes", "volumes")
PORTS = (
    *("OTLP_GRPC_PORT", "OTLP_HTTP_PORT", "OTELCOL_HEALTH_PORT"),
    *("OTLP_GRPC_PORT_2", "OTLP_HTTP_PORT_2", "OTELCOL_HEALTH_PORT_2"),
    *("JAEGER_UI_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT"),
)


class Composed(NamedTuple):
    """A project: its compose files, ports by variable, and the environment in which commands reach it."""

    files: tuple[Path, ...]
    ports: dict[str, int]
    environment: dict[str, str]

    def compose(self, *arguments: str) -> CompletedProcess[str]:
        """Run `docker compose`, which must succeed."""
        files = [part for file in self.files for part in ("--file", str(file))]
        done = run("docker", "compose", *files, *arguments, environment=self.environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def up(self, *options: str) -> None:
        """Start everything, as documented."""
        self.compose("up", "-d", "--wait", *options)

    def containers(self) -> dict[str, Any]:
        """Return what the engine knows about each service's container."""
        ids = self.compose("ps", "--all", "--quiet").stdout.split()
        inspected = json.loads(run("docker", "inspect", *ids, environment=self.environment).stdout)
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in inspected}

    def in_container(self, service: str, *command: str) -> CompletedProcess[str]:
        """Run a command in a service's container."""
        return run("docker", "exec", f"{PROJECT}-{service}-1", *command, environment=self.environment)

    def gateway(self, number: int) -> OTLPSpanExporter:
        """Make an exporter to the first or second gateway."""
        port = self.ports[("OTLP_GRPC_PORT", "OTLP_GRPC_PORT_2")[number]]
        return OTLPSpanExporter(endpoint=f"{HOST}:{port}", insecure=True)

    @property
    def prometheus(self) -> Prometheus:
        """The API of Prometheus."""
        return Prometheus(f"http://{HOST}:{self.ports['PROMETHEUS_PORT']}")

    def samplers(self, counter: str) -> float:
        """Return the current sum of a counter over both samplers."""
        addresses = (f"http://otel-sampler-{number}:8888/metrics" for number in (1, 2))
        return summed(
            counter,
            (self.in_container("prometheus", "wget", "-q", "-O", "-", address).stdout for address in addresses),
        )

    def long_term_total(self, expression: str) -> float:
        """Return the one number that an expression gives in the long-term store, which publishes no port."""
        query = ("/bin/promtool", "query", "instant", "-o", "json", "http://127.0.0.1:9090", expression)
        series = json.loads(self.in_container("long-term-store", *query).stdout)
        return sum(float(one["value"][1]) for one in series)

    def send_failed(self, *gateways: int) -> tuple[ReadableSpan, ...]:
        """Send a failed trace, each span to the next of these gateways, and return its spans."""
        spans = failed_trace()
        for number, span in enumerate(spans):
            assert sent(self.gateway(gateways[number % len(gateways)]), span)
        return spans

    def has_whole(self, spans: tuple[ReadableSpan, ...]) -> bool:
        """Tell whether Jaeger comes to have exactly these spans of their trace."""
        jaeger = f"http://{HOST}:{self.ports['JAEGER_UI_PORT']}"
        expected = {span_id(span) for span in spans}
        return wait_until(lambda: span_ids(jaeger, trace_id(spans[0])) == expected, ARRIVAL_S)


def failed_trace() -> tuple[ReadableSpan, ...]:
    """Make four spans, of which an inner one failed."""
    with finished_spans("composed") as (tracer, finished):
        with tracer.start_as_current_span("root"):
            with tracer.start_as_current_span("step") as step:
                step.set_status(Status(StatusCode.ERROR))
                tracer.start_span("tool").end()
            tracer.start_span("step").end()
        return finished()


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    """Run the tiers of both compose files, with their own project and ports."""
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    with engine(tmp_path_factory.mktemp("compose")) as client:
        environment = {
            **client,
            **images(client, published(*FILES), tiers),
            **{name: str(port) for name, port in ports.items()},
            "COMPOSE_PROJECT_NAME": PROJECT,
        }
        running = Composed(FILES, ports, environment)
        try:
            running.up()
            yield running
        finally:
            running.compose("down", "--volumes", "--timeout", "5")


@pytest.fixture(scope="module")
def demo(composed, tmp_path_factory):
    """Run the demo through the second gateway."""
    return run_demo(collector_at(composed.ports["OTLP_HTTP_PORT_2"]), tmp_path_factory.mktemp("demo"))


def test_up_makes_everything_healthy(composed):
    """After `up --wait` services with a health check are healthy, collectors run, and the volumes are prepared."""
    states = {name: one["State"] for name, one in composed.containers().items()}
    assert states.keys() == {*CHECKED, *COLLECTORS, *ONE_SHOT}
    assert {states[name]["Health"]["Status"] for name in CHECKED} == {"healthy"}
    assert {states[name]["Status"] for name in COLLECTORS} == {"running"}
    assert {(states[name]["Status"], states[name]["ExitCode"]) for name in ONE_SHOT} == {("exited", 0)}


@pytest.mark.parametrize("gateways", [(0,), (1,), (0, 1)], ids=["first", "second", "split over both"])
def test_failed_trace_is_stored_whole(composed, gateways):
    """A failed trace that comes through either gateway, or in parts through both, is in Jaeger with every span."""
    assert composed.has_whole(composed.send_failed(*gateways))


def test_metrics_are_in_prometheus_and_in_the_long_term_store(composed, demo):
    """The tracer's counts and the span metrics of the demo are exact in both."""
    runs = f'sum(last_over_time(otel_callbacks_runs_total{{job="{demo.job}"}}[1h]))'
    spans = f'sum(last_over_time(traces_span_metrics_calls_total{{job="{demo.job}"}}[1h]))'
    expected = [sum(demo.truth["runs"].values()), len(demo.spans)]
    for total in (composed.prometheus.total, composed.long_term_total):
        assert wait_until(lambda total=total: [total(runs), total(spans)] == expected, ARRIVAL_S)


def test_every_tier_is_scraped(composed):
    """Prometheus in its container reaches each gateway, sampler and Jaeger, and all its rules are healthy."""
    up = 'count(up{job=~"otel-collector|jaeger"} == 1)'
    assert wait_until(lambda: composed.prometheus.total(up) == 6, ARRIVAL_S)
    assert wait_until(lambda: all(rule["health"] == "ok" for rule in composed.prometheus.rules()), ARRIVAL_S)


def test_no_program_is_root_or_can_write_to_its_image(composed):
    """Every lasting program runs as its own user, and the root of those with a shell is read-only."""
    for name in (*CHECKED, *COLLECTORS):
        top = run("docker", "top", f"{PROJECT}-{name}-1", "-eo", "pid,uid", environment=composed.environment)
        users = {line.split()[1] for line in top.stdout.splitlines()[1:]}
        assert users
        assert "0" not in users, name
    for name in CHECKED:
        refused = composed.in_container(name, "sh", "-c", "echo x > /x")
        assert refused.returncode != 0
        assert "read-only" in refused.stderr.lower()


def test_only_loopback_is_published(composed):
    """Gateways, Jaeger's and Grafana's pages and Prometheus are on 127.0.0.1; samplers and stores publish no port."""
    listening = {
        (binding["HostIp"], int(binding["HostPort"]))
        for one in composed.containers().values()
        for bindings in (one["HostConfig"]["PortBindings"] or {}).values()
        for binding in bindings
    }
    assert listening == {(HOST, port) for port in composed.ports.values()}


def assert_nothing_was_restarted_or_refused(composed: Composed) -> None:
    """No container was restarted, and no log mentions a denied permission."""
    assert {name for name, one in composed.containers().items() if one["RestartCount"]} == set()
    logs = composed.compose("logs", "--no-color").stdout
    assert re.findall("^.*(?:permission denied|not permitted|read-only).*$", logs, re.IGNORECASE | re.MULTILINE) == []


def test_first_start_needs_no_second(composed):
    """On empty volumes every program starts in this order at the first attempt, and can write where it needs to."""
    assert_nothing_was_restarted_or_refused(composed)


def test_everything_survives_down_and_up(composed, demo):
    """What is in the queues of gateways or samplers, in Kafka, Cassandra or the long-term store outlives containers."""
    in_cassandra = composed.send_failed(0, 1)
    assert composed.has_whole(in_cassandra)
    composed.compose("stop", "jaeger-ingester")
    before = composed.samplers("otelcol_exporter_sent_spans")
    in_kafka = composed.send_failed(0, 1)
    expected = before + len(in_kafka)
    assert wait_until(lambda: composed.samplers("otelcol_exporter_sent_spans") == expected, ARRIVAL_S)
    composed.compose("stop", "kafka")
    decided = composed.samplers("otelcol_processor_tail_sampling_global_count_traces_sampled")
    in_samplers = composed.send_failed(0, 1)
    assert wait_until(
        lambda: composed.samplers("otelcol_processor_tail_sampling_global_count_traces_sampled") > decided, ARRIVAL_S
    )
    composed.compose("stop", "otel-sampler-1", "otel-sampler-2")
    in_gateways = composed.send_failed(0, 1)
    composed.compose("down")
    composed.up()
    for spans in (in_cassandra, in_kafka, in_samplers, in_gateways):
        assert composed.has_whole(spans)
    runs = f'sum(last_over_time(otel_callbacks_runs_total{{job="{demo.job}"}}[1h]))'
    assert composed.long_term_total(runs) == sum(demo.truth["runs"].values())
    assert_nothing_was_restarted_or_refused(composed)


def test_ports_without_settings(composed):
    """With no setting at all, ports are the documented ones."""
    kept = {name: value for name, value in composed.environment.items() if name not in PORTS}
    merged = json.loads(composed._replace(environment=kept).compose("config", "--format", "json").stdout)
    ports = {port["published"] for service in merged["services"].values() for port in service.get("ports", [])}
    one_machine = {"3000", "4317", "4318", "9090", "13133", "16686"}
    assert ports == one_machine | {"4327", "4328", "13143"}


def test_moving_from_the_compose_stack_loses_nothing(composed):
    """After the documented move everything sent meanwhile is stored; after the way back, earlier traces are there."""
    composed.compose("down", "--volumes")
    one_machine = composed._replace(files=FILES[:1])
    one_machine.up()
    earlier = one_machine.send_failed(0)
    assert one_machine.has_whole(earlier)
    composed.up("--no-recreate")
    waiting = 'otelcol_exporter_queue_size{exporter="otlp_grpc/jaeger"}'
    assert wait_until(lambda: composed.prometheus.now(waiting) and not composed.prometheus.total(waiting), ARRIVAL_S)
    meanwhile = [composed.send_failed(1)]
    with ThreadPoolExecutor() as background:
        switched = background.submit(composed.up)
        while not wait_until(switched.done, 0.5):
            meanwhile.append(composed.send_failed(1))
    switched.result()
    assert [spans for spans in meanwhile if not composed.has_whole(spans)] == []
    one_machine.up("--remove-orphans")
    assert one_machine.has_whole(earlier)
