"""`python -m benchmarks simulate` reports the fate of every span."""

import json

import pytest

from benchmarks import simulate
from benchmarks.__main__ import main
from tests.support.otlp_server import http_server


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    """Hide the variables of this machine, and avoid long waits."""
    import os

    for variable in list(os.environ):
        if variable.startswith("OTEL_"):
            monkeypatch.delenv(variable)
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "none")


def run(capsys, url: str, *arguments: str) -> dict:
    """Run the command, and return its report."""
    assert main(["simulate", "--endpoint", url, "--rate", "20", "--for", "1s", "--json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def adds_up(fate: dict) -> bool:
    """Tell whether every span is counted exactly once."""
    left = fate["made"] - fate["sampled_out"] - fate["queue_full"]
    return fate["made"] % fate["runs"] == 0 and left == fate["sent"] == fate["accepted"] + fate["export_failed"]


def test_every_accepted_span_has_arrived(capsys):
    """Two processes send at no more than the given rate; the receiver has all spans reported as accepted."""
    with http_server() as received:
        report = run(capsys, received.url, "--processes", "2")
    whole = report["total"]
    assert len(report["processes"]) == 2
    assert all(adds_up(fate) for fate in [whole, *report["processes"]])
    assert 0 < whole["accepted"] == whole["made"] == len(received.spans())
    assert all(1 <= fate["runs"] <= 10 * fate["seconds"] + 1 for fate in report["processes"])
    assert len({resource["service.instance.id"] for resource in received.resources()}) == 2


def test_spans_that_are_refused(capsys):
    """With a receiver that answers with an error, everything was sent and nothing was accepted."""
    with http_server(status=400) as received:
        whole = run(capsys, received.url, "--processes", "1")["total"]
    assert adds_up(whole)
    assert (whole["accepted"], whole["export_failed"]) == (0, whole["made"])


def test_tiny_queue_in_front_of_a_busy_receiver(capsys, monkeypatch):
    """While an export is retried the queue overflows; its losses count separately from failed exports."""
    for variable, value in (
        ("OTEL_BSP_MAX_QUEUE_SIZE", "10"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "1"),
    ):
        monkeypatch.setenv(variable, value)
    with http_server(status=503) as received:
        whole = run(capsys, received.url, "--processes", "1")["total"]
    assert adds_up(whole)
    assert whole["queue_full"] > 0
    assert whole["export_failed"] == whole["sent"] > 0


def test_spans_that_are_sampled_out(capsys, monkeypatch):
    """The sampler of the environment applies; spans it leaves out are counted, not sent."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    with http_server() as received:
        whole = run(capsys, received.url, "--processes", "1")["total"]
    assert adds_up(whole)
    assert whole["sampled_out"] == whole["made"] > 0
    assert received.spans() == []


@pytest.mark.parametrize("url", ["http://collector.example:4318", "http://192.0.2.1:4318", "http://0.0.0.0:1", "4318"])
def test_only_this_machine_is_loaded(capsys, url):
    """An address of another machine is refused before anything starts, with an example of a good one."""
    with pytest.raises(SystemExit):
        main(["simulate", "--endpoint", url])
    assert "must be on this machine, such as http://127.0.0.1:4318" in capsys.readouterr().err
    with pytest.raises(ValueError, match="on this machine"):
        simulate.fleet(url, 1, 1, 1)


@pytest.mark.parametrize(("option", "value"), [("--processes", "0"), ("--rate", "0"), ("--rate", "x"), ("--for", "1h")])
def test_wrong_numbers_are_refused(capsys, option, value):
    """The message names the wrong value and what it should be."""
    with pytest.raises(SystemExit):
        main(["simulate", option, value])
    assert f"{value!r} is not a" in capsys.readouterr().err


def test_text_for_people():
    """The text has the sum of all processes, one line per fate."""
    one = simulate.Fate(10, 2.0, 50, 5, 15, 30, 20, 10)
    text = simulate.as_text([one, one._replace(seconds=4.0)])
    assert text.startswith("20 runs of 2 processes in 4.0 s: 5.0 per second\n")
    assert "  dropped, queue full             30\n" in text
    assert "  dropped, export failed          20\n" in text


def test_a_process_that_fails_is_told(monkeypatch):
    """If a process fails, there are no figures of the others."""
    monkeypatch.setenv("PYTHONMALLOC", "unknown")  # no interpreter starts with it
    with http_server() as received, pytest.raises(RuntimeError, match="1 of 1 processes failed"):
        simulate.fleet(received.url, 1, 1, 1)
