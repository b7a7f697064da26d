import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from otel_callbacks import cli
from tests.replay.payload import SCENARIOS, NotLoadable
from tests.replay.player import play
from tests.semconv.checker import Checker
from tests.semconv.otlp import documents
from tests.support.recorded_spans import RecordedSpans

FIXTURES = Path(__file__).parent / "fixtures"
PROFILES = {"py-1.3": "py-1.3b0", "0.1.0": "0.1.0"}
"""Our name of a dialect -> the checker's profile."""


def checked(telemetry: Iterable[dict[str, Any]], profile: str) -> Checker:
    """Return a checker that has seen the documents."""
    checker = Checker(profile)
    for document in telemetry:
        checker.feed(document)
    return checker


def lines(file: Path) -> list[dict[str, Any]]:
    """Return the documents of a file of OTLP/JSON lines."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("capture", ["no_content", "span_and_event"])
@pytest.mark.parametrize("dialect", PROFILES)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_recorded_payload_gives_telemetry_without_a_violation(telemetry: RecordedSpans, scenario, dialect, capture):
    """The telemetry of a recorded payload, with all details and metrics on, follows the conventions of its dialect."""
    try:
        play(scenario, telemetry.new_handler(semconv=dialect, detail="all", chunk_metrics=True, capture=capture))
    except NotLoadable as missing:
        pytest.skip(str(missing))
    checker = checked(documents(telemetry), PROFILES[dialect])
    assert checker.findings == []
    assert checker.spans > 0
    assert checker.metrics > 0


@pytest.mark.parametrize("capture", ["no_content", "span_and_event"])
@pytest.mark.parametrize("dialect", PROFILES)
def test_demo_writes_files_without_a_violation(tmp_path, dialect, capture):
    """The files of the demo follow the conventions of the selected dialect, with content and without."""
    pytest.importorskip("opentelemetry.exporter.otlp.json.file", reason="the extra `demo` is not installed")
    assert cli.main(["demo", "--out", str(tmp_path), "--semconv", dialect, "--capture", capture]) == 0
    assert (tmp_path / "logs.jsonl").exists() == (capture == "span_and_event")
    checker = checked([document for file in tmp_path.glob("*.jsonl") for document in lines(file)], PROFILES[dialect])
    assert checker.findings == []
    assert checker.spans > 0
    assert checker.metrics > 0


@pytest.mark.parametrize(
    ("file", "profile"),
    [
        ("good_0.1.0.jsonl", "0.1.0"),
        ("official_langchain_1.3b0.jsonl", "py-1.3b0"),
        ("official_events_1.3b0.jsonl", "py-1.3b0"),
    ],
)
def test_checker_accepts_good_telemetry(file, profile):
    """The checker accepts good telemetry, hand-made or from the official instrumentation."""
    assert checked(lines(FIXTURES / file), profile).findings == []


@pytest.mark.parametrize("line", lines(FIXTURES / "bad_0.1.0.jsonl"), ids=lambda line: line["expect"][0])
def test_checker_finds_each_fault(line):
    """Every line with a fault yields the expected findings, so that an empty report means something."""
    assert set(line["expect"]) <= {finding.code for finding in checked([line], "0.1.0").findings}


@pytest.mark.parametrize("profile", ["0.1.0", "1.41"])
def test_checker_tells_releases_of_the_conventions_apart(profile):
    """Telemetry of one release violates the rules of another."""
    assert checked(lines(FIXTURES / "official_langchain_1.3b0.jsonl"), profile).findings != []
