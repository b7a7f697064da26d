"""The tiers' files, judged by the programs that read them."""

import pytest
import yaml
from native_programs import run

pytestmark = pytest.mark.scale


@pytest.mark.parametrize(
    "names",
    [
        ("collector/config", "scale/gateway"),
        ("collector/config", "scale/gateway", "scale/gateway-dns"),
        ("scale/sampler",),
    ],
)
def test_collector_accepts_its_configuration(names):
    """The collector finds no fault in a gateway, with either way to find samplers, and in a sampler."""
    run("scale-collector", "otelcol", "validate", *(f"--config=deploy/{name}.yaml" for name in names))


@pytest.mark.parametrize("store", ["cassandra", "opensearch"])
@pytest.mark.parametrize("role", ["ingester", "query"])
def test_jaeger_accepts_its_configuration(role, store):
    """Jaeger finds no fault in either role with either store."""
    run(
        "jaeger",
        "jaeger",
        "validate",
        f"--config=deploy/scale/jaeger-{role}.yaml",
        f"--config=deploy/scale/storage-{store}.yaml",
    )


@pytest.mark.parametrize("name", ["prometheus", "long-term-store"])
def test_prometheus_accepts_its_configuration(name):
    """Prometheus' own tool finds no fault in the configuration of both."""
    assert "SUCCESS" in run("prometheus", "promtool", "check", "config", "--syntax-only", f"deploy/scale/{name}.yml")


def test_compose_merges_the_files():
    """Compose reads both files as one project: gateways, samplers and engines beside the services that stay."""
    merged = yaml.safe_load(
        run("compose", "docker-compose", "-f", "docker-compose.yml", "-f", "docker-compose.scale.yml", "config")
    )
    services = merged["services"]
    assert len(services) == 5 + 8
    assert services["otel-collector"]["command"][1] == "--config=/etc/scale/gateway.yaml"
    assert {volume["target"] for volume in services["prometheus"]["volumes"]} == {
        "/etc/prometheus/prometheus.yml",
        "/etc/prometheus/rules",
        "/prometheus",
    }
