"""Files and names that attack `report` and `view`: odd spans are skipped, control characters never reach a terminal."""

import csv
import io
import json
import os
import re
import subprocess
import sys
import unicodedata

import pytest

from otel_callbacks import cli
from otel_callbacks.cli._view import page
from tests.cli.command import environment
from tests.cli.test_report import attribute

ESCAPES = "\x1b]0;owned\x07\x1b[31mred\x1b[2J\x9b31m\x7f\u202etxt\u2066\u200b"
"""Sets the title of a window, colours, clears the screen, and turns the direction of text around."""


def span(**fields):
    """Return a good span, some fields of it replaced."""
    return {
        "traceId": "ab" * 16,
        "spanId": "cd" * 8,
        "name": "chat m",
        "kind": 3,
        "startTimeUnixNano": "1700000000000000000",
        "endTimeUnixNano": "1700000001000000000",
        "attributes": [attribute("gen_ai.operation.name", "chat"), attribute("gen_ai.request.model", "m")],
        "status": {},
        **fields,
    }


def line(*spans):
    """Return spans as one line."""
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}, ensure_ascii=False)


def with_value(**value):
    """Return a span that has one more attribute."""
    return span(attributes=[*span()["attributes"], {"key": "x", "value": value}])


def nested(depth):
    """Return arrays within arrays."""
    return {"arrayValue": {"values": [nested(depth - 1)]}} if depth else {"intValue": "1"}


ODD_SPANS = {
    "text": "span",
    "null": None,
    "trace id is a list": span(traceId=["a"]),
    "trace id is a number": span(traceId=5),
    "trace id is null": span(traceId=None),
    "no span id": {key: value for key, value in span().items() if key != "spanId"},
    "name is a map": span(name={"a": 1}),
    "name is null": span(name=None),
    "time is text": span(startTimeUnixNano="abc"),
    "time is empty": span(endTimeUnixNano=""),
    "time is a fraction": span(startTimeUnixNano=1.5),
    "time is beyond 64 bits": span(startTimeUnixNano="9" * 20),
    "time has 5000 digits": span(startTimeUnixNano="9" * 5000),
    "time has foreign digits": span(startTimeUnixNano="١٢٣"),
    "status is text": span(status="x"),
    "status code is a list": span(status={"code": [1]}),
    "status message is a number": span(status={"message": 1}),
    "kind is a list": span(kind=[1]),
    "kind is true": span(kind=True),
    "attributes are null": span(attributes=None),
    "attributes are a map": span(attributes={"key": "x"}),
    "an attribute is text": span(attributes=["x"]),
    "an attribute has no key": span(attributes=[{"value": {"stringValue": "x"}}]),
    "a key is a list": span(attributes=[{"key": ["x"], "value": {"stringValue": "x"}}]),
    "a value is null": span(attributes=[{"key": "x", "value": None}]),
    "text is a number": with_value(stringValue=5),
    "an integer is text": with_value(intValue="abc"),
    "an integer has 5000 digits": with_value(intValue="9" * 5000),
    "an integer is beyond 64 bits": with_value(intValue=str(2**63)),
    "a number is text": with_value(doubleValue="many"),
    "a number is NaN": with_value(doubleValue="NaN"),
    "a number is infinite": with_value(doubleValue="-Infinity"),
    "a boolean is text": with_value(boolValue="true"),
    "an array is null": with_value(arrayValue=None),
    "an array has a null": with_value(arrayValue={"values": [None]}),
    "deep arrays": with_value(**nested(100)),
    "events are text": span(events="abc"),
    "an event is text": span(events=["abc"]),
    "an event's attribute is odd": span(events=[{"name": "e", "attributes": [{"key": "x", "value": "v"}]}]),
}
ODD_LINES = {
    "NaN": line(span()).replace('"kind": 3', '"kind": NaN'),
    "infinite": line(span()).replace('"kind": 3', '"kind": 1e999'),
    "5000 digits": line(span()).replace('"kind": 3', f'"kind": {"9" * 5000}'),
    "lone surrogate": line(span(name="SURROGATE")).replace("SURROGATE", "\\ud800"),
    "lone surrogate in capitals": line(span(name="SURROGATE")).replace("SURROGATE", "\\uDFFF x"),
    "deep": '{"resourceSpans":' + "[" * 100_000 + "]" * 100_000 + "}",
    "array": "[1, 2]",
    "number": "5",
    "text": '"resourceSpans"',
    "resources are null": '{"resourceSpans": null}',
    "resource is text": '{"resourceSpans": ["abc"]}',
    "resource's attributes are text": '{"resourceSpans": [{"resource": {"attributes": "abc"}}]}',
    "scopes are text": '{"resourceSpans": [{"scopeSpans": "abc"}]}',
    "spans are a map": '{"resourceSpans": [{"scopeSpans": [{"spans": {}}]}]}',
    "cut off": line(span())[:200],
    "nothing but zeros": "\0" * 1000,
}
ODD_BYTES = {
    "latin-1": line(span(name="é")).encode("latin-1"),
    "with a mark of its byte order": b"\xef\xbb\xbf" + line(span()).encode(),
    "compressed": bytes.fromhex("1f8b0800c9a5"),
}


