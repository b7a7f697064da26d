from collections import Counter

import openai
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableLambda
from langgraph.errors import InvalidUpdateError
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor

from otel_callbacks.config import Detail
from tests.support.models import ScriptedChat
from tests.support.programs import graph, weather
from tests.support.recorded_spans import RecordedSpans

HOOK = "Tidy.before_model"


def hook(body):
    """Build a graph with a node named like a hook of a middleware, and another node."""
    return graph("trip", **{HOOK: body, "last": lambda state: {"seen": ["last"]}})


def invoke(telemetry: RecordedSpans, program, **options):
    """Run the program from an empty state."""
    return program.invoke({"seen": []}, {"callbacks": [telemetry.new_handler(**options)]})


class Balance(SpanProcessor):
    """Counts started and ended spans by name."""

    def __init__(self):
        self.open = Counter()

    def on_start(self, span, parent_context=None):
        self.open[span.name] += 1

    def on_end(self, span):
        self.open[span.name] -= 1


@pytest.mark.parametrize("result", [None, {}, {"seen": []}, {"run_model_call_count": 1}])
def test_hook_that_does_nothing_is_hidden_but_measured(telemetry: RecordedSpans, result):
    """A middleware's hook that changes nothing but its own counts has no span, and its duration is measured."""
    from typing import Annotated, Any, TypedDict

    from langgraph.graph import START, StateGraph

    class Counted(TypedDict):
        seen: Annotated[list[Any], lambda old, new: old + new]
        run_model_call_count: int

    program = StateGraph(Counted).add_node(HOOK, lambda state: result).add_edge(START, HOOK).compile(name="trip")
    invoke(telemetry, program)
    assert telemetry.tree() == "invoke_workflow trip"
    assert [point.attributes["langgraph.node"] for point in telemetry.points("otel_callbacks.step.duration")] == [HOOK]


def test_hook_that_changes_the_state_is_shown(telemetry: RecordedSpans):
    """A hook whose result changes the state has a span."""
    invoke(telemetry, hook(lambda state: {"seen": ["change"]}))
    assert telemetry.tree() == f"invoke_workflow trip\n  node {HOOK}\n  node last"


def test_hook_with_a_visible_child_is_shown_around_it(telemetry: RecordedSpans):
    """A hook that calls a model has a span that starts before the model's and encloses it."""
    invoke(telemetry, hook(lambda state: ScriptedChat(script=["hi"]).invoke("x") and None))
    assert telemetry.tree() == f"invoke_workflow trip\n  node {HOOK}\n    chat\n  node last"
    node, chat = telemetry.span(f"node {HOOK}"), telemetry.span("chat")
    assert node.start_time < chat.start_time
    assert chat.end_time <= node.end_time


def test_hook_with_only_hidden_children_is_hidden(telemetry: RecordedSpans):
    """A hook that runs only steps without spans has none either."""
    steps = RunnableLambda(lambda text: text) | RunnableLambda(lambda text: text)
    invoke(telemetry, hook(lambda state: steps.invoke("x") and None))
    assert telemetry.tree() == "invoke_workflow trip\n  node last"


def test_span_of_the_application_inside_a_hook(telemetry: RecordedSpans):
    """A span that the application opens inside a hook is a child of the hook's span, which starts for it."""
    tracer = telemetry.tracer_provider.get_tracer("app")

    def look(state):
        with tracer.start_as_current_span("query"):
            return

    invoke(telemetry, hook(look))
    assert telemetry.tree() == f"invoke_workflow trip\n  node {HOOK}\n    query\n  node last"


def test_asking_for_the_current_span_shows_the_hook(telemetry: RecordedSpans):
    """An attribute that the application sets on the current span inside a hook is on the hook's span."""

    def look(state):
        trace.get_current_span().set_attribute("app.step", "look")

    invoke(telemetry, hook(look))
    assert telemetry.span(f"node {HOOK}").attributes["app.step"] == "look"


def test_failing_hook_is_shown(telemetry: RecordedSpans):
    """A hook that fails has a span with the exception, from its true start on."""

    def fail(state):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        invoke(telemetry, hook(fail))
    span = telemetry.span(f"node {HOOK}")
    assert [event.name for event in span.events] == ["exception"]
    assert span.status.status_code.name == "ERROR"
    assert span.start_time < span.events[0].timestamp


def test_lambda_without_a_name_shows_only_its_own_failure(telemetry: RecordedSpans):
    """A nameless lambda is hidden unless it fails itself; a failure that comes from below is shown there."""

    def call(fails_inside):
        parts = RunnableLambda(lambda x: ScriptedChat(script=[ConnectionError("no")]).invoke("x")) | (lambda x: x)
        own = RunnableLambda(lambda x: x) | (lambda x: x / 0)
        return graph("trip", talk=lambda state: (parts if fails_inside else own).invoke(1))

    with pytest.raises(ConnectionError):
        invoke(telemetry, call(fails_inside=True))
    assert telemetry.tree() == ("invoke_workflow trip [error] ERROR\n  node talk [error] ERROR\n    chat [error] ERROR")
    telemetry.clear()
    with pytest.raises(ZeroDivisionError):
        invoke(telemetry, call(fails_inside=False))
    assert telemetry.tree() == (
        "invoke_workflow trip [error] ERROR\n  node talk [error] ERROR\n    chain RunnableLambda [error] ERROR"
    )
    failed = telemetry.span("chain RunnableLambda")
    assert [event.name for event in failed.events] == ["exception"]
    assert not telemetry.span("node talk").events


