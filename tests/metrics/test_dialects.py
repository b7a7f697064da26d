import os
import subprocess
import sys
from pathlib import Path

import pytest

from otel_callbacks import Config

STABILITY = "OTEL_SEMCONV_STABILITY_OPT_IN"
OWN = "OTEL_CALLBACKS_SEMCONV"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "py-1.3"),
        ({STABILITY: "gen_ai_latest_experimental"}, "0.1.0"),
        ({STABILITY: "http/dup, gen_ai_latest_experimental"}, "0.1.0"),
        ({STABILITY: "http"}, "py-1.3"),
        ({OWN: "0.1.0"}, "0.1.0"),
        ({OWN: "py-1.3", STABILITY: "gen_ai_latest_experimental"}, "py-1.3"),
    ],
    ids=["nothing", "latest", "latest among others", "something else", "own", "own wins"],
)
def test_environment_chooses_the_dialect(monkeypatch, variables, expected):
    """OpenTelemetry's variable opts in to the newest dialect, and our own variable takes precedence over it."""
    for name in (STABILITY, OWN):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert Config.from_env().semconv == expected


def test_code_wins_over_the_environment(monkeypatch):
    """A dialect that is set in code takes precedence over the environment."""
    monkeypatch.setenv(STABILITY, "gen_ai_latest_experimental")
    assert Config(semconv="py-1.3").semconv == "py-1.3"
    assert Config.from_env(semconv="py-1.3").semconv == "py-1.3"


def test_choice_by_opentelemetrys_variable_is_logged_once():
    """A dialect that OpenTelemetry's variable chooses is logged once per process."""
    program = """
import logging
logging.basicConfig(level=logging.INFO)
from otel_callbacks import Config
for _ in range(3):
    Config.from_env()
"""
    environment = {**os.environ, STABILITY: "gen_ai_latest_experimental"}
    environment.pop(OWN, None)
    root = Path(__file__).parents[2]
    log = subprocess.run([sys.executable, "-c", program], cwd=root, env=environment, capture_output=True, check=True)
    assert log.stderr.count(b"0.1.0") == 1
