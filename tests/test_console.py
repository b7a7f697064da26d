"""The console tree: what it shows of spans, where, and that it harms no program."""

import io
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision, Sampler, SamplingResult
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags, set_span_in_context

from otel_callbacks.console import ConsoleTree

ROOT = Path(__file__).resolve().parent.parent
MIDNIGHT_NS = 1_767_225_600_000_000_000
"""2026-01-01, 00:00:00 UTC."""


class CountingIds(IdGenerator):
    """Trace ids 1, 2, ... and span ids 1, 2, ..."""

    def __init__(self):
        self.traces = self.spans = 0

    def generate_trace_id(self):
        self.traces += 1
        return self.traces

    def generate_span_id(self):
        self.spans += 1
        return self.spans


class Terminal(io.StringIO):
    """A text stream that claims to be a terminal."""

    def isatty(self):
        return True


class Console:
    """A tracer whose spans a console tree draws, with times given in milliseconds after midnight."""

    def __init__(self, stream=None, sampler=None, **options):
        self.stream = io.StringIO() if stream is None else stream
        self.tree = ConsoleTree(self.stream, **options)
        provider = TracerProvider(sampler=sampler, id_generator=CountingIds(), shutdown_on_exit=False)
        provider.add_span_processor(self.tree)
        self.tracer = provider.get_tracer("test")

    def start(self, name, at, parent=None, **attributes):
        context = set_span_in_context(parent) if parent else None
        values = {key.replace("__", "."): value for key, value in attributes.items()}
        return self.tracer.start_span(name, context, attributes=values, start_time=MIDNIGHT_NS + at * 1_000_000)

    def end(self, span, at, **attributes):
        for key, value in attributes.items():
            span.set_attribute(key.replace("__", "."), value)
        span.end(MIDNIGHT_NS + int(at * 1_000_000))

    @property
    def text(self):
        return self.stream.getvalue()

    @property
    def lines(self):
        return self.text.splitlines()


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    """Remove variables that set colours or width, and use UTC."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def draw_agent(console):
    """Record an agent run as the handler does, with parallel children, a failing tool and a foreign HTTP span."""
    agent = console.start("invoke_agent support", 0)
    tool = console.start("execute_tool refund", 900, agent)
    model = console.start("chat gpt-4o-mini", 5, agent, gen_ai__input__messages="my secret question")
    http = console.start("POST", 6, model)
    console.end(http, 800)
    console.end(tool, 900.4, otel_callbacks__outcome="error", error__type="tool_error")
    console.end(
        model,
        825,
        otel_callbacks__outcome="ok",
        gen_ai__response__time_to_first_chunk=0.31,
        gen_ai__usage__input_tokens=42,
        gen_ai__usage__output_tokens=14,
        otel_callbacks__cost__usd=0.000015,
    )
    console.end(agent, 125_000, otel_callbacks__outcome="interrupted")


def test_tree_shows_names_times_tokens_cost_and_outcomes():
    """Each span has a line under its parent, siblings by start time; figures are in columns, the trace id is last."""
    console = Console()
    draw_agent(console)

    assert console.lines == [
        "00:00:00 invoke_agent support      2m05s                                    interrupted",
        "         ├─ chat gpt-4o-mini       0.82s  ttft 0.31s  42→14 tok  $0.000015",
        "         │  └─ POST                0.79s",
        "         └─ execute_tool refund     <1ms                                    error tool_error",
        "         trace 00000000000000000000000000000001",
    ]


def test_narrow_terminal_cuts_names_and_gives_up_columns(monkeypatch):
    """If the width is too small for columns, figures follow each other and long names are cut with a mark."""
    monkeypatch.setenv("COLUMNS", "70")
    console = Console()
    draw_agent(console)

    assert console.lines == [
        "00:00:00 invoke_agent supp…    2m05s  interrupted",
        "         ├─ chat gpt-4o-mi…    0.82s  ttft 0.31s  42→14 tok  $0.000015",
        "         │  └─ POST            0.79s",
        "         └─ execute_tool r…     <1ms  error tool_error",
        "         trace 00000000000000000000000000000001",
    ]


def test_wide_characters_take_two_columns(monkeypatch):
    """East Asian names are cut and aligned by the columns they take, combining marks take none."""
    monkeypatch.setenv("COLUMNS", "36")
    console = Console()
    root = console.start("天気予報を調べて答える", 0)
    console.end(console.start("e\u0301te\u0301", 1, root), 2)
    console.end(root, 50)

    assert console.lines[:2] == [
        "00:00:00 天気予報を調べて…      50ms",
        "         └─ e\u0301te\u0301                  1ms",
    ]


def test_encoding_without_box_characters_gets_ascii():
    """A stream that cannot show the tree's characters gets ASCII ones, and escapes for those of names."""
    raw = io.BytesIO()
    console = Console(io.TextIOWrapper(raw, encoding="ascii"))
    root = console.start("früh", 0)
    console.end(console.start("chat a", 1, root, gen_ai__usage__input_tokens=3), 3)
    console.end(console.start("chat b", 2, root, gen_ai__usage__output_tokens=4), 4)
    console.end(root, 5)

    assert raw.getvalue().decode("ascii").splitlines()[:3] == [
        "00:00:00 fr\\xfch        5ms",
        "         |- chat a      2ms  3->? tok",
        "         `- chat b      2ms  ?->4 tok",
    ]


