import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import SpanProcessor

from otel_callbacks._setup import identity
from otel_callbacks._setup.exporters import PerProcess
from tests.support.otlp_server import Received

ROOT = Path(__file__).resolve().parents[2]
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
START = """
    import os, signal, sys, warnings
    import otel_callbacks
    from langchain_core.language_models import GenericFakeChatModel
    warnings.simplefilter("ignore")

    def call(name):
        model = GenericFakeChatModel(messages=iter(["hi"]))
        model.invoke("x", {"callbacks": [telemetry.handler], "run_name": name, "tags": [name]})

    def say(text):
        os.write(1, f"{text}\\n".encode())
"""


def program(*parts: str, **variables: str) -> subprocess.Popen[str]:
    """Start a Python program in a process without our variables."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    # The SDK waits longer for its back ends than any of these tests does.
    hour = {"OTEL_BSP_SCHEDULE_DELAY": "3600000", "OTEL_EXPORTER_OTLP_TIMEOUT": "3600"}
    return subprocess.Popen(
        [sys.executable, "-c", "".join(map(textwrap.dedent, (START, *parts)))],
        env={**others, "PYTHONPATH": str(ROOT), **hour, **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ends(process: subprocess.Popen[str], line: str = "") -> tuple[int, list[str], str]:
    """Send a line of input, and return exit code, lines of output and errors."""
    output, errors = process.communicate(line, timeout=300)
    return process.returncode, output.splitlines(), errors


def test_everything_leaves_when_the_program_ends(receiver: Received):
    """Without flush or shutdown, spans, measurements and even open runs leave at the end of the program."""
    code, _, errors = ends(
        program(
            """
            telemetry = otel_callbacks.setup("app", endpoint=os.environ["AT"])
            stream = GenericFakeChatModel(messages=iter(["a b c"])).stream("x", {"callbacks": [telemetry.handler]})
            next(stream)
            """,
            AT=receiver.url,
        )
    )
    assert (code, errors) == (0, "")
    assert {"chat", "gen_ai.client.operation.duration"} <= set(receiver.names())


@pytest.mark.parametrize("place", ["nothing listens", "nothing answers"])
def test_end_of_the_program_does_not_wait_for_a_back_end(closed_port, place):
    """Where the SDK would retry or wait for an hour, the program ends soon and says that something was lost."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as hanging:
        url = closed_port if place == "nothing listens" else f"http://127.0.0.1:{hanging.getsockname()[1]}"
        code, _, errors = ends(
            program(
                """
                telemetry = otel_callbacks.setup("app", endpoint=os.environ["AT"])
                call("x")
                """,
                AT=url,
            )
        )
    assert code == 0
    assert re.search("the last telemetry did not leave within 2.0 seconds|Exception while exporting Span", errors)


TERM = """
    telemetry = otel_callbacks.setup("app", endpoint=os.environ["AT"], flush_on_sigterm=True)
    call("x")
    say("ready")
    sys.stdin.readline()
    say("went on")
    os._exit(0)
"""
CHAINED = """
    def own(number, frame):
        say("own handler")
        sys.exit(7)

    signal.signal(signal.SIGTERM, own)
"""
IGNORED = """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
"""


def _terminated(receiver: Received, *parts: str) -> tuple[int, list[str], str]:
    process = program(*parts, AT=receiver.url)
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    return ends(process, "\n")


def test_sigterm_flushes_and_ends_the_process_as_before(receiver: Received):
    """With the option, everything leaves on SIGTERM, and the process still dies of it."""
    code, _, errors = _terminated(receiver, TERM)
    assert (code, errors) == (-signal.SIGTERM, "")
    assert {"chat", "gen_ai.client.operation.duration"} <= set(receiver.names())


def test_sigterm_handler_of_the_application_comes_after(receiver: Received):
    """An existing handler is called after the flush, and decides how the process ends."""
    code, lines, errors = _terminated(receiver, CHAINED, TERM)
    assert (code, lines, errors) == (7, ["own handler"], "")
    assert "chat" in receiver.names()


def test_ignored_sigterm_stays_ignored(receiver: Received):
    """If SIGTERM was ignored, everything leaves and the program goes on."""
    code, lines, errors = _terminated(receiver, IGNORED, TERM)
    assert (code, lines, errors) == (0, ["went on"], "")
    assert "chat" in receiver.names()


@pytest.fixture
def sigterm() -> Iterator[Any]:
    """Yield a function that sets what SIGTERM does, and reset it in the end."""
    before = signal.getsignal(signal.SIGTERM)
    yield lambda handler: signal.signal(signal.SIGTERM, handler)
    signal.signal(signal.SIGTERM, before)


