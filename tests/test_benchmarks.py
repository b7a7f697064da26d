"""The benchmark runs, and its figures fit together; `make bench-check` judges how large they are."""

import json
import os
import socket
import subprocess
import sys
import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks import (
    callgrind,
    check,
    hotspots,
    memory,
    modes,
    other,
    outage,
    peers,
    report,
    results,
    sizing,
)
from benchmarks.__main__ import BEHAVIOUR, main
from benchmarks.behaviour import PROBES
from benchmarks.measure import cpu_time, emitted, set_up, units
from benchmarks.providers import Drop, Providers
from benchmarks.scenarios import SCENARIOS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
SMALLEST = {"open-10", "depth-1", "messages-1", "tokens-10"}
SHORT = [name for name, scenario in SCENARIOS.items() if scenario.curve is None or name in SMALLEST]


@pytest.mark.parametrize("name", SHORT)
def test_scenario_emits_what_it_should(name):
    """Each scenario runs in every basic mode; the bound has a span and a measurement per run, no handler has none."""
    scenario = SCENARIOS[name]
    none, bound, ours = set_up(scenario, ["none", "bound", "ours"], warm_up=1)
    runs = units(scenario) // 2 if scenario.unit == "event" else 1
    spans, attributes, measurements = emitted(ours)

    per_run = 5 if "capture" in scenario.options else 3
    assert emitted(none) == [0, 0, 0]
    assert emitted(bound) == ([runs, runs * per_run, runs] if scenario.sampled else [0, 0, runs])
    assert (0 < spans <= runs and attributes > spans) if scenario.sampled else (spans, attributes) == (0, 0)
    assert measurements > 0
    for contender in (none, bound, ours):
        contender.mode.providers.shutdown()


def test_units_are_those_the_long_form_has_more():
    """A streamed token's cost is that of 500 more tokens, not that of the call around them."""
    assert units(SCENARIOS["stream"]) == units(SCENARIOS["astream"]) == 500
    assert units(SCENARIOS["agent"]) == 30


def test_every_run_has_a_span_with_all_details():
    """The mode with all spans, which is compared like for like, has as many as the bound."""
    bound, ours = set_up(SCENARIOS["lcel"], ["bound", "ours-all"], warm_up=1)

    assert emitted(ours)[0] == emitted(bound)[0] == 5
    for contender in (bound, ours):
        contender.mode.providers.shutdown()


@pytest.mark.parametrize("name", ["lcel", "agent", "unsampled", "error", "graph-20"])
def test_floor_emits_the_same(name):
    """The mode that only calls OpenTelemetry makes all the calls that the handler makes, the second time as well."""
    floor, ours = set_up(SCENARIOS[name], ["floor", "ours"], warm_up=2)

    assert emitted(floor) == emitted(ours)
    for contender in (floor, ours):
        contender.mode.providers.shutdown()


def test_cpu_time_has_an_entry_per_mode_form_and_round():
    """Modes take turns, and a scenario with a short form has its blocks beside the long ones."""
    contenders = set_up(SCENARIOS["stream"], ["none", "bound"], warm_up=1)
    times = cpu_time(contenders, rounds=2)

    assert {label: len(seconds) for label, seconds in times.items()} == {
        "none": 2, "none short": 2, "bound": 2, "bound short": 2,
    }  # fmt: skip
    assert all(value > 0 for seconds in times.values() for value in seconds)
    for contender in contenders:
        contender.mode.providers.shutdown()


def test_row_is_the_median_of_paired_differences_per_unit():
    """Cost is what a mode adds to no handler in the same round, per unit, without the part of the short form."""
    figures = {"units": 10, "emitted": {"none": [0, 0, 0], "bound": [1, 3, 1], "ours": [1, 9, 2]}}
    blocks = {
        "none": [100.0, 120.0, 100.0], "none short": [50.0, 50.0, 50.0],
        "bound": [300.0, 320.0, 900.0], "bound short": [150.0, 150.0, 150.0],
        "ours": [400.0, 420.0, 400.0], "ours short": [150.0, 150.0, 150.0],
    }  # fmt: skip

    row = results.row(figures, blocks, "cpu")

    assert row["modes"]["bound"]["cpu"] == 10.0
    assert row["modes"]["ours"] == {"emitted": [1, 9, 2], "cpu": 20.0, "cpu ratio": 2.0}
    assert row["cpu noise"] == pytest.approx(0.2)


