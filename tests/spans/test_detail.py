import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda

from otel_callbacks import RunInfo, suppress
from tests.life.waiting import LIMIT_S
from tests.support.models import ScriptedChat
from tests.support.programs import graph, needs_contexts_of_tasks, weather
from tests.support.recorded_spans import RecordedSpans


def chain():
    """Build a graph whose node runs a prompt, a model and a parser."""
    parts = ChatPromptTemplate.from_template("{seen}") | ScriptedChat(script=["hi"]) | StrOutputParser()
    return graph("trip", talk=lambda state: {"seen": [parts.invoke(state)]})


TREES = {
    "operations": "invoke_workflow trip\n  chat",
    "steps": "invoke_workflow trip\n  node talk\n    chat",
    "all": (
        "invoke_workflow trip\n"
        "  node talk\n"
        "    chain RunnableSequence\n"
        "      prompt ChatPromptTemplate\n"
        "      chat\n"
        "      parser StrOutputParser"
    ),
}


@pytest.mark.parametrize("detail", TREES)
def test_hidden_runs_pass_on_their_parents_span(telemetry: RecordedSpans, detail):
    """Each detail shows its kinds of runs, and hidden ones leave no gap in the tree."""
    chain().invoke({"seen": []}, {"callbacks": [telemetry.new_handler(detail=detail)]})
    assert telemetry.tree() == TREES[detail]


@pytest.mark.parametrize("detail", TREES)
def test_hidden_runs_are_measured(telemetry: RecordedSpans, detail):
    """Metrics do not depend on the detail, that is, on which runs have spans."""
    chain().invoke({"seen": []}, {"callbacks": [telemetry.new_handler(detail=detail)]})
    assert telemetry.count("otel_callbacks.step.duration") == 1
    assert telemetry.total("otel_callbacks.runs", langchain__run_type="prompt") == 1


def test_failing_hidden_run_leaves_its_event_on_the_nearest_visible_ancestor(telemetry: RecordedSpans):
    """If a failed run has no span, the next span above has its exception event, once."""

    def fail(text):
        raise ValueError("no")

    parts = RunnableLambda(fail) | StrOutputParser()
    program = graph("trip", talk=lambda state: {"seen": [parts.invoke("x")]})
    with pytest.raises(ValueError, match="no"):
        program.invoke({"seen": []}, {"callbacks": [telemetry.new_handler(detail="operations")]})
    assert telemetry.tree() == "invoke_workflow trip [error] ERROR"
    assert [event.name for event in telemetry.span("invoke_workflow trip").events] == ["exception"]


def test_filter_hides_runs_but_no_root(telemetry: RecordedSpans):
    """A filter decides by name, run type, tags and metadata; roots stay even if it rejects them."""
    seen: list[RunInfo] = []

    def keep_models(run: RunInfo) -> bool:
        seen.append(run)
        return run.run_type == "chat"

    config = {
        "callbacks": [telemetry.new_handler(detail="all", filter=keep_models)],
        "tags": ["vip"],
        "metadata": {"tenant": "acme"},
    }
    chain().invoke({"seen": []}, config)
    assert telemetry.tree() == "invoke_workflow trip\n  chat"
    assert [run.run_type for run in seen] == ["chain", "chain", "prompt", "chat", "parser"]
    node = seen[0]
    assert (node.name, node.metadata["tenant"]) == ("talk", "acme")
    assert "vip" in node.tags


def test_filter_that_fails_hides_nothing(telemetry: RecordedSpans):
    """A filter that raises hides nothing, and its failures are counted."""

    def broken(run):
        raise KeyError("no")

    result = chain().invoke({"seen": []}, {"callbacks": [telemetry.new_handler(filter=broken)]})
    assert result["seen"] == ["hi"]
    assert telemetry.tree() == TREES["steps"]
    assert telemetry.total("otel_callbacks.errors", otel_callbacks__error__kind="filter") == 2


def test_suppressed_trees_leave_nothing(telemetry: RecordedSpans):
    """Runs that start inside `suppress()` have neither spans nor measurements; runs after it have both."""
    handler = telemetry.new_handler()
    with suppress():
        chain().invoke({"seen": []}, {"callbacks": [handler]})
    assert telemetry.spans == ()
    assert telemetry.count("gen_ai.client.operation.duration") == 0
    assert telemetry.points("otel_callbacks.runs") == []
    assert handler.open_runs == 0
    chain().invoke({"seen": []}, {"callbacks": [handler]})
    assert telemetry.tree() == TREES["steps"]


@needs_contexts_of_tasks
async def test_suppression_holds_in_async_code(telemetry: RecordedSpans):
    """Runs in LangChain's tasks are suppressed, as these inherit the block's context."""
    config = {"callbacks": [telemetry.new_handler()]}
    with suppress():
        await chain().ainvoke({"seen": []}, config)
    assert telemetry.spans == ()
    await chain().ainvoke({"seen": []}, config)
    assert telemetry.tree() == TREES["steps"]


def test_suppressed_stream_stays_so_after_the_block(telemetry: RecordedSpans):
    """A tree that started in the block is dropped to its end, including runs that start after the block."""
    program = graph("trip", first=lambda state: {"seen": [1]}, second=lambda state: {"seen": [2]})
    with suppress():
        stream = program.stream({"seen": []}, {"callbacks": [telemetry.new_handler()]}, stream_mode="updates")
        next(stream)
    assert list(stream) == [{"second": {"seen": [2]}}]
    assert telemetry.spans == ()
    assert telemetry.points("otel_callbacks.runs") == []


def test_suppression_in_the_middle_drops_the_part(telemetry: RecordedSpans):
    """Runs that start in a suppressed part of a run are dropped; the run itself is not."""

    def quiet(state):
        with suppress():
            return {"seen": [weather.invoke({"city": "Oslo"})]}

    graph("trip", look=quiet).invoke({"seen": []}, {"callbacks": [telemetry.new_handler()]})
    assert telemetry.tree() == "invoke_workflow trip\n  node look"


def test_suppression_is_for_its_own_thread(telemetry: RecordedSpans):
    """While one thread is suppressed, another thread's runs are recorded."""
    inside = threading.Event()
    may_leave = threading.Event()

    def suppressed():
        with suppress():
            inside.set()
            may_leave.wait(LIMIT_S)

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(suppressed)
        assert inside.wait(LIMIT_S)
        weather.invoke({"city": "Oslo"}, {"callbacks": [telemetry.new_handler()]})
        may_leave.set()
        other.result()
    assert telemetry.tree() == "execute_tool weather"