def test_names_cannot_steer_the_terminal():
    """Control and direction characters of names and error types are written as escapes."""
    console = Console()
    span = console.start("tool\x1b[2J\n\u202e", 0)
    console.end(span, 1, otel_callbacks__outcome="error", error__type="bad\r\x07")

    assert console.lines[0] == "00:00:00 tool\\x1b[2J\\n\\u202e      1ms  error bad\\r\\x07"


@pytest.mark.parametrize(
    ("stream", "variables", "is_coloured"),
    [
        pytest.param(Terminal, {}, True, id="terminal"),
        pytest.param(io.StringIO, {}, False, id="file"),
        pytest.param(Terminal, {"NO_COLOR": "1"}, False, id="terminal-no-color"),
        pytest.param(io.StringIO, {"FORCE_COLOR": "1"}, True, id="file-force-color"),
        pytest.param(Terminal, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, id="no-color-wins"),
        pytest.param(Terminal, {"NO_COLOR": ""}, True, id="empty-is-unset"),
        pytest.param(Terminal, {"TERM": "dumb"}, False, id="dumb-terminal"),
    ],
)
def test_colours_only_where_wanted(monkeypatch, stream, variables, is_coloured):
    """Only terminals get colours, unless NO_COLOR or FORCE_COLOR is set; nothing else changes."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    console, plain = Console(stream()), Console(io.StringIO())
    draw_agent(console)
    monkeypatch.setenv("NO_COLOR", "1")
    draw_agent(plain)

    assert ("\x1b[" in console.text) == is_coloured
    assert re.sub(r"\x1b\[\d+m", "", console.text) == plain.text


def test_errors_are_red_and_other_outcomes_yellow():
    """On a terminal the line of an error is red, that of any other outcome but ok yellow."""
    console = Console(Terminal())
    draw_agent(console)

    assert [re.findall(r"\x1b\[(3\d)m", line) for line in console.lines] == [["33"], [], [], ["31"], []]


def test_width_of_a_real_terminal_is_used(monkeypatch):
    """Without COLUMNS the width is that of the terminal behind the stream."""
    pty = pytest.importorskip("pty")
    fcntl, termios, struct = (pytest.importorskip(name) for name in ("fcntl", "termios", "struct"))
    monkeypatch.setenv("NO_COLOR", "1")
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 50, 0, 0))
    with open(follower, "w", encoding="utf-8") as stream:  # noqa: PTH123 - a descriptor, no path
        console = Console(stream)
        console.end(console.start("n" * 100, 0), 1)
    lines = os.read(leader, 4096).decode().splitlines()
    os.close(leader)

    assert len(lines[0]) == 50
    assert "…" in lines[0]


def test_content_is_never_shown():
    """Captured messages stay on the span, whatever else its line shows."""
    console = Console()
    draw_agent(console)

    assert "secret" not in console.text


def test_foreign_spans_show_their_status_and_exception():
    """A span that is not ours shows an error by its status, with the type of its recorded exception."""
    console = Console()
    failed = console.start("SELECT", 0)
    failed.record_exception(TimeoutError("my secret"))
    failed.set_status(Status(StatusCode.ERROR, "my secret"))
    console.end(failed, 2)
    handled = console.start("GET", 0, gen_ai__usage__input_tokens="many")
    handled.set_status(StatusCode.OK)
    console.end(handled, 2)

    assert console.lines[0::2] == ["00:00:00 SELECT      2ms  error TimeoutError", "00:00:00 GET      2ms"]


def test_span_below_a_remote_parent_is_a_root():
    """A span whose parent lives in another process is drawn when it ends, with its children."""
    remote = NonRecordingSpan(SpanContext(7, 8, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)))
    console = Console()
    server = console.start("POST /ask", 0, remote)
    console.end(console.start("chat a", 1, server), 2)
    console.end(server, 3)

    assert [line.split()[-2] for line in console.lines] == ["/ask", "a", "trace"]
    assert console.lines[-1].endswith("7")


def test_span_below_an_unseen_parent_is_a_root():
    """A span whose parent started before the tree was attached is drawn on its own."""
    unseen = NonRecordingSpan(SpanContext(7, 8, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)))
    console = Console()
    console.end(console.start("chat a", 1, unseen), 2)

    assert console.lines[0] == "00:00:00 chat a      1ms"


def test_unsampled_spans_are_not_shown():
    """A span that no exporter gets is not drawn, whether it records or not."""

    class RecordOnly(Sampler):
        def should_sample(self, *args, **kwargs):
            return SamplingResult(Decision.RECORD_ONLY)

        def get_description(self):
            return "records only"

    for sampler in (ALWAYS_OFF, RecordOnly()):
        console = Console(sampler=sampler)
        console.end(console.start("chat a", 0), 1)

        assert console.text == ""


def test_child_that_outlives_its_root_is_marked_open_and_shown_later():
    """A span still open when its root ends is part of the tree, and gets its own line when it ends."""
    console = Console()
    root = console.start("invoke_agent a", 0)
    late = console.start("chat a", 1, root)
    console.end(root, 2)
    console.end(late, 5)

    assert console.lines == [
        "00:00:00 invoke_agent a      2ms",
        "         └─ chat a          open",
        "         trace 00000000000000000000000000000001",
        "00:00:00 chat a      4ms",
        "         trace 00000000000000000000000000000001",
    ]


def test_roots_that_never_end_do_not_fill_the_memory():
    """Above `max_spans` the oldest trace is dropped with one line; newer ones are still drawn."""
    console = Console(max_spans=3)
    stuck = console.start("stuck", 0)
    console.end(console.start("chat a", 1, stuck), 2)
    healthy = console.start("healthy", 3)
    last = console.start("chat b", 4, healthy)
    note = console.text
    console.end(last, 5)
    console.end(healthy, 6)

    assert note == (
        "otel_callbacks: trace 00000000000000000000000000000001 is not shown: its root was still open after 2 spans\n"
    )
    assert [line.split()[1] for line in console.text[len(note) :].splitlines()] == ["healthy", "chat", "0" * 31 + "2"]


def test_thousand_open_traces_keep_at_most_the_bound():
    """If roots never end, at most `max_spans` spans are held."""
    console = Console(max_spans=10)
    for _ in range(1_000):
        console.start("stuck", 0)

    assert sum(map(len, console.tree._trees.values())) == len(console.tree._roots) == 10


def test_finished_traces_leave_nothing_behind():
    """After their roots have ended no span is held, not even one that outlived its root."""
    console = Console()
    draw_agent(console)
    root = console.start("root", 0)
    late = console.start("late", 1, root)
    console.end(root, 2)
    console.end(late, 3)

    assert (console.tree._trees, console.tree._roots) == ({}, {})


def test_deep_trees_are_drawn():
    """A tree deeper than Python's recursion limit is drawn whole."""
    console = Console()
    spans = [console.start("root", 0)]
    for _ in range(sys.getrecursionlimit() + 100):
        spans.append(console.start("deeper", 1, spans[-1]))
    for span in reversed(spans):
        console.end(span, 2)

    assert len(console.lines) == len(spans) + 1


