"""`otel-callbacks doctor` finds what is wrong, and says how to fix it."""

import json
import re
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import get_args

import pytest

from otel_callbacks import cli, semconv
from otel_callbacks.cli._doctor import transport
from otel_callbacks.cli._doctor.findings import Topic, anchor
from otel_callbacks.cli._doctor.ports import holder
from tests.support.otlp_server import http_server as otlp_server

PAGE = Path(__file__).parents[2] / "docs" / "troubleshooting.md"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    """Remove this machine's variables."""
    import os

    for variable in list(os.environ):
        if variable.startswith(("OTEL_", "LANGSMITH_", "LANGCHAIN_")):
            monkeypatch.delenv(variable)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "doctor-test")


def doctor(capsys, *arguments: str) -> tuple[int, list[dict]]:
    """Return the exit code and the findings."""
    code = cli.main(["doctor", "--json", *arguments])
    return code, json.loads(capsys.readouterr().out)["findings"]


def wrong(findings: list[dict]) -> set[str]:
    """Return the topics of findings that are not ok."""
    return {finding["topic"] for finding in findings if finding["level"] != "ok"}


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def http_server(answer):
    """Run a server on loopback that answers with `answer(path) -> (code, body, headers)`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            code, body, headers = answer(self.path)
            self.send_response_only(code)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the name that http.server looks for

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_all_is_well(capsys):
    """With a receiver that accepts everything the exit code is 0, and one test span and one test metric arrive."""
    with otlp_server() as received:
        code, findings = doctor(capsys, "--otlp", received.url)
    assert wrong(findings) - {"Another instrumentation of LangChain"} == set()
    assert code == (1 if wrong(findings) else 0)
    assert received.names() == [transport.SPAN_NAME, semconv.DOCTOR_METRIC]


def test_nothing_listens(capsys):
    """Each signal gets a finding with its address and a fix."""
    code, findings = doctor(capsys, "--otlp", f"http://127.0.0.1:{free_port()}")
    group = [finding for finding in findings if finding["topic"] == "Nothing listens"]
    assert code == 1
    assert len(group) == 3
    assert all("stack up" in finding["fix"] for finding in group)


def test_credentials_in_an_address_are_not_shown(capsys):
    """Output is pasted into chats, so addresses appear without password and key."""
    _, findings = doctor(capsys, "--otlp", f"http://me:hush@127.0.0.1:{free_port()}/otlp?key=hush")
    assert "Nothing listens" in wrong(findings)
    assert "hush" not in repr(findings)


def test_jaeger_takes_no_metrics(capsys):
    """If a back end has `/v1/traces` only, the fix says where metrics go."""
    with http_server(lambda path: (200 if path == "/v1/traces" else 404, b"", {})) as url:
        code, findings = doctor(capsys, "--otlp", url)
    group = [finding for finding in findings if finding["topic"] == "Jaeger takes no metrics"]
    assert code == 1
    assert "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT" in group[0]["fix"]
    assert "OTEL_LOGS_EXPORTER=none" in group[1]["fix"]


def test_key_that_is_missing(capsys, monkeypatch):
    """A finding names the status; headers from the environment are sent."""
    with http_server(lambda _: (401, b"", {})) as url:
        _, findings = doctor(capsys, "--otlp", url)
    assert "401" in next(f["text"] for f in findings if f["topic"] == "The back end refuses")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=1,y=2")
    assert transport._headers("traces") == {"x-key": "1", "y": "2"}


def test_port_of_another_program_names_it(capsys):
    """A finding names the process that holds the port and does not speak HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        def hang_up() -> None:
            for _ in range(6):
                connection, _ = other.accept()
                connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        _, findings = doctor(capsys, "--otlp", f"http://127.0.0.1:{port}")
        thread.join()
        group = [finding for finding in findings if finding["topic"] == "The back end refuses"]
        assert "does not answer as HTTP" in group[0]["text"]
        if Path("/proc/net/tcp").exists():
            assert "process" in group[0]["text"]
            assert holder(port) is not None
    assert holder(free_port()) is None


