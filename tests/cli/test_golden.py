"""The whole output of each command: a change to it shows as a change to a file in `goldens/`."""

import json
import re
from pathlib import Path

import pytest

from otel_callbacks import cli
from tests.cli.test_demo import demo  # noqa: F401 - a fixture
from tests.cli.test_doctor import bare_environment  # noqa: F401 - a fixture
from tests.cli.test_report import file  # noqa: F401 - a fixture
from tests.cli.test_stack import docker, engine_with, folder  # noqa: F401 - fixtures
from tests.support.otlp_server import http_server as otlp_server

GOLDENS = Path(__file__).parent / "goldens"
PORTS = {
    "services": {
        service: {"ports": [{"target": port, "published": str(port), "host_ip": "127.0.0.1"} for port in ports]}
        for service, ports in {
            "otel-collector": (4317, 4318),
            "jaeger": (16686,),
            "prometheus": (9090,),
            "grafana": (3000,),
        }.items()
    }
}
RUNNING = "\n".join(
    json.dumps({"Service": name, "State": "running", "Health": "healthy"})
    for name in ("otel-collector", "grafana", "jaeger", "prometheus")
)
VARYING = (
    (r"\b[0-9a-f]{32}\b", "TRACE"),
    (r"\b[0-9a-f]{16}\b", "ID"),
    (r"\d\d:\d\d:\d\d", "TIME"),
    (r"<?\d+(\.\d+)?m?s\b", "SECONDS"),
    (r"  \$\d+\.\d+", ""),
    (r"127\.0\.0\.1:\d{4,}", "127.0.0.1:PORT"),
    (r"otel-callbacks-demo-[0-9-]+", "FOLDER"),
    (r"(otel-callbacks|langchain-core|langgraph|opentelemetry-[a-z-]+|Python) \d+\.[\w.]*", r"\1 VERSION"),
    (r"(?<=\S) {2,}", "  "),
)
"""What differs between runs and environments; columns are as wide as their longest value."""


def steady(text):
    """Return the text without what differs from run to run."""
    for pattern, replacement in VARYING:
        text = re.sub(pattern, replacement, text)
    return text


@pytest.fixture
def golden(request, capsys, tmp_path):
    """Return a function that runs a command and compares its exit code and outputs with a golden file."""

    def compare(name, *arguments, steadied=str):
        capsys.readouterr()
        code = cli.main([str(argument) for argument in arguments])
        compare_texts(name, code, *map(steadied, capsys.readouterr()))

    def compare_texts(name, code, output, errors):
        error_part = f"--- standard error\n{errors}" if errors else ""
        text = f"exit code {code}\n{output}{error_part}".replace(str(tmp_path), "FOLDER")
        path = GOLDENS / f"{name}.txt"
        if request.config.getoption("--update-goldens"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    compare.texts = compare_texts
    return compare


def test_demo(golden, demo):  # noqa: F811 - the fixture
    """The demo prints trees, a table, files and next steps."""
    code, output, errors = demo()
    golden.texts("demo", code, steady(output), errors)


@pytest.mark.parametrize("form", ["text", "md", "csv", "json"])
def test_report(golden, file, form):  # noqa: F811
    """The report prints each of its formats, with gates that fail."""
    golden(f"report-{form}", "report", file, "--format", form, "--max-error-ratio", "0.1", "--max-p95", "1s")


def test_view(golden, file, tmp_path):  # noqa: F811
    """View prints where the page is and what it skipped."""
    golden("view", "view", file, "-o", tmp_path / "page.html")


def test_doctor(golden):
    """Doctor prints its findings with a receiver that accepts everything, and with none."""
    with otlp_server() as received:
        golden("doctor-good", "doctor", "--otlp", received.url, steadied=steady)
    golden("doctor-nothing-listens", "doctor", "--otlp", "http://127.0.0.1:9", "--json", steadied=steady)


def test_stack(golden, folder, docker):  # noqa: F811
    """Stack prints its state while it runs, and how it ends."""
    docker(engine_with(PORTS, RUNNING).replace("cat", "/bin/cat"))
    golden("stack-status", "stack", "status")
    golden("stack-down", "stack", "down")


def test_dashboards(golden, tmp_path):
    """Dashboards prints what it wrote, and what to do with it."""
    golden("dashboards-export", "dashboards", "export", tmp_path / "out")


def test_without_a_command(golden):
    """Without a command the usage says what is missing."""
    golden("none")
