"""The shipped configuration files, judged by the programs that read them."""

import pytest
from native_programs import ROOT, run

pytestmark = pytest.mark.stack


def test_prometheus_accepts_its_configuration():
    """Prometheus' own tool finds no fault in prometheus.yml."""
    assert "SUCCESS" in run(
        "prometheus", "promtool", "check", "config", "--syntax-only", "deploy/prometheus/prometheus.yml"
    )


@pytest.mark.parametrize("name", ["recording", "alerts"])
def test_prometheus_accepts_the_rules(name):
    """Prometheus' own tool finds no fault in the rules."""
    assert "SUCCESS" in run("prometheus", "promtool", "check", "rules", f"dashboards/rules/{name}.yml")


@pytest.mark.parametrize("path", sorted((ROOT / "dashboards/rules/tests").glob("*.yml")), ids=lambda path: path.stem)
def test_alerts_fire_when_they_should_and_only_then(path):
    """All unit tests of the rules pass."""
    run("prometheus", "promtool", "test", "rules", str(path))


@pytest.mark.parametrize("sampling", sorted(path.stem for path in (ROOT / "deploy/collector/sampling").iterdir()))
def test_collector_accepts_its_configuration(sampling):
    """The collector finds no fault in config.yaml with each way to sample."""
    configs = [f"--config=deploy/collector/{name}.yaml" for name in ("config", f"sampling/{sampling}")]
    run("collector", "otelcol", "validate", *configs)


def test_jaeger_accepts_its_configuration():
    """Jaeger finds no fault in config.yaml."""
    run("jaeger", "jaeger", "validate", "--config=deploy/jaeger/config.yaml")