def test_holder_is_unknown_where_the_system_does_not_show_it(tmp_path):
    """Without the system's files there is no answer and no error."""
    assert holder(80, tmp_path) is None


def test_clocks_that_differ(capsys):
    """A receiver whose clock is behind is a finding."""
    old = {"Date": "Mon, 01 Jan 2024 00:00:00 GMT"}
    with http_server(lambda _: (200, b"", old)) as url:
        code, findings = doctor(capsys, "--otlp", url)
    assert code == 1
    assert "ahead of" in next(f["text"] for f in findings if f["topic"] == "Clocks differ")


def test_waits_until_back_ends_have_the_test(capsys, monkeypatch):
    """Back ends are queried until they have the test; one that never has it is a finding."""
    paths: list[str] = []

    def answer(path: str) -> tuple[int, bytes, dict]:
        paths.append(path)
        if len(paths) < 2:
            return 404, b"{}", {}
        document = {"result": transport.SPAN_NAME, "data": {"result": [1]}}
        return 200, json.dumps(document).encode(), {}

    monkeypatch.setattr(transport, "_POLL_S", 0.01)
    with otlp_server() as received, http_server(answer) as back_end:
        arguments = ("--otlp", received.url, "--jaeger", back_end, "--prometheus", back_end)
        _, findings = doctor(capsys, *arguments)
        assert [f["level"] for f in findings if "queried" in f["text"]] == ["ok", "ok"]
        assert re.search(r"/api/v3/traces/[0-9a-f]{32}$", paths[0])
    with otlp_server() as received, http_server(lambda _: (200, b"{}", {})) as back_end:
        code, findings = doctor(capsys, "--otlp", received.url, "--jaeger", back_end, "--timeout", "0.05")
    assert code == 1
    assert "The test does not arrive" in wrong(findings)


@pytest.mark.parametrize(
    ("variable", "value", "topic"),
    [
        ("OTEL_SDK_DISABLED", "true", "Telemetry is switched off"),
        ("OTEL_SERVICE_NAME", "", "No service name"),
        ("OTEL_TRACES_SAMPLER", "always_off", "Sampling"),
        ("LANGSMITH_TRACING", "true", "SDKs that trace themselves"),
        ("OTEL_CALLBACKS_DETAIL", "everything", "Options"),
        ("OTEL_CALLBACKS_DETIAL", "all", "Options"),
        ("OTEL_METRICS_EXPORTER", "none", "A signal is switched off"),
    ],
)
def test_variables_that_change_the_result(capsys, monkeypatch, variable, value, topic):
    """Each variable gets a finding under its heading."""
    monkeypatch.setenv(variable, value)
    _, findings = doctor(capsys, "--otlp", f"http://127.0.0.1:{free_port()}")
    assert topic in wrong(findings)


@pytest.mark.parametrize(
    ("variable", "value", "level", "topic"),
    [
        ("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=one", "warning", "Processes look alike"),
        ("OTEL_RESOURCE_ATTRIBUTES", "", "ok", "Processes look alike"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.version=2", "warning", "Releases look alike"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.version=2, deployment.environment.name=x", "ok", "Releases look alike"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many", "wrong", "Queue and batches"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "wrong", "Queue and batches"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "100", "wrong", "Queue and batches"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1024", "warning", "Queue and batches"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "256", "ok", "Queue and batches"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10000", "warning", "Export timeout"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "0.5", "warning", "Export timeout"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "long", "wrong", "Export timeout"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "5", "ok", "Export timeout"),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio", "warning", "Sampling before the samplers"),
        ("OTEL_TRACES_SAMPLER", "always_off", "warning", "Sampling before the samplers"),
        ("OTEL_TRACES_SAMPLER", "always_on", "ok", "Sampling before the samplers"),
    ],
)
def test_what_matters_to_a_fleet(capsys, monkeypatch, variable, value, level, topic):
    """With `--fleet`, each has a finding under its heading, with a fix unless all is well."""
    monkeypatch.setenv(variable, value)
    _, findings = doctor(capsys, "--fleet", "--otlp", f"http://127.0.0.1:{free_port()}")
    group = [finding for finding in findings if finding["topic"] == topic]
    assert [finding["level"] for finding in group if finding["level"] != "ok"][:1] == ([] if level == "ok" else [level])
    assert group
    assert all(bool(finding["fix"]) == (finding["level"] != "ok") for finding in group)


