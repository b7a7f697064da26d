"""The real docker-compose.yml on a real engine, through `otel-callbacks stack`."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from typing import NamedTuple

import pytest
from backends import Jaeger, Prometheus, get
from demo_traffic import SERVICE, run_demo
from docker_engine import engine, run
from native_stack import HOST, Ports, wait_until
from stand_ins import images, one_machine, published

pytestmark = pytest.mark.stack

ROOT = Path(__file__).resolve().parents[2]
ARRIVAL_S = 60.0


class Composed(NamedTuple):
    """A running stack: its ports, and the environment in which commands reach it."""

    ports: Ports
    grafana: int
    environment: dict[str, str]

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `otel-callbacks stack`."""
        return run(sys.executable, "-m", "otel_callbacks", "stack", *arguments, environment=self.environment)

    def url(self, port: int) -> str:
        """Return the base address of a port."""
        return f"http://{HOST}:{port}"


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    """Run the stack of the compose file, with its own project, folder and ports."""
    folder = tmp_path_factory.mktemp("compose")
    ports, grafana = Ports.free(), Ports.free().prometheus
    with engine(folder) as client:
        environment = {
            **client,
            **images(client, published(ROOT / "docker-compose.yml"), one_machine),
            "COMPOSE_PROJECT_NAME": "otel-callbacks-test",
            "XDG_DATA_HOME": str(folder / "data"),
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "OTLP_GRPC_PORT": str(ports.otlp_grpc),
            "OTLP_HTTP_PORT": str(ports.otlp_http),
            "OTELCOL_HEALTH_PORT": str(ports.collector_health),
            "JAEGER_UI_PORT": str(ports.jaeger_ui),
            "PROMETHEUS_PORT": str(ports.prometheus),
            "GRAFANA_PORT": str(grafana),
        }
        running = Composed(ports, grafana, environment)
        up = running.command("up")
        try:
            assert up.returncode == 0, up.stdout + up.stderr
            yield running
        finally:
            compose = ["docker", "compose", "--project-directory", str(folder / "data/otel-callbacks/stack")]
            run(*compose, "down", "--volumes", "--timeout", "5", environment=environment)


def test_up_makes_everything_healthy_and_status_says_so(composed):
    """After `stack up`, `stack status` lists every service as healthy, with the addresses, and exits with 0."""
    status = composed.command("status", "--json")
    assert status.returncode == 0, status.stdout
    report = json.loads(status.stdout)
    healthy = dict.fromkeys(("jaeger", "prometheus", "grafana"), "healthy")
    assert report["services"] == {**healthy, "otel-collector": "running", "volumes": "exited"}
    assert report["addresses"]["Grafana"] == f"http://localhost:{composed.grafana}"


def test_up_again_changes_nothing(composed):
    """`stack up` on a running stack succeeds: its own ports are not in the way."""
    assert composed.command("up").returncode == 0


def test_only_loopback_listens(composed):
    """Each published port listens on 127.0.0.1 and on no other address."""
    ours = {str(port) for port in (*astuple(composed.ports), composed.grafana)}
    listening = [line.split()[3].rsplit(":", 1) for line in run("ss", "-ltnH").stdout.splitlines()]
    assert {address for address, port in listening if port in ours} == {HOST}


def test_services_cannot_write_or_leave(composed):
    """The root of a container is read-only, and the back-end network has no gateway to anywhere."""
    prefix = ["docker", "exec", "otel-callbacks-test-prometheus-1", "sh", "-c"]
    refused = run(*prefix, "echo x > /x", environment=composed.environment)
    assert refused.returncode != 0
    assert "read-only" in refused.stderr.lower()
    network = run(
        "docker",
        "network",
        "inspect",
        "otel-callbacks-test_backend",
        "-f",
        "{{.Internal}}",
        environment=composed.environment,
    )
    assert network.stdout.strip() == "true"


