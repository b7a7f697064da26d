"""The helper for tests, tested on itself."""

import json
import subprocess
import sys
import textwrap

import pytest
from langchain_core.messages import AIMessage
from opentelemetry.trace import Status, StatusCode

from otel_callbacks import Config, record_evaluation
from otel_callbacks.testing import OtelSpans, Point
from tests.support.models import ScriptedChat, calling
from tests.support.programs import create_agent, graph, needs_agent_marks, weather

pytest_plugins = ["pytester"]
USAGE = {"input_tokens": 10, "output_tokens": 2, "total_tokens": 12}


@pytest.fixture
def recorded():
    """Yield what the plugin's fixture yields."""
    spans = OtelSpans()
    yield spans
    spans.shutdown()


AWKWARD = ["Zoë", 'say "hi"', "it's", "two\nlines", "back\\slash", "4111"]


@needs_agent_marks
def test_tree_of_an_agent(recorded: OtelSpans):
    """`assert_tree` compares with a text, whose indentation does not matter."""
    program = create_agent(ScriptedChat(script=[calling("weather", city="Oslo"), "done"]), [weather], name="helper")
    program.invoke({"messages": [("user", "hi")]}, {"callbacks": [recorded.handler]})
    recorded.assert_tree(
        """
        invoke_agent helper
          node model
            chat
          node tools
            execute_tool weather gen_ai.tool.call.id='call-1'
          node model
            chat
        """,
        "gen_ai.tool.call.id",
    )


def test_difference_is_shown_line_by_line(recorded: OtelSpans):
    """A failing assertion says what was expected and what was recorded."""
    graph("trip", look=lambda state: {"seen": [1]}).invoke({"seen": []}, {"callbacks": [recorded.handler]})
    with pytest.raises(AssertionError) as failure:
        recorded.assert_tree("invoke_workflow trip\n  node see")
    assert str(failure.value).splitlines()[-3:] == [" invoke_workflow trip", "-  node see", "+  node look"]


def test_ids_and_times_are_the_same_in_every_run():
    """Two runs of the same program have the same ids and times."""
    runs = []
    for _ in range(2):
        recorded = OtelSpans()
        graph("trip", look=lambda state: {"seen": [1]}).invoke({"seen": []}, {"callbacks": [recorded.handler]})
        runs.append([(s.name, s.context.trace_id, s.context.span_id, s.start_time, s.end_time) for s in recorded.spans])
        recorded.shutdown()
    assert runs[0] == runs[1]
    assert runs[0] == [("invoke_workflow trip", 1, 1, 1_000_000, 4_000_000), ("node look", 1, 2, 2_000_000, 3_000_000)]


def test_times_are_ticks_where_spans_of_the_app_and_events_are_mixed_in(recorded: OtelSpans):
    """Only the order counts, not the clock, and events have the tick of their span's end."""
    tracer = recorded.tracer_provider.get_tracer("app")
    outer = tracer.start_span("outer", start_time=5)
    inner = tracer.start_span("inner", start_time=5)
    inner.add_event("seen", timestamp=5)
    inner.end(5)
    outer.end(5)
    times = [(span.name, span.start_time, span.end_time) for span in recorded.spans]
    assert times == [("outer", 1_000_000, 4_000_000), ("inner", 2_000_000, 3_000_000)]
    assert [event.timestamp for event in recorded.spans[1].events] == [3_000_000]


def test_difference_says_what_may_be_the_cause(recorded: OtelSpans):
    """The message mentions a handler that was not passed, or a run that has not ended."""
    with pytest.raises(AssertionError, match=r"none was recorded: did the call get"):
        recorded.assert_tree("chat")
    stream = ScriptedChat(script=["hi there"]).stream("x", {"callbacks": [recorded.handler]})
    next(stream)
    with pytest.raises(AssertionError, match=r"still open: 1\n"):
        recorded.assert_tree("chat")
    stream.close()


def test_tokens_and_metrics(recorded: OtelSpans):
    """Tokens are summed over all calls; metrics have points with their labels."""
    for _ in range(2):
        ScriptedChat(script=[AIMessage("hi", usage_metadata=USAGE)]).invoke("x", {"callbacks": [recorded.handler]})
    assert recorded.tokens == {"input_tokens": 20, "output_tokens": 4}
    points = recorded.metric("gen_ai.client.token.usage")
    assert {(p.labels["gen_ai.token.type"], p.value, p.count) for p in points} == {("input", 20, 2), ("output", 4, 2)}
    runs = {"langchain.run_type": "chat", "otel_callbacks.outcome": "ok"}
    assert recorded.metric("otel_callbacks.runs") == [Point(runs, 2, 1)]
    assert recorded.metric("no.such.metric") == []