class OddChat(ScriptedChat):
    """A chat model of the application."""


@pytest.mark.parametrize("kind", [ScriptedChat, OddChat])
def test_chain_named_after_a_model_class_is_hidden(telemetry: RecordedSpans, kind):
    """A chain that wraps a model and is called like the model's class is hidden, whoever wrote the class."""
    model = kind(script=[ConnectionError("1"), "hi"]).with_retry(wait_exponential_jitter=False)
    invoke(telemetry, graph("trip", talk=lambda state: {"seen": [model.invoke("x")]}))
    assert telemetry.tree() == "invoke_workflow trip\n  node talk\n    chat [error] ERROR\n    chat"


def test_configurable_model_is_hidden(telemetry: RecordedSpans):
    """The wrapper of a model that is chosen by configuration is hidden."""
    models = pytest.importorskip("langchain.chat_models")
    fields = {"model": "m", "model_provider": "openai", "api_key": "x", "base_url": "http://127.0.0.1:9/"}
    model = models.init_chat_model(configurable_fields=("temperature",), max_retries=0, **fields)
    assert type(model).__name__ == "_ConfigurableModel"

    def talk(state):
        with pytest.raises(openai.APIConnectionError):
            model.invoke("x")
        return {"seen": [1]}

    invoke(telemetry, graph("trip", talk=talk))
    assert telemetry.tree() == "invoke_workflow trip\n  node talk\n    chat m [error] ERROR"


@pytest.mark.parametrize("name", [None, "inner"])
@pytest.mark.parametrize("way", ["node", "function"])
def test_graph_in_a_node_is_hidden_without_a_name(telemetry: RecordedSpans, name, way):
    """A sub-graph without a name that is a node, or that a node calls, says nothing that the node does not say."""
    inner = graph(name, leaf=lambda state: {"seen": [1]})
    invoke(telemetry, graph("trip", wrap=inner if way == "node" else lambda state: inner.invoke({"seen": []})))
    middle = "    graph inner\n      node leaf" if name else "    node leaf"
    assert telemetry.tree() == f"invoke_workflow trip\n  node wrap\n{middle}"


def test_several_graphs_in_a_node_are_told_apart(telemetry: RecordedSpans):
    """From the second on, sub-graphs without a name in one node are shown, so that their nodes do not mix."""
    inner = graph(None, leaf=lambda state: {"seen": [1]})

    def call_twice(state):
        inner.invoke({"seen": []})
        return inner.invoke({"seen": []})

    invoke(telemetry, graph("trip", wrap=call_twice))
    assert telemetry.tree() == (
        "invoke_workflow trip\n  node wrap\n    node leaf\n    graph LangGraph\n      node leaf"
    )


def test_graph_without_a_name_that_fails_before_its_first_node(telemetry: RecordedSpans):
    """A sub-graph without a name that fails itself is shown."""
    inner = graph(None, leaf=lambda state: {"seen": [1]})
    with pytest.raises(InvalidUpdateError):
        invoke(telemetry, graph("trip", wrap=lambda state: inner.invoke("no state")))
    assert "graph LangGraph [error] ERROR" in telemetry.tree()


def test_every_late_span_that_starts_also_ends(telemetry: RecordedSpans):
    """Whatever shows or hides late spans, each that has started ends."""
    balance = Balance()
    telemetry.tracer_provider.add_span_processor(balance)
    for body in (
        lambda state: None,
        lambda state: {"seen": [1]},
        lambda state: ScriptedChat(script=["hi"]).invoke("x") and None,
        lambda state: trace.get_current_span().set_attribute("x", 1),
        lambda state: weather.invoke({"city": "Oslo"}) and None,
    ):
        invoke(telemetry, hook(body))
    assert balance.open
    assert not any(balance.open.values())
    assert telemetry.total("otel_callbacks.errors") == 0


@pytest.mark.parametrize("detail", ["operations", "all"])
def test_other_details_are_not_affected(telemetry: RecordedSpans, detail: Detail):
    """With detail "all" idle hooks, lambdas and unnamed graphs are shown; with "operations" no step is."""
    inner = graph(None, leaf=lambda state: {"seen": [1]})

    def body(state):
        inner.invoke({"seen": []})
        (RunnableLambda(lambda x: x) | (lambda x: x)).invoke(1)

    invoke(telemetry, hook(body), detail=detail)
    names = {span.name for span in telemetry.spans}
    steps = {f"node {HOOK}", "graph LangGraph", "chain RunnableLambda"}
    assert names & steps == (steps if detail == "all" else set())


def test_content_of_a_hook_that_turns_out_to_matter(telemetry: RecordedSpans):
    """With capture on, a hook that is shown at its end has its input and output."""
    invoke(telemetry, hook(lambda state: {"seen": ["change"]}), capture="span_only")
    attributes = telemetry.span(f"node {HOOK}").attributes
    assert "change" in attributes["langchain.run.output"]
    assert "langchain.run.input" in attributes


def test_messages_that_a_hook_takes_out_are_a_change(telemetry: RecordedSpans):
    """A hook that returns messages is shown."""
    from langgraph.graph import START, MessagesState, StateGraph

    program = StateGraph(MessagesState).add_node(HOOK, lambda state: {"messages": [AIMessage("short")]})
    program = program.add_edge(START, HOOK).compile(name="trip")
    program.invoke({"messages": [HumanMessage("long")]}, {"callbacks": [telemetry.new_handler()]})
    assert telemetry.tree() == f"invoke_workflow trip\n  node {HOOK}"