def test_command_completes_a_file_of_results_and_prints_tables(tmp_path):
    """A scenario can run alone; its figures are added to the file, and its tables are printed."""
    path = tmp_path / "results.json"
    results.save(path, {"other": {"none": {"modules": 1}}})
    command = [sys.executable, "-m", "benchmarks", "run", "--quick", "--results", str(path), "error"]
    without_valgrind = {**os.environ, "PATH": ""}
    done = subprocess.run(command, cwd=ROOT, env=without_valgrind, capture_output=True, text=True, check=True)
    measured = json.loads(path.read_text())

    assert measured["other"] == {"none": {"modules": 1}}
    assert set(measured["scenarios"]["error"]["modes"]["ours"]) == {"emitted", "cpu", "cpu ratio"}
    assert "counting instructions needs valgrind" in done.stderr
    assert SCENARIOS["error"].title in done.stdout


def test_unknown_names_are_refused(capsys):
    """A misspelt scenario or tracer is refused with the existing names."""
    for command, known in (("run", "lcel"), ("peers", "genai")):
        with pytest.raises(SystemExit):
            main([command, "lcle"])
        assert "no such name: lcle; choose from" in (printed := capsys.readouterr().err)
        assert known in printed


def test_costs_name_what_was_emitted_beside_each_figure():
    """A tracer that emits less does not look cheap: its spans, attributes and measurements stand beside the ratio."""
    bound = {"emitted": [5, 15, 5], "cpu": 2e-05, "cpu ratio": 1.0}
    other_tracer = {"emitted": [2, 10, 4], "cpu": 3e-05, "cpu ratio": 1.5}
    ours = {"emitted": [5, 25, 4], "cpu": 2.6e-05, "cpu ratio": 1.3}
    scenarios = {"lcel": {"units": 10, "cpu noise": 0.021, "modes": {"bound": bound, "ours": ours}}}
    peer = {"scenarios": {"lcel": {"modes": {"genai": other_tracer}}}}

    table = report.costs({"scenarios": scenarios, "peers": {"genai": peer}}, "cpu", 1e6)

    assert table.splitlines()[2] == (
        "| LCEL chain, 5 runs, per event | 2.1% | 20 (5 / 15 / 5) | – | 1.30 (5 / 25 / 4) | – | – | 1.50 (2 / 10 / 4) |"
    )


def test_documentation_has_a_place_for_every_table():
    """The text has a place for every table that `document` writes, and for no other."""
    places = report.places(report.PERFORMANCE.read_text(encoding="utf-8"))

    assert sorted(places) == sorted(report.tables({}))


def test_check_names_what_got_dearer():
    """Growth is reported per scenario and mode, against counts if nothing else changed."""
    before = {"versions": {"python": "3.12.1"}, "scenarios": {"lcel": {"none": {}, "ours": {"instructions": 200}}}}
    now = {"versions": {"python": "3.12.1"}, "scenarios": {"lcel": {"none": {}, "ours": {"instructions": 212}}}}

    kind, [change] = check.changes(before, now)

    assert (kind, change.name) == ("instructions", "lcel ours")
    assert change.growth == pytest.approx(0.06)


def test_check_compares_ratios_across_versions():
    """Another Python or SDK changes all counts, so only their ratio to the bound is compared."""
    modes_before = {"ours": {"instructions": 200, "instructions ratio": 1.5}}
    modes_now = {"ours": {"instructions": 300, "instructions ratio": 1.5}}
    before = {"versions": {"python": "3.11.7"}, "scenarios": {"lcel": modes_before}}
    now = {"versions": {"python": "3.12.1"}, "scenarios": {"lcel": modes_now}}

    kind, [change] = check.changes(before, now)

    assert (kind, change.growth) == ("instructions ratio", 0)


def test_baseline_holds_what_is_checked():
    """The committed baseline has a figure for every scenario and mode of the check."""
    baseline = results.load(check.BASELINE)["scenarios"]

    assert {name: tuple(modes) for name, modes in baseline.items()} == dict(check.CHECKED)