@pytest.fixture
def results(capsys, tmp_path):
    """Return a function: text of a file -> the report's document, the page's traces, what `view` says on stderr."""

    def read(content: str | bytes):
        file, out = tmp_path / "t.jsonl", tmp_path / "page.html"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        assert cli.main(["report", "--json", str(file)]) == 0
        document = json.loads(capsys.readouterr().out)
        assert cli.main(["view", str(file), "-o", str(out)]) == 0
        return document, embedded(out.read_text(encoding="utf-8")), capsys.readouterr().err

    return read


def embedded(text):
    """Return the data of a page, read as strictly as a browser does."""

    def fail(constant):
        raise AssertionError(constant)

    [data] = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    return json.loads(data, parse_constant=fail)


@pytest.mark.parametrize("odd", ODD_SPANS.values(), ids=ODD_SPANS)
def test_an_odd_span_is_skipped_alone(results, odd):
    """Both commands count and skip a span with a value OTLP does not allow, and keep its neighbours in the line."""
    document, traces, said = results(line(span(), odd, span()))
    assert (document["skipped_spans"], document["skipped_lines"]) == (1, 0)
    assert document["runs"]["runs"] == len(traces[0]["spans"]) == 2
    assert said == "1 span skipped: with values that OTLP does not allow\n"


@pytest.mark.parametrize("odd", [*ODD_LINES.values(), *ODD_BYTES.values()], ids=[*ODD_LINES, *ODD_BYTES])
def test_an_odd_line_is_skipped_alone(results, odd):
    """Both commands count and skip a line that is not OTLP JSON, and read the lines around it."""
    odd = odd if isinstance(odd, bytes) else odd.encode()
    document, traces, said = results(b"\n".join([line(span()).encode(), odd, line(span()).encode()]))
    assert (document["skipped_spans"], document["skipped_lines"]) == (0, 1)
    assert document["runs"]["runs"] == len(traces[0]["spans"]) == 2
    assert said == "1 line skipped: cut off, or not OTLP JSON\n"


def test_what_otlp_allows_is_read(results):
    """Numbers as text or not, arrays, maps, bytes, empty values, unknown fields and names of enumerations are fine."""
    good = [
        span(startTimeUnixNano=1, endTimeUnixNano="2", kind="SPAN_KIND_CLIENT", parentSpanId=None, flags=1),
        span(status={"code": "STATUS_CODE_ERROR"}, attributes=[{"key": "empty"}, {"key": "also", "value": {}}]),
        with_value(kvlistValue={"values": [attribute("a", 1), {"key": "b", "value": nested(3)}]}),
        with_value(bytesValue="AAAA"),
        with_value(doubleValue="1.5"),
        with_value(intValue=-(2**63)),
    ]
    document, traces, said = results(line(*good))
    assert (document["skipped_spans"], said) == (0, "")
    shown = [one["attributes"].get("x") for one in traces[0]["spans"]]
    assert shown == [None, None, {"a": 1, "b": [[[1]]]}, "AAAA", 1.5, -(2**63)]
    assert traces[0]["spans"][1]["failed"]


def test_figures_of_the_wrong_kind_are_no_figures(results):
    """Text, arrays, booleans, negative and endless numbers where tokens, cost and times belong count as nothing."""
    odd_values = ("many", True, -5, 1e308)
    keys = ("gen_ai.usage.input_tokens", "otel_callbacks.cost.usd", "gen_ai.response.time_to_first_chunk")
    spans = [span(attributes=[*span()["attributes"], *(attribute(key, value) for key in keys)]) for value in odd_values]
    array = {"arrayValue": {"values": [{"stringValue": "chat"}]}}
    spans += [span(attributes=[{"key": "gen_ai.operation.name", "value": array}])]
    document, _, _ = results(line(*spans))
    [group] = document["groups"]
    assert (group["runs"], group["input_tokens"], group["cost_usd"], group["first_chunk_p95_s"]) == (4, 0, 0, None)


