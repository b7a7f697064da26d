"""``otel-callbacks demo``: what it prints and writes is valid and true, and it always ends cleanly."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import get_args

import pytest

from otel_callbacks.cli import main
from otel_callbacks.config import Semconv
from tests.cli.command import environment, run, start

pytest.importorskip("langchain_openai")
pytest.importorskip("langgraph")
pytest.importorskip("opentelemetry.exporter.otlp.json.file")

PROGRAMS = ["support_agent", "answer_from_pages", "stream_slogan", "publish_announcement", "hit_rate_limit"]


@contextmanager
def http_server(answer):
    """Run a server on loopback that has `answer` handle each POST, and yield its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            answer(self)

        def log_message(self, *args):
            """Keep the test's output clean."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request, client_address):
            """The command may hang up."""

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def respond(handler, status):
    """Read a request and answer it with a status."""
    handler.rfile.read(int(handler.headers["content-length"]))
    handler.send_response(status)
    handler.send_header("content-length", "0")
    handler.end_headers()


def spans_of(path):
    """Return all spans of a file of OTLP JSON lines."""
    return [
        span
        for line in Path(path).read_text().splitlines()
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def totals_of(path, metric, label):
    """Return sums of a metric by one label, from a file of OTLP JSON lines."""
    totals = Counter()
    for line in Path(path).read_text().splitlines():
        for resource in json.loads(line)["resourceMetrics"]:
            for data in (m for scope in resource["scopeMetrics"] for m in scope["metrics"] if m["name"] == metric):
                for point in (data.get("sum") or data.get("histogram"))["dataPoints"]:
                    labels = {entry["key"]: entry["value"].get("stringValue") for entry in point["attributes"]}
                    totals[labels[label]] += int(point.get("asInt", point.get("sum", 0)))
    return totals


@pytest.fixture(scope="module", params=get_args(Semconv))
def report(request, tmp_path_factory):
    """Return what ``demo --json`` reports in a process of its own, in each dialect."""
    folder = tmp_path_factory.mktemp("demo")
    code, output, errors = run("demo", "--json", "--semconv", request.param, "--out", folder, cwd=folder)

    assert (code, errors) == (0, "")
    return json.loads(output)


@pytest.fixture
def demo(tmp_path, monkeypatch, capsys):
    """Return a function that runs the demo here, in an empty folder: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    variables = environment(COLUMNS="100")
    for name in set(os.environ) - set(variables):
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "100")

    def run_here(*options, **variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return main(["demo", *options]), *capsys.readouterr()

    return run_here


def test_text_shows_trees_table_files_and_next_steps(demo, tmp_path):
    """The demo prints a trace tree per run, a table of histograms, the files it wrote, and what to do next."""
    code, output, errors = demo()
    (folder,) = tmp_path.iterdir()

    assert (code, errors) == (0, "")
    for part in (
        "invoke_agent support_agent",
        "execute_tool refund_shipping",
        "error tool_error",
        "ttft",
        "interrupted",
        "error openai.RateLimitError",
        "histogram",
        "Files\n",
        f"{folder.name}/traces.jsonl",
        "Next\n",
    ):
        assert part in output
    assert folder.name.startswith("otel-callbacks-demo-")


def test_programs_make_the_trees_they_promise(report):
    """The traces have the agent with its tools, the retrieval, parallel nodes, the interrupt and its resume."""
    spans = spans_of(report["files"]["traces"])
    names = {span["spanId"]: span["name"] for span in spans}
    edges = Counter((names.get(span.get("parentSpanId")), span["name"]) for span in spans)

    assert edges == {
        (None, "invoke_agent support_agent"): 1,
        ("invoke_agent support_agent", "node model"): 3,
        ("invoke_agent support_agent", "node tools"): 2,
        ("node model", "chat gpt-4o-mini"): 3,
        ("node tools", "execute_tool order_status"): 1,
        ("node tools", "execute_tool refund_shipping"): 1,
        (None, "invoke_workflow answer_from_pages"): 1,
        ("invoke_workflow answer_from_pages", "retrieval"): 1,
        ("invoke_workflow answer_from_pages", "chain _join"): 1,
        ("invoke_workflow answer_from_pages", "chat gpt-4o-mini"): 1,
        (None, "chat gpt-4o-mini"): 1,
        (None, "chat gpt-4.1-mini"): 1,
        (None, "invoke_workflow announcement"): 2,
        ("invoke_workflow announcement", "node draft"): 1,
        ("invoke_workflow announcement", "node check_facts"): 1,
        ("invoke_workflow announcement", "node check_tone"): 1,
        ("invoke_workflow announcement", "node approve"): 2,
        ("node draft", "chat gpt-4.1-mini"): 1,
        ("node check_facts", "chat gpt-4.1-mini"): 1,
        ("node check_tone", "chat gpt-4.1-mini"): 1,
    }


def test_report_is_the_truth(report):
    """Spans, run counts and token sums in the files equal what an independent callback counted."""
    metrics = report["files"]["metrics"]
    if report["semconv"] == "py-1.3":
        tokens = totals_of(metrics, "gen_ai.client.token.usage", "gen_ai.token.type")
    else:
        usage = "gen_ai.client.inference.usage"
        tokens = {
            kind: sum(totals_of(metrics, f"{usage}.{kind}_tokens", "gen_ai.request.model").values())
            for kind in ("input", "output")
        }

    assert report["programs"] == dict.fromkeys(PROGRAMS, "ok")
    assert report["errors"] == {"tool_error": 1, "OpenAIRateLimitError": 1} or report["errors"]["RateLimitError"] == 1
    assert report["problems"] == []
    assert report["runs"]["chat"] == report["spans"]["chat"] == 9
    assert report["runs"] == totals_of(metrics, "otel_callbacks.runs", "langchain.run_type")
    assert report["tokens"] == tokens
    assert sum(report["spans"].values()) == len(spans_of(report["files"]["traces"]))


def test_content_stays_out_by_default(report):
    """No prompt, answer or tool error is in the files."""
    text = "".join(Path(path).read_text() for path in report["files"].values())

    for secret in ("refund the shipping", "refund desk is offline", "return unused items"):
        assert secret not in text


def test_detail_adds_and_hides_runs(demo):
    """`--detail` shows operations only, or also every prompt and parser."""
    operations, everything = (json.loads(demo("--json", "--detail", d)[1])["spans"] for d in ("operations", "all"))

    assert set(operations) == {"chat", "execute_tool", "invoke_agent", "invoke_workflow", "retrieval"}
    assert {"node", "chain", "prompt", "parser"} < set(everything)


def test_otlp_gets_all_signals(demo):
    """`--otlp` sends every signal to its path below the address, even if a signal's path was given."""
    paths = []

    def take(handler):
        paths.append(handler.path)
        respond(handler, 200)

    with http_server(take) as address:
        code, output, errors = demo("--otlp", f"{address}/v1/traces")

    assert (code, errors) == (0, "")
    assert paths == ["/v1/traces", "/v1/metrics"]
    assert f"Sent to\n  {address}" in output


def test_refused_signal_is_a_finding(demo):
    """A back end that accepts traces only, such as Jaeger, is named with the signal it refused; the exit code is 1."""

    def take_traces(handler):
        respond(handler, 200 if handler.path.endswith("traces") else 404)

    with http_server(take_traces) as address:
        code, output, _ = demo("--json", "--otlp", address)

    assert code == 1
    assert json.loads(output)["problems"] == [f"{address} did not take metrics"]


def test_every_folder_is_a_fresh_one(tmp_path, monkeypatch):
    """Without `--out` each run gets a folder of its own, even within one second."""
    from otel_callbacks.cli._demo import session

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(session.time, "strftime", lambda form: "demo")

    assert [str(session._folder(None)) for _ in range(3)] == ["demo", "demo-2", "demo-3"]


@pytest.mark.parametrize(
    ("options", "code", "complaint"),
    [
        pytest.param(["--otlp", "localhost:4318"], 2, "must be an address", id="no-scheme"),
        pytest.param(["--otlp", "http://localhost:port"], 2, "must be an address", id="no-port"),
        pytest.param(["--otlp", "http://127.0.0.1:1"], 1, "nothing answers at port 1", id="nothing-listens"),
        pytest.param(["--out", "file/below"], 2, "Not a directory", id="no-folder"),
        pytest.param(["--model", "nobody:model"], 2, "provider", id="unknown-provider"),
        pytest.param(["--model", "openai:gpt-4o"], 2, "OPENAI_API_KEY", id="no-key"),
    ],
)
def test_invalid_option_costs_one_line(demo, tmp_path, options, code, complaint):
    """A wrong address, folder or model is one line that names the option, an exit code, and no folder."""
    (tmp_path / "file").touch()
    exit_code, output, errors = demo("--json", *options)

    assert (exit_code, output, errors.count("\n")) == (code, "", 1)
    assert errors.startswith(" ".join(options))
    assert complaint in errors
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_disabled_sdk_is_reported(demo):
    """With OTEL_SDK_DISABLED there is nothing to show, and the demo says why."""
    code, _, errors = demo("--json", OTEL_SDK_DISABLED="true")

    assert (code, errors.count("\n")) == (2, 1)
    assert "OTEL_SDK_DISABLED" in errors


def test_missing_extra_costs_one_line(monkeypatch, capsys):
    """Without the packages of the extra the demo says which extra to install."""
    monkeypatch.setitem(sys.modules, "otel_callbacks.cli._demo.session", None)
    monkeypatch.delattr("otel_callbacks.cli._demo.session", raising=False)

    assert main(["demo", "--json"]) == 2
    assert capsys.readouterr().err.startswith("otel-callbacks demo needs: pip install 'otel-callbacks[demo]' (")


def test_environment_of_the_user_does_not_change_the_demo(tmp_path):
    """Other tracers' switches, samplers, proxies and endpoints in the environment do not affect the demo."""
    code, output, errors = run(
        "demo",
        "--json",
        cwd=tmp_path,
        LANGSMITH_TRACING="true",
        LANGSMITH_API_KEY="invented",
        LANGSMITH_ENDPOINT="http://127.0.0.1:1",
        OTEL_TRACES_SAMPLER="always_off",
        OPENAI_PROXY="http://127.0.0.1:1",
        OPENAI_BASE_URL="http://127.0.0.1:1",
        HTTP_PROXY="http://127.0.0.1:1",
        http_proxy="http://127.0.0.1:1",
    )

    assert (code, errors) == (0, "")
    assert json.loads(output)["spans"]["chat"] == 9


def test_failing_model_is_a_finding_and_the_rest_runs(demo):
    """When a real model refuses, each program that needs it is reported, the others run, and the exit code is 1."""
    with http_server(lambda handler: respond(handler, 401)) as address:
        variables = {"OPENAI_BASE_URL": f"{address}/v1", "OPENAI_API_KEY": "invented"}
        code, output, errors = demo("--json", "--model", "openai:big", **variables)
    report = json.loads(output)

    assert (code, errors, report["model"]) == (1, "", "openai:big")
    assert [name for name, result in report["programs"].items() if result == "ok"] == ["hit_rate_limit"]
    assert len(report["problems"]) == 4
    assert report["problems"][0].startswith("support_agent failed: ")


def test_ctrl_c_ends_cleanly(tmp_path):
    """Ctrl-C in the middle of a model call exits with 130, without a traceback, and the files hold what was done."""
    called, answer = threading.Event(), threading.Event()

    def hold(handler):
        called.set()
        answer.wait()

    with http_server(hold) as address:
        variables = {"OPENAI_BASE_URL": f"{address}/v1", "OPENAI_API_KEY": "invented", "NO_PROXY": "127.0.0.1"}
        command = start("demo", "--model", "openai:big", "--out", "x", cwd=tmp_path, **variables)
        called.wait()
        command.send_signal(signal.SIGINT)
        output, errors = command.communicate()
        answer.set()

    assert (command.returncode, errors) == (130, "stopped\n")
    assert "Files" in output
    assert [span["name"] for span in spans_of(tmp_path / "x" / "traces.jsonl")] == [
        "chat big",
        "node model",
        "invoke_agent support_agent",
    ]


IN_OLD_LANGCHAIN = """
import sys
sys.modules["langchain.agents"] = None
from otel_callbacks.cli import main
from otel_callbacks.config import Semconv
sys.exit(main(["demo", "--json"]))
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_langgraphs_agent_replaces_a_missing_one_of_langchain(tmp_path):
    """Before LangChain 1.0 the agent is LangGraph's prebuilt one, with the same trace."""
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", IN_OLD_LANGCHAIN],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (process.returncode, process.stderr) == (0, "")
    assert json.loads(process.stdout)["spans"]["invoke_agent"] == 1


def test_rounds_go_on_for_a_while(tmp_path, capsys):
    """With `--for` and `--rate` all programs run once per round, and the figures cover all rounds."""
    assert main(["demo", "--json", "--out", str(tmp_path), "--for", "1s", "--rate", "3"]) == 0
    report = json.loads(capsys.readouterr().out)
    names = [span["name"] for span in spans_of(tmp_path / "traces.jsonl")]
    assert names.count("invoke_agent support_agent") == 3
    assert len(names) == sum(report["spans"].values())


@pytest.mark.parametrize(
    ("option", "value"), [("--for", "soon"), ("--for", "2h"), ("--rate", "0"), ("--rate", "many"), ("--rate", "99")]
)
def test_invalid_pace_is_wrong_use(capsys, option, value):
    """An invalid pace costs exit code 2 and a message with the value."""
    assert main(["demo", option, value]) == 2
    assert value in capsys.readouterr().err