def test_fleets_are_checked_on_request_only(capsys):
    """Without `--fleet`, no finding is about many processes."""
    _, findings = doctor(capsys, "--otlp", f"http://127.0.0.1:{free_port()}")
    topics = {finding["topic"] for finding in findings}
    assert topics.isdisjoint({"Processes look alike", "Releases look alike", "Queue and batches", "Export timeout"})


def test_options_state_their_source(capsys, monkeypatch):
    """Findings state each option in force and the variable that sets it."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "span_only")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "traceidratio")
    _, findings = doctor(capsys, "--otlp", f"http://127.0.0.1:{free_port()}")
    texts = [finding["text"] for finding in findings]
    assert "capture = 'span_only' (OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT)" in texts
    assert "detail = 'steps' (default)" in texts


def test_text_names_the_place_in_the_docs(capsys):
    """A finding is printed with its fix and a link to the heading of the same name."""
    assert cli.main(["doctor", "--otlp", f"http://127.0.0.1:{free_port()}"]) == 1
    out = capsys.readouterr().out
    assert "wrong    traces: nothing answers" in out
    assert "see: docs/troubleshooting.md#nothing-listens" in out


def test_every_topic_has_its_heading():
    """Each topic is a heading of the troubleshooting page."""
    headings = {
        anchor(line.removeprefix("## ")) for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:3] == "## "
    }
    assert {anchor(topic) for topic in get_args(Topic)} <= headings


@pytest.mark.parametrize("option", ["--otlp", "--jaeger", "--prometheus"])
def test_text_that_is_not_an_address_is_wrong_use(capsys, option):
    """An option that is not an address costs one line and exit code 2."""
    assert cli.main(["doctor", option, "localhost"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


# Secrets, and addresses that are none

ADDRESSES = {
    "user and password": "http://fool:hush4ever@127.0.0.1:{port}",
    "password with an at sign": "http://fool:hush4ever@hush4ever@127.0.0.1:{port}",
    "password with a slash": "http://fool:hush4ever/hush4ever@127.0.0.1:{port}",
    "password with a slash behind digits": "http://127.0.0.1:{port}/hush4ever@127.0.0.1:{port}",
    "encoded password": "http://fool:hush4ever%21@127.0.0.1:{port}",
    "key among parameters": "http://127.0.0.1:{port}/?key=hush4ever&b=1",
    "fragment": "http://127.0.0.1:{port}/#hush4ever",
    "port beyond 65535": "http://fool:hush4ever@127.0.0.1:70000",
    "port 0": "http://fool:hush4ever@127.0.0.1:0",
    "port in words": "http://fool:hush4ever@127.0.0.1:otlp",
    "no host": "http://fool:hush4ever@:{port}",
    "brackets": "http://fool:hush4ever@[::1:{port}",
    "long host": "http://fool:hush4ever@" + "a" * 80 + ":{port}",
    "space": "http://fool:hush4ever@127.0.0.1:{port}/a b",
    "line end": "http://fool:hush4ever@127.0.0.1:{port}/a\nb",
    "other scheme": "ftp://fool:hush4ever@127.0.0.1:{port}",
    "no scheme": "fool:hush4ever@127.0.0.1:{port}",
    "nothing else": "://fool:hush4ever",
}


@pytest.mark.parametrize("listens", [False, True], ids=["silent", "refusing"])
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
def test_no_address_shows_its_secret_or_a_traceback(capsys, monkeypatch, address, protocol, listens):
    """In a variable, whatever is wrong with it, an address is a finding, and none of its secrets is printed."""
    monkeypatch.setattr(transport, "_TIMEOUT_S", 0.5)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    with http_server(lambda _: (400, b"bad\x1b[2J", {})) as url:
        port = url.rpartition(":")[2] if listens else free_port()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address.format(port=port))
        assert cli.main(["doctor"]) == 1
    captured = capsys.readouterr()
    assert "wrong " in captured.out
    assert "hush4ever" not in captured.out + captured.err
    assert "fool" not in captured.out + captured.err
    assert "\x1b" not in captured.out + captured.err


NO_ADDRESSES = ("port beyond 65535", "no host", "brackets", "other scheme", "no scheme", "line end")


@pytest.mark.parametrize("command", ["doctor", "demo"])
@pytest.mark.parametrize("address", [ADDRESSES[name] for name in NO_ADDRESSES], ids=NO_ADDRESSES)
def test_an_option_that_is_no_address_is_wrong_use(capsys, tmp_path, monkeypatch, command, address):
    """One line says what is wrong with it, without the address itself."""
    monkeypatch.chdir(tmp_path)
    assert cli.main([command, "--otlp", address.format(port=4318)]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "hush4ever" not in captured.out + captured.err


def test_user_and_password_are_sent_as_exporters_send_them(capsys):
    """They become a header; the addresses of back ends are treated alike."""
    seen = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            seen.append(self.headers.get("Authorization"))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - the name that http.server looks for

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    base = f"http://me:hush4ever@127.0.0.1:{server.server_port}"
    _, findings = doctor(capsys, "--otlp", base, "--jaeger", base, "--prometheus", base, "--timeout", "0")
    server.shutdown()
    thread.join()
    server.server_close()
    assert set(seen) == {"Basic bWU6aHVzaDRldmVy"}
    assert len([finding for finding in findings if "was not found at http://127.0.0.1" in finding["text"]]) == 2
    assert "hush4ever" not in repr(findings)


@pytest.mark.parametrize("value", ["authorization=Bearer hush4ever", "x-key=hush4ever%0Ax", "x-key=hush4ever\u2603"])
def test_no_header_is_shown(capsys, monkeypatch, value):
    """Values of headers are not printed, not even those that cannot be sent."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", value)
    with http_server(lambda _: (403, b"hush4ever is no key", {})) as url:
        assert cli.main(["doctor", "--otlp", url]) == 1
    captured = capsys.readouterr()
    assert "wrong " in captured.out
    assert "hush4ever" not in captured.out + captured.err


def test_what_a_server_says_cannot_harm_the_terminal(capsys):
    """A status line and an answer that is not HTTP are printed with their control characters escaped."""
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer() -> None:
            for number in range(12):
                connection, _ = other.accept()
                with connection:
                    connection.recv(100)
                    connection.sendall(b"HTTP/1.1 400 b\x1b[2Jad\r\n\r\n" if number % 2 else b"SSH\x1b]0;owned\x07\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        assert cli.main(["doctor", "--otlp", f"http://127.0.0.1:{other.getsockname()[1]}"]) == 1
    captured = capsys.readouterr()
    assert "refuses" in captured.out or "answers" in captured.out
    assert not {"\x1b", "\x07"} & {*captured.out, *captured.err}


@pytest.mark.parametrize("answer", [b"[" * 100_000, b'{"data": []}', b"[1]", b"5", b"\xff"])
def test_back_ends_that_answer_nonsense_have_nothing(capsys, answer):
    """An answer that is not what a back end sends counts as not found."""
    with http_server(lambda _: (200, answer, {})) as url:
        assert not transport._is_in_prometheus(url, "1")
        assert not transport._is_in_jaeger(url, "1")