def test_live_prints_each_span_when_it_ends_on_a_terminal(monkeypatch):
    """With `live` a terminal gets every line at its span's end, indented by depth, and the trace id after the root."""
    monkeypatch.setenv("NO_COLOR", "1")
    console = Console(Terminal(), live=True)
    root = console.start("invoke_agent a", 0)
    console.end(console.start("chat a", 1, root), 3)
    before_root_ended = console.lines
    console.end(root, 4)

    assert before_root_ended == ["00:00:00   chat a      2ms"]
    assert console.lines[1:] == ["00:00:00 invoke_agent a      4ms", "         trace 00000000000000000000000000000001"]


def test_live_is_a_tree_where_there_is_no_terminal():
    """A file gets whole trees even with `live`."""
    console, plain = Console(live=True), Console()
    draw_agent(console)
    draw_agent(plain)

    assert console.text == plain.text


def test_shutdown_draws_what_has_not_ended():
    """If the program stops in the middle of a run, the unfinished tree is drawn."""
    console = Console()
    root = console.start("invoke_agent a", 0)
    console.end(console.start("chat a", 1, root), 3)
    console.tree.shutdown()

    assert console.lines[:2] == ["00:00:00 invoke_agent a     open", "         └─ chat a           2ms"]


def test_default_is_standard_error_at_the_time_of_writing(capsys):
    """Without a stream the tree goes to whatever ``sys.stderr`` is when it is drawn."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(ConsoleTree())
    provider.get_tracer("test").start_span("chat a").end()
    output = capsys.readouterr()

    assert "chat a" in output.err
    assert output.out == ""


def test_no_standard_error_is_no_failure(monkeypatch):
    """A process without standard streams, such as a service on Windows, keeps running."""
    monkeypatch.setattr(sys, "stderr", None)
    tree = ConsoleTree()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(tree)
    provider.get_tracer("test").start_span("chat a").end()

    assert tree.force_flush()
    assert tree._trees == {}


def test_failing_stream_does_not_reach_the_program(caplog):
    """A closed stream costs a debug log entry and nothing else."""
    caplog.set_level("DEBUG", "otel_callbacks")
    stream = io.StringIO()
    stream.close()
    console = Console(stream)
    console.end(console.start("chat a", 0), 1)

    assert [record.message for record in caplog.records] == ["the console tree failed"]


def test_trees_of_several_threads_do_not_mix():
    """Every tree is written in one call, whatever other threads write."""
    calls = []

    class Recording(io.StringIO):
        def write(self, text):
            calls.append(text)
            return len(text)

    console = Console(Recording())
    threads = [threading.Thread(target=draw_agent, args=(console,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(calls) == 8
    assert all(text.count("invoke_agent") == text.count("trace") == 1 for text in calls)


FORK = """
import os, signal, sys, threading
from opentelemetry.sdk.trace import TracerProvider
from otel_callbacks.console import ConsoleTree
tree = ConsoleTree(sys.stdout)
provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(tree)
tracer = provider.get_tracer("test")
parent = tracer.start_span("of the parent")
locked, forked = threading.Event(), threading.Event()
def hold():
    with tree._lock:
        locked.set()
        forked.wait()
holder = threading.Thread(target=hold)
holder.start()
locked.wait()
child = os.fork()
if child == 0:
    signal.alarm(20)  # a blocked child ends, and fails the test
    tracer.start_span("of the child").end()
    tree.shutdown()
    os._exit(0)
forked.set()
holder.join()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_child_neither_blocks_nor_repeats_the_parents_spans():
    """A child forked while another thread was drawing draws its own spans and only those."""
    process = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=True, cwd=ROOT)

    assert "of the child" in process.stdout
    assert "of the parent" not in process.stdout
