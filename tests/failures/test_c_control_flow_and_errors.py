import pytest
from langchain_core.runnables import RunnableLambda
from langgraph.graph import START, StateGraph
from langgraph.types import Command

from otel_callbacks.testing import OtelSpans
from tests.support.models import ScriptedChat
from tests.support.pauses import approval, in_graph, in_tool
from tests.support.programs import State, graph
from tests.support.recorded_spans import RecordedSpans


def error_types(telemetry: RecordedSpans, metric: str) -> set[str]:
    """Return the values of `error.type` on a metric's points."""
    return {point.attributes["error.type"] for point in telemetry.points(metric) if "error.type" in point.attributes}


DURATIONS = [
    "gen_ai.client.operation.duration",
    "gen_ai.execute_tool.duration",
    "gen_ai.invoke_agent.duration",
    "gen_ai.invoke_workflow.duration",
    "otel_callbacks.step.duration",
]


def assert_nothing_failed(telemetry: RecordedSpans) -> None:
    """Assert that no span has status ERROR, an error type or an exception event, and no metric counts an error."""
    for span in telemetry.spans:
        assert span.status.is_unset, telemetry.tree()
        assert "error.type" not in span.attributes
        assert [event.name for event in span.events if event.name != "interrupt"] == []
    for metric in DURATIONS:
        assert error_types(telemetry, metric) == set()


def test_error_of_a_leaf_is_recorded_once(otel_spans: OtelSpans):
    """phx#1618: only the leaf that raised has an exception event; the four levels above have just status and type."""
    model = ScriptedChat(script=[ValueError("no")])

    def node(state):
        return {"seen": [RunnableLambda(lambda text: [model.invoke(text)]).with_config(run_name="inner").invoke("x")]}

    chain = RunnableLambda(lambda text: graph("g", only=node).invoke({"seen": []})).with_config(run_name="outer")
    with pytest.raises(ValueError, match="no"):
        chain.invoke("x", {"callbacks": [otel_spans.handler]})
    otel_spans.assert_tree(
        """
        invoke_workflow outer [error] ERROR error.type='ValueError'
          graph g [error] ERROR error.type='ValueError'
            node only [error] ERROR error.type='ValueError'
              chain inner [error] ERROR error.type='ValueError'
                chat [error] ERROR error.type='ValueError'
        """,
        "error.type",
    )
    events = [(span.name, event.name) for span in otel_spans.spans for event in span.events]
    assert events == [("chat", "exception")]


@pytest.mark.parametrize(
    ("build", "below"),
    [
        pytest.param(approval, "", id="node"),
        pytest.param(in_tool, "\n    execute_tool ask [interrupted]", id="tool"),
        pytest.param(in_graph, "\n    graph inner [interrupted]\n      node deep [interrupted]", id="sub-graph"),
    ],
)
def test_pause_for_a_human_is_not_an_error(telemetry: RecordedSpans, build, below):
    """lf#14034, ls#1127: `interrupt()` is no error anywhere, and every level that pauses ends as interrupted."""
    config = {"callbacks": [telemetry.new_handler()], "configurable": {"thread_id": "t1"}}
    build().invoke({"seen": []}, config)
    assert_nothing_failed(telemetry)
    assert telemetry.tree() == f"invoke_workflow approval [interrupted]\n  node pausing [interrupted]{below}"


def test_pause_is_a_label_of_the_durations(telemetry: RecordedSpans):
    """lf#6704: a paused node's duration is labelled as interrupted, so that latencies can exclude it."""
    config = {"callbacks": [telemetry.new_handler()], "configurable": {"thread_id": "t1"}}
    approval().invoke({"seen": []}, config)
    points = telemetry.points("otel_callbacks.step.duration")
    assert [dict(point.attributes) for point in points] == [
        {"langgraph.node": "pausing", "otel_callbacks.workflow": "approval", "otel_callbacks.outcome": "interrupted"}
    ]


def test_hand_off_to_the_parent_graph_is_not_an_error(telemetry: RecordedSpans):
    """lf-py#1632: `Command(graph=PARENT)` passes three levels without an error, and each names the target."""
    inner = (
        StateGraph(State)
        .add_node("decide", lambda state: Command(graph=Command.PARENT, goto="b", update={"seen": [1]}))
        .add_edge(START, "decide")
        .compile(name="inner")
    )
    outer = (
        StateGraph(State)
        .add_node("a", inner)
        .add_node("b", lambda state: {"seen": [2]})
        .add_edge(START, "a")
        .compile(name="outer")
    )
    outer.invoke({"seen": []}, {"callbacks": [telemetry.new_handler()]})
    assert_nothing_failed(telemetry)
    assert telemetry.tree("langgraph.handoff.target") == (
        "invoke_workflow outer\n"
        "  node a [handed_off] langgraph.handoff.target='b'\n"
        "    graph inner [handed_off] langgraph.handoff.target='b'\n"
        "      node decide [handed_off] langgraph.handoff.target='b'\n"
        "  node b"
    )


def test_retries_are_numbered_attempts(otel_spans: OtelSpans):
    """Failed and successful attempts of a retry are numbered from the second on, and the whole is ok.

    The first has no number: LangChain starts to count when that has ended.
    """
    model = ScriptedChat(script=[ValueError("1"), ValueError("2"), "fine"])
    retried = model.with_retry(
        stop_after_attempt=3, wait_exponential_jitter=False, retry_if_exception_type=(ValueError,)
    )
    retried.with_config(run_name="patient").invoke("x", {"callbacks": [otel_spans.handler]})
    otel_spans.assert_tree(
        """
        invoke_workflow patient
          chat [error] ERROR
          chat [error] ERROR langchain.retry.attempt=2
          chat langchain.retry.attempt=3
        """,
        "langchain.retry.attempt",
    )