def test_without_orjson_the_same_is_skipped(tmp_path):
    """The standard library's decoder accepts neither more nor less."""
    files = [*ODD_LINES.values(), *ODD_BYTES.values(), *(line(odd) for odd in ODD_SPANS.values()), line(span())]
    for number, content in enumerate(files):
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / f"{number:03}.jsonl").write_bytes(data + b"\n")
    program = (
        "import sys; {}\nfrom otel_callbacks.cli import main\n"
        f"main(['report', '--json', {str(tmp_path)!r}]); main(['view', {str(tmp_path)!r}, '-o', '{{}}.html'])"
    )
    printed, pages = [], []
    for name, prefix in (("fast", "pass"), ("plain", "sys.modules['orjson'] = None")):
        command = [sys.executable, "-c", program.format(prefix, tmp_path / name)]
        process = subprocess.run(command, capture_output=True, check=True, env=environment())
        printed.append((process.stdout.replace(name.encode(), b""), process.stderr))
        pages.append((tmp_path / f"{name}.html").read_bytes())
    assert printed[0] == printed[1]
    assert pages[0] == pages[1]


# What is printed


def unsafe(text):
    """Return characters that could move the cursor, hide or reorder text."""
    return {character for character in text if unicodedata.category(character)[0] == "C" and character != "\n"}


@pytest.fixture
def escaping(tmp_path):
    """Return a file whose every name has escape sequences and line ends."""
    names = ("gen_ai.request.model", "gen_ai.tool.name", "gen_ai.agent.name", "langgraph.node", "error.type")
    names = (*names, "otel_callbacks.outcome", "gen_ai.workflow.name")
    values = [attribute(name, f"{name}{ESCAPES}\nfake row 9\r\u2028") for name in names]
    spans = [
        span(
            name=f"n{ESCAPES}\n",
            traceId=f"t{ESCAPES}\n",
            status={"code": 2},
            attributes=[
                attribute("gen_ai.operation.name", operation),
                attribute("otel_callbacks.cost.usd", 1),
                *values,
            ],
        )
        for operation in ("chat", "execute_tool", "invoke_agent", "invoke_workflow", "")
    ]
    path = tmp_path / "escapes.jsonl"
    path.write_text(line(*spans), encoding="utf-8")
    return path


@pytest.mark.parametrize("form", ["text", "csv", "md", "json"])
def test_no_control_character_of_a_name_is_printed(capsys, escaping, form):
    """Escape sequences, control characters and directions of text in names are printed as escapes, in every format."""
    assert cli.main(["report", str(escaping), "--format", form]) == 0
    output = capsys.readouterr().out
    assert unsafe(output) == set()
    assert output.count("gen_ai.request.model") == 1


def test_line_ends_in_names_break_no_table(capsys, escaping):
    """Every row stays one line, in all tables."""
    cli.main(["report", str(escaping), "--format", "csv"])
    output = capsys.readouterr().out
    assert len(output.splitlines()) == len(list(csv.reader(io.StringIO(output)))) == 6
    cli.main(["report", str(escaping), "--format", "md"])
    tables = [row for row in capsys.readouterr().out.splitlines() if not row.startswith("- ") and row]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in tables} == {11}
    cli.main(["report", str(escaping), "--by", "node,model"])
    assert not any(row.startswith("fake") for row in capsys.readouterr().out.splitlines())


@pytest.mark.parametrize("name", ["=cmd|'/c calc'!A1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\n=1", "\uff1d1"])
def test_no_cell_is_a_formula(capsys, tmp_path, name):
    """A spreadsheet that opens the CSV executes nothing: such a cell begins with an apostrophe or an escape."""
    path = tmp_path / "t.jsonl"
    path.write_text(
        line(span(attributes=[attribute("gen_ai.operation.name", "chat"), attribute("gen_ai.request.model", name)]))
    )
    cli.main(["report", str(path), "--format", "csv"])
    [_, row] = csv.reader(io.StringIO(capsys.readouterr().out))
    assert row[1][0] in "'\\"


@pytest.mark.parametrize(
    "name",
    ["m | x", "<img src=x>", "[x](javascript:alert(1))", "![](https://example.com/t.png)", "`x`", "&lt;", "a\\|b"],
)
def test_no_name_is_markup(capsys, tmp_path, name):
    """Markdown shows a name as it is: every character that could begin markup is escaped."""
    path = tmp_path / "t.jsonl"
    path.write_text(line(span(name=name, attributes=[attribute("langgraph.node", name)])))
    cli.main(["report", str(path), "--format", "md"])
    shown = re.sub(r"[\\`*\[\]<>|&~]", r"\\\g<0>", name)
    output = capsys.readouterr().out
    assert f"| {shown} | 1 |" in output
    assert output.splitlines()[-1].endswith(shown)