def test_traffic_arrives_and_survives_down_and_up(composed, tmp_path):
    """The demo's spans and counts are in Jaeger and Prometheus, and still there after `stack down` and `stack up`."""
    demo = run_demo(composed, tmp_path / "demo")
    jaeger = Jaeger(composed.url(composed.ports.jaeger_ui))
    prometheus = Prometheus(composed.url(composed.ports.prometheus))
    chat = f'{{job="{demo.job}",gen_ai_operation_name="chat"}}'
    calls = f"sum(last_over_time(gen_ai_client_operation_duration_seconds_count{chat}[1h]))"

    def arrived() -> bool:
        stored = {span_id for trace_id in demo.trace_ids for span_id in jaeger.spans(trace_id)}
        return stored >= demo.spans.keys() and prometheus.total(calls) == demo.truth["runs"]["chat"]

    assert wait_until(arrived, ARRIVAL_S)
    assert SERVICE in jaeger.services()
    assert composed.command("down").returncode == 0
    assert composed.command("status").returncode == 1
    assert composed.command("up").returncode == 0
    assert wait_until(arrived, ARRIVAL_S)


def test_rules_are_loaded(composed):
    """Prometheus in the container reads the rules where the compose file mounts them, without an error."""
    prometheus = Prometheus(composed.url(composed.ports.prometheus))
    assert wait_until(lambda: all(rule["health"] == "ok" for rule in prometheus.rules()), 2 * ARRIVAL_S)
    assert len(prometheus.rules()) > 50


def test_a_taken_port_is_named(composed):
    """`stack up` of another project on the same ports names the port and the variable that moves it."""
    other = {**composed.environment, "COMPOSE_PROJECT_NAME": "otel-callbacks-other"}
    up = run(sys.executable, "-m", "otel_callbacks", "stack", "up", environment=other)
    assert up.returncode == 1
    busy, variable, other_port = re.search(
        r"port (\d+) is taken.* ([A-Z_]+_PORT)=(\d+) otel-callbacks", up.stderr
    ).groups()
    assert composed.environment[variable] == busy
    assert int(other_port) == int(busy) + 1


def test_an_account_exists_only_with_a_password(composed):
    """The compose file reads the settings without an account, and those with one as soon as a password is set."""
    folder = Path(composed.environment["XDG_DATA_HOME"]) / "otel-callbacks/stack"
    command = ["docker", "compose", "--project-directory", str(folder), "config", "--format", "json"]
    for password, account in (({}, "true"), ({"GRAFANA_ADMIN_PASSWORD": "long and random"}, "false")):
        project = json.loads(run(*command, environment={**composed.environment, **password}).stdout)
        settings = project["services"]["grafana"]["environment"]
        assert settings["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == account


def test_without_an_env_file_the_defaults_hold(composed):
    """With no setting at all, ports are the documented ones, all on loopback."""
    settings = {
        name: value for name, value in composed.environment.items() if not re.search("_PORT$|_IMAGE$|^COMPOSE", name)
    }
    project = json.loads(run("docker", "compose", "config", "--format", "json", environment=settings).stdout)
    ports = {port["published"] for service in project["services"].values() for port in service.get("ports", [])}
    assert ports == {"3000", "4317", "4318", "9090", "13133", "16686"}


def test_grafana_has_its_data_sources_and_boards(composed):
    """The published image is healthy, has both sources, and shows every board to a reader without an account."""
    url = composed.url(composed.grafana)
    with urllib.request.urlopen(f"{url}/api/health") as answer:  # noqa: S310 - loopback
        health = answer.read().decode()
    if health.startswith("stand-in"):
        pytest.skip("Grafana's image cannot be pulled; its stand-in only answers the health check")
    assert json.loads(health)["database"] == "ok"
    sources = get(f"{url}/api/frontend/settings")["datasources"].values()
    assert {"prometheus", "jaeger"} <= {source.get("uid") for source in sources}
    for board in (ROOT / "dashboards").glob("otel-callbacks-*.json"):
        shipped = json.loads(board.read_text())
        loaded = get(f"{url}/api/dashboards/uid/{shipped['uid']}")["dashboard"]
        assert [panel["title"] for panel in loaded["panels"]] == [panel["title"] for panel in shipped["panels"]]