def test_results_keep_short_parts_on_one_line():
    """A file of results has one line per mode, and none that is too long to compare."""
    mode = {"emitted": [3, 15, 4], "cpu": 9.191e-05, "instructions": 131800.0, "instructions ratio": 1.368}
    scenarios = {f"scenario-{number}": {"units": 10, "modes": {"ours": mode}} for number in range(3)}

    text = results.as_json({"scenarios": scenarios, "µs": [1, None]})

    assert json.loads(text) == {"scenarios": scenarios, "µs": [1, None]}
    assert len(text.splitlines()) == 8
    assert all(len(line) <= 160 for line in text.splitlines())


@pytest.mark.skipif(callgrind.missing() is not None, reason="counting instructions needs valgrind and a C compiler")
def test_instructions_are_counted_between_marks(tmp_path, monkeypatch):
    """Ten times the work is about ten times the instructions; what runs outside the marks does not count."""
    (tmp_path / "work.py").write_text(
        "from benchmarks.callgrind import Marks\n"
        "marks = Marks()\n"
        "sum(range(10**6))\n"
        "marks.start()\n"
        "for label, size in (('warm', 10**4), ('little', 10**4), ('much', 10**5)):\n"
        "    sum(range(size))\n"
        "    marks.mark(label)\n"
        "marks.stop()\n"
        "print('done')\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")

    run = callgrind.run("work")
    counted = dict(run.instructions())

    assert run.output == "done\n"
    assert 9 < counted["much"] / counted["little"] < 11


def test_hot_spots_are_found_by_address():
    """Calls to a function's own bytes of machine code are its calls; valgrind names a symbol once, then by number."""
    stubs = hotspots.Stubs(
        ["5000 b py::start:/x/otel_callbacks/handler.py", "500b b py::end:/x/otel_callbacks/_end.py"]
    )
    dump = (
        b"fn=(1) main\n0 7\n"
        b"cfn=(2) 0x0000000000005001\ncalls=3 0 \n0 600\n"
        b"cfn=(3) 0x000000000000500b\ncalls=1 0 \n0 900\n"
        b"fn=(4) eval\n0 5\n"
        b"cfn=(2)\ncalls=2 0 \n0 400\n"
        b"cfn=(4)\ncalls=9 0 \n0 70\n"
    )

    assert hotspots.functions(dump, stubs) == [
        hotspots.Function("start:/x/otel_callbacks/handler.py", 5, 1000),
        hotspots.Function("end:/x/otel_callbacks/_end.py", 1, 900),
    ]


def test_emitted_counts_also_counters():
    """Measurements are counted where the SDK takes them, whatever the instrument."""
    providers = Providers(Drop())
    counter = providers.meter_provider.get_meter("test").create_counter("calls")
    with providers.counting() as counts:
        providers.tracer_provider.get_tracer("test").start_span("span", attributes={"a": 1, "b": 2}).end()
        counter.add(3)
        counter.add(4)
    counter.add(5)
    providers.shutdown()

    assert counts == [(1, 2, 2)]


def test_memory_is_measured_in_bytes_per_run(tracing_memory):
    """The bound keeps some memory of a run that never ends, and none of the others."""
    providers = Providers(Drop())
    mode = modes.open_mode("bound", providers, {})

    finished = memory.per_finished_run(mode, calls=20)
    lost = memory.per_lost_run(mode, first=20, more=30)
    providers.shutdown()

    assert finished < 100
    assert list(lost) == ["B per run that never ends, first 20", "B per run that never ends, last 30"]
    assert all(1000 < kept < 10_000 for kept in lost.values())


@pytest.fixture
def tracing_memory():
    """Have Python count what it allocates."""
    tracemalloc.start()
    yield
    tracemalloc.stop()


def test_import_is_measured():
    """Loading the handler loads modules, and loading nothing loads none."""
    assert other.imports("from otel_callbacks import OTelCallbackHandler", repetitions=1)["modules"] > 10
    assert other.imports("pass", repetitions=1)["modules"] == 0


def test_lag_and_outage_are_measured():
    """A late timer, calls beside a collector that refuses, and the exit after it give figures."""
    lag = json.loads(_output("benchmarks.outage", "lag", "none", "1"))
    calls = json.loads(_output("benchmarks.outage", "collector", "ours", "refusing", "0.3"))

    assert 0 <= lag["ms a timer is late, p99"] <= lag["ms a timer is late, longest"]
    assert calls["µs per call, collector refusing, median"] > 0
    assert other.exit_time("none", "refusing") > 0