def test_names_of_files_are_printed_without_escapes(capsys, tmp_path):
    """What `view` and errors say of files has no escape sequence that a file's name holds."""
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / "a\x1b[31m\udcff.jsonl").symlink_to(tmp_path / "missing")
    assert cli.main(["report", str(folder)]) == 2
    (tmp_path / "t.jsonl").write_text(line(span()))
    assert cli.main(["view", str(tmp_path / "t.jsonl"), "-o", str(tmp_path / "p\x1b[2J\udcff.html")]) == 0
    captured = capsys.readouterr()
    assert "\\x1b[31m\\udcff" in captured.err
    assert "\\x1b[2J\\udcff" in captured.out
    assert unsafe(captured.out + captured.err) == set()


def test_a_poor_encoding_costs_no_traceback(tmp_path):
    """Where standard output cannot show a character, its escape is printed."""
    (tmp_path / "t.jsonl").write_text(line(span(attributes=[attribute("langgraph.node", "ключ")])))
    command = [sys.executable, "-m", "otel_callbacks", "report", "t.jsonl"]
    process = subprocess.run(
        command, capture_output=True, check=True, cwd=tmp_path, env=environment(PYTHONIOENCODING="ascii")
    )
    assert b"\\u043a" in process.stdout


# What a page may replace, and how large things may get


@pytest.mark.parametrize("way", ["same", "other name", "link", "folder"])
def test_a_page_never_replaces_what_it_is_made_of(capsys, tmp_path, way):
    """If the page's file is one of those to read, under whatever name, it stays as it is."""
    file, out = tmp_path / "t.jsonl", tmp_path / "t.jsonl"
    file.write_text(line(span()))
    if way == "other name":
        out = tmp_path / "x" / ".." / "t.jsonl"
        (tmp_path / "x").mkdir()
    elif way == "link":
        out = tmp_path / "page.html"
        os.link(file, out)
    source = file.parent if way == "folder" else file
    assert cli.main(["view", str(source), "-o", str(out)]) == 2
    assert "one of the files to read" in capsys.readouterr().err
    assert file.read_text() == line(span())


def test_a_page_that_no_browser_shows_is_refused(capsys, tmp_path, monkeypatch):
    """Above a limit nothing is written, and the message says how to make the page smaller."""
    file, out = tmp_path / "t.jsonl", tmp_path / "page.html"
    file.write_text("\n".join(line(span(name="x" * 1000)) for _ in range(20)))
    monkeypatch.setattr(page, "MOST_BYTES", 30_000)
    assert cli.main(["view", str(file), "-o", str(out)]) == 0
    out.unlink()
    monkeypatch.setattr(page, "MOST_BYTES", 20_000)
    assert cli.main(["view", str(file), "-o", str(out)]) == 2
    assert "name fewer files" in capsys.readouterr().err
    assert not out.exists()


def test_a_line_without_end_is_skipped(results, monkeypatch):
    """A line above a limit is not decoded; the lines after it are."""
    monkeypatch.setattr("otel_callbacks.cli._report.reading._LONGEST_LINE", 2000)
    document, traces, _ = results("\n".join([line(span(name="x" * size)) for size in (10, 3000, 9000, 10)]))
    assert document["skipped_lines"] == 2
    assert len(traces[0]["spans"]) == document["runs"]["runs"] == 2


_PEAK = """
import resource, sys
from otel_callbacks.cli import main
main(sys.argv[1:3] + ["-o", sys.argv[3]] * (sys.argv[1] == "view"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@pytest.mark.parametrize("command", ["report", "view"])
def test_memory_does_not_follow_the_files(tmp_path, command):
    """The report keeps figures only, and the page is held a few times at most, never the objects it is made from."""
    with (tmp_path / "t.jsonl").open("w") as file:
        for number in range(3_000):
            names = [attribute("langgraph.node", f"n{number}"), attribute("error.type", f"e{number}")]
            one = span(traceId=f"{number:032}", status={"code": 2}, attributes=[*names, attribute("x", "y" * 6_000)])
            file.write(line(one) + "\n")
    (tmp_path / "empty.jsonl").touch()
    peaks = []
    for name in ("empty", "t"):
        arguments = [command, str(tmp_path / f"{name}.jsonl"), str(tmp_path / "page.html")]
        process = subprocess.run(
            [sys.executable, "-c", _PEAK, *arguments], capture_output=True, text=True, check=True, env=environment()
        )
        peaks.append(float(process.stdout.splitlines()[-1]))
    megabytes = (tmp_path / "t.jsonl").stat().st_size / 2**20
    assert peaks[1] - peaks[0] < megabytes * (0.4 if command == "report" else 4)
