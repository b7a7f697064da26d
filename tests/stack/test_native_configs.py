"""The shipped configuration files, judged by the programs that read them."""

import subprocess
from pathlib import Path

import native_build
import pytest

pytestmark = pytest.mark.stack

ROOT = Path(__file__).resolve().parents[2]


def run(program: str, binary: str, *arguments: str) -> str:
    """Runs one of the stack's programs and gives its output; fails with it if the program does."""
    command = [str(native_build.build(program)[binary]), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


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


def test_jaeger_accepts_its_configuration(monkeypatch):
    """Jaeger finds no fault in config.yaml."""
    monkeypatch.setenv("JAEGER_UI_CONFIG", "deploy/jaeger/ui.json")
    run("jaeger", "jaeger", "validate", "--config=deploy/jaeger/config.yaml")