def test_collectors_that_are_down():
    """One collector refuses connections; the other accepts them, and never answers."""
    with closing(outage.unreachable("silent")) as silent, socket.create_connection(silent.getsockname()) as connected:
        connected.setblocking(False)
        with pytest.raises(BlockingIOError):
            connected.recv(1)
    with closing(outage.unreachable("refusing")) as refusing, pytest.raises(ConnectionRefusedError):
        socket.create_connection(refusing.getsockname())


def test_a_tracer_that_patches_langchain_is_taken_out_again(monkeypatch):
    """A tracer's patches are undone between its turns, so that the others do not pay for them."""
    from langchain_core.callbacks.manager import CallbackManager

    def patch(*_: object) -> list[object]:
        monkeypatch.setattr(CallbackManager, "on_chain_start", patched)
        return []

    def patched(*_: object) -> None:
        pass

    original = CallbackManager.on_chain_start
    monkeypatch.setitem(peers.PEERS, "patching", peers.Peer("patching", "pass", patch))
    providers = Providers(Drop())
    mode = modes.open_mode("patching", providers, {})
    states = [CallbackManager.on_chain_start]
    for active in (True, False):
        mode.activate(active)
        states.append(CallbackManager.on_chain_start)
    providers.shutdown()

    assert states == [original, patched, original]


def _output(module: str, *arguments: str) -> str:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout


@pytest.mark.parametrize("probe", PROBES)
def test_what_the_comparison_says_of_this_package_is_true(probe):
    """Every statement of the comparison holds for this package."""
    assert PROBES[probe]("ours") is True


def test_statement_can_fail():
    """A tracer without the behaviour makes a statement false."""
    assert not any(PROBES[probe]("bound") for probe in ("cancelled_call", "stream_left_early", "metrics", "resumed"))


def test_comparison_is_what_was_found():
    """The document has the table of the committed answers, with one for each tracer and statement."""
    answers = results.load(BEHAVIOUR)
    text = report.COMPARISON.read_text(encoding="utf-8")
    assert report.places(text) == ["behaviour"]
    assert report.filled(text, {"behaviour": report.comparison(answers)}) == text
    assert set(answers) == {"ours", *peers.PEERS}
    assert all(set(tracer["answers"]) == set(PROBES) for tracer in answers.values())


def test_scale_document_shows_the_committed_figures():
    """Every table of docs/scale.md is the one made from the committed figures, and none is left out."""
    text = sizing.DOCUMENT.read_text(encoding="utf-8")
    tables = sizing.committed()

    assert sorted(report.places(text)) == sorted(tables)
    assert report.filled(text, tables) == text


def test_sizes_are_measured():
    """A run has a span for each of its steps; a further model or tool adds some series."""
    sizes = sizing.measure()
    committed = json.loads(sizing.RESULTS.read_text())

    assert sizes.keys() == committed.keys()
    assert sizes["spans per run"] > 5
    assert 100 < sizes["bytes per span"] < 2000
    assert 0 < sizes["series per further tool"] < sizes["series per further model"]


def test_worked_examples_follow_from_the_figures():
    """Spans, bytes and cores of each tier are one run's times the load; behind the samplers, only of kept traces."""
    load = {
        "spans_per_cpu_s": {"gateway": 5000, "ingester": 100},
        "peak_mib": {"gateway": 74, "ingester": 67},
        "bytes_per_span": {"otlp": 500, "cassandra": 1000},
    }
    tables = sizing.tables({"spans per run": 10}, {"loads": {"with content": load}})

    assert tables["examples"].splitlines()[2:] == [
        "| 1 | with content | 10 | 0.005 | 0.00 | 0.01 | 1 |",
        "| 100 | with content | 1,000 | 0.5 | 0.20 | 1.00 | 60 |",
        "| 10,000 | with content | 100,000 | 50 | 20.00 | 100.00 | 6,048 |",
    ]
    assert "| gateway | 5,000 |" in tables["tiers"]
    assert "| ingester | 67 |" in tables["memory"]
