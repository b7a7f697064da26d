import asyncio
import threading

import pytest
from langchain_core.runnables import RunnableLambda
from langchain_core.tracers import context as langchain_hooks
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt

from otel_callbacks import Config, instrument, uninstrument
from tests.support.models import ScriptedChat
from tests.support.programs import State, graph, weather
from tests.support.recorded_spans import RecordedSpans

INPUT = {"seen": []}
TREE = "invoke_workflow g\n  node talk\n    chat"


def _program():
    model = ScriptedChat(script=["hi"])
    return graph("g", talk=lambda state: {"seen": [model.invoke("x").content]})


def test_every_call_is_traced_without_configuration(telemetry: RecordedSpans, options):
    """Models, graphs, tools and chains called without any configuration make the trees they make with a handler."""
    instrument(**options)
    _program().invoke(INPUT)
    weather.invoke({"city": "Bern"})
    (RunnableLambda(str.upper) | ScriptedChat(script=["hi"])).invoke("x")
    assert telemetry.tree() == f"{TREE}\nexecute_tool weather\ninvoke_workflow\n  chain upper\n  chat"
    assert telemetry.count("gen_ai.client.operation.duration") == 2


async def test_async_calls_are_traced(telemetry: RecordedSpans, options):
    """`ainvoke`, `astream` and tasks are traced like the sync calls."""
    instrument(**options)
    await asyncio.gather(_program().ainvoke(INPUT), _program().ainvoke(INPUT))
    _ = [part async for part in ScriptedChat(script=["hi"]).astream("x")]
    assert [span.name for span in telemetry.spans].count("chat") == 3
    assert [span.name for span in telemetry.spans].count("invoke_workflow g") == 2


@pytest.mark.parametrize("when", ["before", "after"])
def test_plain_threads_are_reached(telemetry: RecordedSpans, options, when):
    """A thread that inherits no context is traced, whether it started before or after `instrument()`."""
    go = threading.Event()

    def work():
        go.wait()
        _program().invoke(INPUT)

    thread = threading.Thread(target=work)
    if when == "before":
        thread.start()
    instrument(**options)
    if when == "after":
        thread.start()
    go.set()
    thread.join()
    assert telemetry.tree() == TREE


def test_handler_that_is_passed_as_well_records_nothing_twice(telemetry: RecordedSpans, options):
    """Each run is recorded once, even if the call's configuration has the same handler or one on the same providers."""
    handler = instrument(**options)
    _program().invoke(INPUT, {"callbacks": [handler]})
    assert telemetry.tree() == TREE
    telemetry.exporter.clear()
    _program().invoke(INPUT, {"callbacks": [telemetry.new_handler()]})
    assert telemetry.tree() == TREE
    assert telemetry.count("gen_ai.client.operation.duration") == 2
    assert handler.open_runs == 0


def test_options_are_the_handlers(telemetry: RecordedSpans, options):
    """Options reach the handler; invalid ones are an error, and nothing is attached."""
    handler = instrument(**options, config=Config(detail="operations"))
    _program().invoke(INPUT)
    assert telemetry.tree() == "invoke_workflow g\n  chat"
    assert handler.config.detail == "operations"
    uninstrument()
    with pytest.raises(TypeError, match="must be a Config"):
        instrument(config={"detail": "all"})
    _program().invoke(INPUT)
    assert len(telemetry.spans) == 2


def test_pauses_for_a_person_are_seen_and_linked(telemetry: RecordedSpans, options):
    """LangGraph's own events reach the handler: an interrupt is an outcome, and the resume links to it."""
    instrument(**options)
    builder = StateGraph(State)
    builder.add_node("ask", lambda state: {"seen": [interrupt("?")]})
    builder.add_edge(START, "ask")
    program = builder.compile(checkpointer=InMemorySaver(), name="g")
    thread = {"configurable": {"thread_id": "1"}}
    program.invoke(INPUT, thread)
    program.invoke(Command(resume="yes"), thread)
    assert telemetry.tree() == (
        "invoke_workflow g [interrupted]\n  node ask [interrupted]\ninvoke_workflow g\n  node ask"
    )
    paused, resumed = [span for span in telemetry.spans if span.name == "node ask"]
    assert [link.context.span_id for link in resumed.links] == [paused.context.span_id]


def test_uninstrument_stops_at_once_and_loses_no_open_run(telemetry: RecordedSpans, options):
    """Open runs are recorded to their end; later ones are not recorded."""
    instrument(**options)

    def stop(state):
        uninstrument()
        return {"seen": [ScriptedChat(script=["hi"]).invoke("x").content]}

    graph("g", stop=stop).invoke(INPUT)
    assert telemetry.tree() == "invoke_workflow g\n  node stop\n    chat"
    _program().invoke(INPUT)
    assert len(telemetry.spans) == 3


def test_again_and_again(telemetry: RecordedSpans, options, caplog):
    """Instrumenting repeatedly leaves one hook in LangChain; doing it twice gives one handler, with a warning."""
    first = instrument(**options)
    hooks = len(langchain_hooks._configure_hooks)
    assert instrument(config=Config(detail="all")) is first
    assert "already instrumented; call uninstrument() first" in caplog.text
    for _ in range(3):
        uninstrument()
        uninstrument()
        instrument(**options)
    assert len(langchain_hooks._configure_hooks) == hooks
    _program().invoke(INPUT)
    assert telemetry.tree() == TREE


@pytest.fixture
def instrumentor():
    """Yield a function that makes other packages' instrumentations, which end with the test."""
    base = pytest.importorskip("opentelemetry.instrumentation.instrumentor").BaseInstrumentor
    others = []

    def make(requirement):
        class Other(base):
            initialised = 0

            def __init__(self, option="default"):
                type(self).initialised += 1

            def instrumentation_dependencies(self):
                return (requirement,)

            def _uninstrument(self, **_):
                pass

        others.append(Other())
        return others[-1]

    yield make
    for other in others:
        if other.is_instrumented_by_opentelemetry:
            other.uninstrument()


@pytest.mark.parametrize("order", ["first", "later"])
@pytest.mark.parametrize("requirement", ["langchain-core >= 0.3", "LangChain >= 0.1", "langgraph"])
def test_gives_way_to_another_instrumentation_of_langchain(
    telemetry: RecordedSpans, options, caplog, instrumentor, requirement, order
):
    """If another instrumentation is active, whichever came first, this one is not, and one warning names the other."""
    other = instrumentor(requirement)
    if order == "first":
        other.instrument(skip_dep_check=True)
    instrument(**options)
    if order == "later":
        other.instrument(skip_dep_check=True)
    for _ in range(3):
        _program().invoke(INPUT)
    assert telemetry.spans == ()
    (warning,) = [record.getMessage() for record in caplog.records if record.name == "otel_callbacks"]
    assert warning.startswith("instrument(): inactive, because LangChain is instrumented by tests.instrument.")
    assert other.initialised == 1
    other.uninstrument()
    uninstrument()
    instrument(**options)
    _program().invoke(INPUT)
    assert telemetry.tree() == TREE


def test_works_beside_instrumentations_of_something_else(telemetry: RecordedSpans, options, caplog, instrumentor):
    """Instrumentations of HTTP clients, and inactive ones of LangChain, do not stop this one."""
    instrumentor("langchain")
    instrumentor("httpx >= 0.18").instrument(skip_dep_check=True)
    instrument(**options)
    _program().invoke(INPUT)
    assert telemetry.tree() == TREE
    assert [record for record in caplog.records if record.name == "otel_callbacks"] == []