@pytest.mark.parametrize("where", ["span_only", "event_only"])
def test_text_that_left_is_found(where):
    """A text is found in spans and in log records, and the message does not repeat it."""
    recorded = OtelSpans(Config(capture=where))
    ScriptedChat(script=["hi"]).invoke("the walrus", {"callbacks": [recorded.handler]})
    with pytest.raises(AssertionError, match="span 'chat'" if where == "span_only" else "log record") as failure:
        recorded.assert_no_text("walrus")
    assert "walrus" not in str(failure.value)
    recorded.assert_no_text("carpenter")
    recorded.shutdown()


@pytest.mark.parametrize("where", ["span_only", "event_only"])
@pytest.mark.parametrize("secret", AWKWARD)
def test_text_is_found_however_it_is_written(where, secret):
    """Quotes, line ends and letters beyond ASCII are escaped in recorded content; the text is still found."""
    recorded = OtelSpans(Config(capture=where))
    called = AIMessage("", tool_calls=[{"name": "look", "args": {"deep": json.dumps({"for": secret})}, "id": "1"}])
    ScriptedChat(script=["hi"]).invoke([called], {"callbacks": [recorded.handler]})
    with pytest.raises(AssertionError, match="the text left"):
        recorded.assert_no_text(secret)
    recorded.shutdown()


@pytest.mark.parametrize("secret", AWKWARD)
@pytest.mark.parametrize(
    "leak",
    [
        pytest.param(lambda span, text: span.set_attribute("k", text), id="attribute"),
        pytest.param(lambda span, text: span.set_attribute("k", ["a", text]), id="list"),
        pytest.param(lambda span, text: span.set_attribute(text, 1), id="key"),
        pytest.param(lambda span, text: span.set_attribute("k", f"KeyError({text!r})"), id="repr"),
        pytest.param(lambda span, text: span.add_event(f"on {text}"), id="event"),
        pytest.param(lambda span, text: span.record_exception(ValueError(text)), id="exception"),
        pytest.param(lambda span, text: span.add_link(span.get_span_context(), {"k": text}), id="link"),
        pytest.param(lambda span, text: span.set_status(Status(StatusCode.ERROR, text)), id="status"),
        pytest.param(lambda span, text: span.update_name(f"for {text}"), id="name"),
    ],
)
def test_text_is_found_in_every_part_of_a_span(recorded: OtelSpans, leak, secret):
    """A text is found wherever it stands, and the message does not repeat it."""
    with recorded.tracer_provider.get_tracer("app").start_as_current_span("work") as span:
        leak(span, secret)
    with pytest.raises(AssertionError, match="the text left") as failure:
        recorded.assert_no_text(secret)
    assert secret not in str(failure.value)


def test_ids_are_not_searched(recorded: OtelSpans):
    """A number is not found in the ids that count from 1."""
    recorded.tracer_provider.get_tracer("app").start_span("work").end()
    recorded.assert_no_text("0001")


def test_text_in_a_metric_is_found(recorded: OtelSpans):
    """A text is found in the labels of metrics."""
    model = ScriptedChat(script=[AIMessage("hi", usage_metadata=USAGE, response_metadata={"model_name": "walrus"})])
    model.invoke("x", {"callbacks": [recorded.handler]})
    with pytest.raises(AssertionError, match="a metric"):
        recorded.assert_no_text("walrus")


def test_nothing_to_search_for_is_a_mistake(recorded: OtelSpans):
    """An empty text, which is in everything, is an error."""
    with pytest.raises(ValueError, match="which text"):
        recorded.assert_no_text("")


def test_log_records_and_clearing(recorded: OtelSpans):
    """Events are recorded, and everything can be forgotten between two parts of a test."""
    answer = ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [recorded.handler]})
    ref = recorded.handler.trace_ref(answer.id)
    record_evaluation(ref, "taste", score=1, logger_provider=recorded.logger_provider)
    assert [log.event_name for log in recorded.logs] == ["gen_ai.evaluation.result"]
    recorded.clear()
    assert (recorded.spans, recorded.logs) == ((), ())


def test_fixture_needs_no_import(pytester: pytest.Pytester):
    """A project with the package has the fixture, and each test a new one."""
    pytester.makepyfile(
        """
        from langchain_core.language_models import FakeListChatModel

        def test_one(otel_spans):
            FakeListChatModel(responses=["hi"]).invoke("x", {"callbacks": [otel_spans.handler]})
            otel_spans.assert_tree("chat")

        def test_two(otel_spans):
            assert otel_spans.spans == ()
        """
    )
    plugin = [] if _is_installed() else ["-p", "otel_callbacks._pytest_plugin"]
    pytester.runpytest_inprocess(*plugin, "-p", "no:langsmith_plugin", "-p", "no:asyncio").assert_outcomes(passed=2)


def _is_installed() -> bool:
    from importlib.metadata import entry_points

    return any(entry.value.startswith("otel_callbacks.") for entry in entry_points(group="pytest11"))


def test_loading_the_plugin_loads_neither_langchain_nor_the_sdk():
    """Tests that do not use the fixture do not pay for it."""
    program = """
        import sys
        import otel_callbacks._pytest_plugin
        print([name for name in ("langchain_core", "opentelemetry.sdk") if name in sys.modules])
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"
