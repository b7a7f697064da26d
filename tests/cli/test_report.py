"""`otel-callbacks report`: figures from files, in bounded memory, with gates."""

import csv
import io
import json
import random

import pytest

from otel_callbacks import cli
from otel_callbacks.cli._report.figures import Durations

SECOND = 1_000_000_000


def attribute(key, value):
    """Return one attribute in OTLP's JSON."""
    kind = {str: "stringValue", int: "intValue", float: "doubleValue", bool: "boolValue"}[type(value)]
    return {"key": key, "value": {kind: str(value) if kind == "intValue" else value}}


def span(name, seconds=1.0, *, trace="a" * 32, parent="", start=0, error=None, **attributes):
    """Return one line with one span; double underscores stand for dots."""
    values = {key.replace("__", "."): value for key, value in attributes.items()}
    if error:
        values["error.type"] = error
    document = {
        "traceId": trace,
        "spanId": "b" * 16,
        "parentSpanId": parent,
        "name": name,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + int(seconds * SECOND)),
        "status": {"code": 2} if error else {},
        "attributes": [attribute(key, value) for key, value in values.items()],
    }
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [document]}]}]})


def chat(seconds=1.0, model="m-1", **more):
    """Return a model's span."""
    more = {"gen_ai__operation__name": "chat", "gen_ai__response__model": model, **more}
    return span(f"chat {model}", seconds, **more)


LINES = [
    chat(1.0, gen_ai__usage__input_tokens=10, gen_ai__usage__output_tokens=2, otel_callbacks__cost__usd=0.25),
    chat(3.0, trace="c" * 32, gen_ai__response__time_to_first_chunk=0.5, error="openai.RateLimitError"),
    span("execute_tool look", 0.1, parent="d" * 16, gen_ai__operation__name="execute_tool", gen_ai__tool__name="look"),
    span("node ask", 0.2, parent="d" * 16, langgraph__node="ask", otel_callbacks__outcome="interrupted"),
    span("invoke_agent help", 9.0, gen_ai__operation__name="invoke_agent", gen_ai__agent__name="help",
         otel_callbacks__cost__total_usd=0.25),
    span("invoke_workflow w", 2.0, gen_ai__operation__name="invoke_workflow", gen_ai__workflow__name="w"),
    span("SELECT", 0.1, parent="d" * 16),
]  # fmt: skip


TEXT = """
model  runs  errors    p50    p95    p99  first chunk p95  tokens in  tokens out       USD
m-1       2   50.0%  0.99s  3.00s  3.00s            0.50s         10           2  0.250000

tool  runs  errors    p50    p95    p99  first chunk p95  tokens in  tokens out  USD
look     1       –  100ms  100ms  100ms                –          –           –    –

4 root runs (ok 3, error 1), p95 8.92s, 0.250000 USD
errors of model and tool calls: openai.RateLimitError 1
slowest traces
     9.00s  aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa  invoke_agent help
most expensive traces
  $0.250000  aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa  invoke_agent help
3 lines skipped: cut off, or not OTLP JSON
"""


@pytest.fixture
def file(tmp_path):
    """Return a file with one span of each kind, a cut-off line, a foreign one, and another signal."""
    path = tmp_path / "traces.jsonl"
    path.write_text("\n".join([*LINES, LINES[0][:50], '{"x": 1}', "[]", '{"resourceMetrics": []}', ""]))
    return path


def report(capsys, *arguments):
    """Return the exit code and the document."""
    code = cli.main(["report", "--json", *map(str, arguments)])
    return code, json.loads(capsys.readouterr().out)


def test_figures_by_subject(capsys, file):
    """Each model, tool, agent, workflow and node has its runs, errors, tokens, cost and time to first chunk."""
    code, document = report(capsys, file)
    by_kind = {(group["kind"], group["name"]): group for group in document["groups"]}
    assert code == 0
    assert list(by_kind) == [("model", "m-1"), ("tool", "look"), ("agent", "help"), ("workflow", "w"), ("node", "ask")]
    model = by_kind["model", "m-1"]
    assert (model["runs"], model["errors"], model["input_tokens"], model["output_tokens"]) == (2, 1, 10, 2)
    assert model["errors_by_type"] == {"openai.RateLimitError": 1}
    assert model["p95_s"] == pytest.approx(3.0, rel=0.011)
    assert model["first_chunk_p95_s"] == pytest.approx(0.5, rel=0.011)
    assert model["cost_usd"] == document["cost_usd"] == 0.25
    assert by_kind["node", "ask"]["outcomes"] == {"interrupted": 1}