def test_sigterm_cannot_hang(setup, sigterm, telemetry, receiver: Received):
    """If the signal interrupts code that holds a lock the flush needs, the earlier handler is still called."""
    called = []
    sigterm(lambda *_: called.append("own"))
    lock = threading.Lock()
    flushed = threading.Event()

    class Locked(SpanProcessor):
        def force_flush(self, timeout_millis=30_000):
            with lock:
                flushed.set()
            return True

    telemetry.tracer_provider.add_span_processor(Locked())
    trace.set_tracer_provider(telemetry.tracer_provider)
    setup(endpoint=receiver.url, flush_on_sigterm=True)
    with lock:
        os.kill(os.getpid(), signal.SIGTERM)
        assert called == ["own"]
        assert not flushed.is_set()
    os.kill(os.getpid(), signal.SIGTERM)
    assert called == ["own", "own"]
    assert flushed.is_set()


def test_sigterm_that_is_ignored_flushes_only(setup, sigterm, receiver: Received):
    """When an ignored signal has been handled, everything has left and nothing is shut down."""
    sigterm(signal.SIG_IGN)
    setup(endpoint=receiver.url, flush_on_sigterm=True)
    for name in ("first", "second"):
        trace.get_tracer("test").start_span(name).end()
        os.kill(os.getpid(), signal.SIGTERM)
        assert name in receiver.names()


def test_sigterm_needs_the_main_thread(setup, caplog, receiver: Received):
    """Set up in another thread, the option has no effect, and a warning says so."""
    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=lambda: setup(endpoint=receiver.url, flush_on_sigterm=True))
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is before
    assert "flush_on_sigterm has no effect: setup() must run in the main thread" in caplog.text


FORKING = """
    telemetry = otel_callbacks.setup("app", endpoint=os.environ["AT"])
    call("before")
    assert telemetry.flush(60)
    children = []
    for number in range(2):
        child = os.fork()
        if child == 0:
            call(f"child {number}")
            sys.exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    call("after")
"""


@needs_fork
def test_forked_children_are_instances_of_their_own(receiver: Received):
    """As with gunicorn's workers, each child's spans leave at its end, under an instance id of its own."""
    code, _, errors = ends(program(FORKING, AT=receiver.url))
    assert (code, errors) == (0, "")
    instances = {}
    for request in receiver.requests:
        for batch in getattr(request, "resource_spans", ()):
            (instance,) = [p.value.string_value for p in batch.resource.attributes if p.key == "service.instance.id"]
            for scope in batch.scope_spans:
                for span in scope.spans:
                    instances[_tag(span)] = instance
    assert sorted(instances) == ["after", "before", "child 0", "child 1"]
    assert instances["before"] == instances["after"]
    assert len(set(instances.values())) == 3
    trace_ids = [span.trace_id for span in receiver.spans()]
    assert len(set(trace_ids)) == len(trace_ids) == 4


def _tag(span):
    (tags,) = [pair.value.array_value.values for pair in span.attributes if pair.key == "langchain.tags"]
    return tags[0].string_value


@needs_fork
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_children_do_not_share_the_parents_connection(telemetry, receiver: Received):
    """Each process has a connection of its own, since two on one would garble data; the parent keeps its own."""
    exporter = PerProcess(partial(OTLPSpanExporter, f"{receiver.url}/v1/traces"))
    telemetry.tracer.start_span("x").end()
    exporter.export(telemetry.spans)
    child = os.fork()
    if child == 0:
        exporter.export(telemetry.spans)
        os._exit(0)
    os.waitpid(child, 0)
    exporter.export(telemetry.spans)
    exporter.shutdown()
    assert len(receiver.spans()) == 3
    assert len(receiver.clients["/v1/traces"]) == 2


@needs_fork
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_older_sdks_get_a_new_instance_id_in_a_child(monkeypatch):
    """If the SDK keeps the resource after a fork, ours gets one new id in the child."""
    monkeypatch.setattr(identity, "ResourceDetector", object)
    resource = identity.resource("app")
    parent = dict(resource.attributes)
    assert parent["service.name"] == "app"
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        ids = [resource.attributes["service.instance.id"] for _ in range(2)]
        os.write(write, " ".join([*ids, resource.attributes["service.name"]]).encode())
        os._exit(0)
    os.waitpid(child, 0)
    first, second, name = os.read(read, 1000).decode().split()
    os.close(read)
    os.close(write)
    assert first == second != parent["service.instance.id"]
    assert name == "app"
    assert dict(resource.attributes) == parent