def test_cut_and_foreign_lines_are_counted_and_skipped(capsys, file):
    """Cut-off and foreign lines are counted; other signals are not."""
    assert report(capsys, file)[1]["skipped_lines"] == 3


def test_traces_worth_a_look(capsys, file):
    """The slowest and the most expensive traces are named, with their ids."""
    _, document = report(capsys, file, "--slowest", 2)
    assert [(one["name"], round(one["seconds"])) for one in document["slowest"]] == [
        ("invoke_agent help", 9),
        ("chat m-1", 3),
    ]
    assert document["most_expensive"][0] == {"usd": 0.25, "trace_id": "a" * 32, "name": "invoke_agent help"}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--max-p95", "10s"), 0),
        (("--max-p95", "8.5s"), 1),
        (("--max-p95", "500ms"), 1),
        (("--max-error-ratio", "0.5"), 0),
        (("--max-error-ratio", "0.1"), 1),
        (("--max-cost", "0.3"), 0),
        (("--max-cost", "0.1"), 1),
    ],
)
def test_gates(capsys, file, arguments, code):
    """An exceeded limit is a finding: exit code 1, and a sentence about it."""
    document = report(capsys, file, *arguments)
    assert document[0] == code
    assert len(document[1]["exceeded"]) == code


def test_since_leaves_older_spans_out(capsys, tmp_path):
    """`--since` takes a date or an age."""
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join([chat(start=0), chat(start=1_700_000_000 * SECOND)]))
    assert report(capsys, path, "--since", "2020-01-01")[1]["runs"]["runs"] == 1
    assert report(capsys, path, "--since", "1h")[1]["runs"]["runs"] == 0


@pytest.mark.parametrize("chosen", ["model", "tool,node"])
def test_subjects_are_chosen(capsys, file, chosen):
    """`--by` limits the report to the chosen kinds."""
    assert {group["kind"] for group in report(capsys, file, "--by", chosen)[1]["groups"]} == set(chosen.split(","))


def test_text_is_exact(capsys, file):
    """The text report is laid out for people, to the letter."""
    assert cli.main(["report", str(file), "--by", "model,tool", "--slowest", "1"]) == 0
    assert capsys.readouterr().out.splitlines() == TEXT.strip("\n").splitlines()


def test_markdown_and_csv(capsys, file):
    """Markdown and CSV hold the same figures."""
    assert cli.main(["report", str(file), "--format", "md", "--by", "tool"]) == 0
    assert "| look | 1 | – | 100ms |" in capsys.readouterr().out
    assert cli.main(["report", str(file), "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert rows[0]["name"] == "m-1"
    assert float(rows[0]["cost_usd"]) == 0.25


def test_folders_are_read(capsys, file):
    """A folder stands for all `*.jsonl` in it."""
    assert report(capsys, file.parent)[1]["runs"]["runs"] == 4


@pytest.mark.parametrize(
    "arguments", [("--by", "colour"), ("--since", "tomorrow"), ("--max-p95", "fast"), ("no-such-file.jsonl",)]
)
def test_wrong_use_is_one_line(capsys, file, arguments):
    """An invalid option or file costs one line and exit code 2, not a traceback."""
    assert cli.main(["report", str(file), *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_empty_folder_is_wrong_use(capsys, tmp_path):
    """An empty folder has nothing to report and costs exit code 2."""
    assert cli.main(["report", str(tmp_path)]) == 2
    assert "no *.jsonl" in capsys.readouterr().err


def test_nothing_but_other_signals(capsys, tmp_path):
    """A report without root runs says so."""
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"resourceMetrics": []}\n')
    assert cli.main(["report", str(path)]) == 0
    assert "no root run" in capsys.readouterr().out


def test_percentiles_are_right_within_a_per_cent():
    """Percentiles are within one per cent, for a few hundred numbers in memory, whatever the spread."""
    numbers = sorted(random.Random(7).lognormvariate(0, 2) for _ in range(20_000))  # noqa: S311 - not a secret
    durations = Durations()
    for number in numbers:
        durations.add(number)
    for share in (0.5, 0.95, 0.99):
        assert durations.percentile(share) == pytest.approx(numbers[int(share * 20_000) - 1], rel=0.011)
    assert len(durations._buckets) < 1500
    assert Durations().percentile(0.5) is None


def test_names_without_end_are_added_up(capsys, tmp_path):
    """Names beyond a limit share one group, so that memory stays bounded."""
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(chat(model=f"m-{number}") for number in range(2100)))
    _, document = report(capsys, path)
    assert len(document["groups"]) == 2001
    assert document["groups"][0]["name"] == "_OTHER"
