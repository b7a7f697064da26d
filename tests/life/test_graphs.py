import pytest
from langchain_core.tools import tool
from langgraph.errors import GraphRecursionError
from langgraph.graph import START, StateGraph
from langgraph.types import Command, RetryPolicy, Send

from otel_callbacks.testing import OtelSpans
from tests.support.models import ScriptedChat, calling
from tests.support.programs import MESSAGES, State, graph, needs_contexts_of_tasks, needs_create_agent, run, weather
from tests.support.recorded_spans import RecordedSpans

IMMEDIATELY = {"initial_interval": 0.0, "jitter": False, "backoff_factor": 0.0}


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_attempts_of_a_retry_policy_are_numbered(otel_spans: OtelSpans, way):
    """When LangGraph tries a node three times, failed attempts are errors, later ones are numbered, the graph is ok."""
    failures = iter([ValueError("1"), ValueError("2")])

    def shaky(state):
        for failure in failures:
            raise failure
        return {"seen": [1]}

    policy = RetryPolicy(max_attempts=3, retry_on=ValueError, **IMMEDIATELY)
    builder = StateGraph(State)
    keyword = "retry_policy" if "retry_policy" in StateGraph.add_node.__kwdefaults__ else "retry"
    builder.add_node("shaky", shaky, **{keyword: policy}).add_node("calm", lambda state: {"seen": [2]})
    program = builder.add_edge(START, "shaky").add_edge("shaky", "calm").compile(name="g")
    await run(program, way, {"seen": []}, {"callbacks": [otel_spans.handler]})
    otel_spans.assert_tree(
        """
        invoke_workflow g
          node shaky [error] ERROR
          node shaky [error] ERROR langchain.retry.attempt=2
          node shaky langchain.retry.attempt=3
          node calm
        """,
        "langchain.retry.attempt",
    )


def test_steps_of_a_loop_are_no_attempts(telemetry: RecordedSpans):
    """A node that runs once in every round of a loop has no attempt numbers."""
    builder = StateGraph(State).add_node("again", lambda state: {"seen": [1]})
    builder.add_edge(START, "again")
    builder.add_conditional_edges("again", lambda state: "again" if len(state["seen"]) < 3 else "__end__")
    builder.compile(name="loop").invoke({"seen": []}, {"callbacks": [telemetry.new_handler()]})
    nodes = [span for span in telemetry.spans if span.name == "node again"]
    assert len(nodes) == 3
    assert not any("langchain.retry.attempt" in span.attributes for span in nodes)


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_recursion_limit_is_an_error(telemetry: RecordedSpans, way):
    """A graph that reaches its recursion limit fails with LangGraph's error type, and its nodes are ok."""
    builder = StateGraph(State).add_node("again", lambda state: {"seen": [1]})
    program = builder.add_edge(START, "again").add_edge("again", "again").compile(name="loop")
    with pytest.raises(GraphRecursionError):
        await run(program, way, {"seen": []}, {"callbacks": [telemetry.new_handler()], "recursion_limit": 3})
    assert telemetry.tree("error.type") == (
        "invoke_workflow loop [error] ERROR error.type='langgraph.errors.GraphRecursionError'" + "\n  node again" * 3
    )


@pytest.mark.parametrize(
    ("goto", "target"),
    [
        ("b", "b"),
        (["b", "c"], "b,c"),
        (Send("b", {"seen": []}), "b"),
        ([Send("b", {"seen": []}), "c"], "b,c"),
    ],
)
@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_hand_off_names_its_targets(telemetry: RecordedSpans, way, goto, target):
    """`Command(graph=PARENT)` fails nothing, and each level that it passes names its one or several targets."""
    inner = graph("inner", decide=lambda state: Command(graph=Command.PARENT, goto=goto, update={"seen": [1]}))
    builder = StateGraph(State).add_node("a", inner).add_edge(START, "a")
    for name in ("b", "c"):
        builder.add_node(name, lambda state: {"seen": [2]})
    await run(builder.compile(name="outer"), way, {"seen": []}, {"callbacks": [telemetry.new_handler()]})
    handed_off = [span for span in telemetry.spans if span.attributes["otel_callbacks.outcome"] == "handed_off"]
    assert {span.name for span in handed_off} == {"node a", "graph inner", "node decide"}
    assert {span.attributes["langgraph.handoff.target"] for span in handed_off} == {target}
    assert all(span.status.is_unset for span in telemetry.spans)
    assert telemetry.span("invoke_workflow outer").attributes["otel_callbacks.outcome"] == "ok"


def test_hand_off_by_a_tool(otel_spans: OtelSpans):
    """When a tool hands off to a node of the parent graph, the levels around the tool end as handed off."""

    @tool
    def transfer(city: str) -> Command:
        """Hands over to somebody else."""
        return Command(graph=Command.PARENT, goto="b", update={"seen": [city]})

    inner = graph("inner", decide=lambda state: transfer.invoke({"city": "Oslo"}))
    builder = StateGraph(State).add_node("a", inner).add_node("b", lambda state: {"seen": [2]}).add_edge(START, "a")
    builder.compile(name="outer").invoke({"seen": []}, {"callbacks": [otel_spans.handler]})
    otel_spans.assert_tree(
        """
        invoke_workflow outer
          node a [handed_off]
            graph inner [handed_off]
              node decide [handed_off]
                execute_tool transfer
          node b
        """
    )


def test_parallel_nodes_and_sends_are_siblings(telemetry: RecordedSpans):
    """Parallel nodes, and runs of one node by `Send`, are children of the graph and contain their own spans."""

    def work(state):
        with telemetry.tracer.start_as_current_span("own"):
            return {"seen": [1]}

    builder = StateGraph(State).add_node("work", work).add_node("other", work)
    builder.add_conditional_edges(START, lambda state: [*(Send("work", {"seen": [n]}) for n in range(3)), "other"])
    builder.compile(name="g").invoke({"seen": []}, {"callbacks": [telemetry.new_handler(detail="steps")]})
    nodes = [span for span in telemetry.spans if span.name in {"node work", "node other"}]
    assert [telemetry.parent_name(span) for span in nodes] == ["invoke_workflow g"] * 4
    own = [telemetry.parent_name(span) for span in telemetry.spans if span.name == "own"]
    assert sorted(own) == ["node other", "node work", "node work", "node work"]


@needs_create_agent
@pytest.mark.parametrize("way", ["invoke", pytest.param("ainvoke", marks=needs_contexts_of_tasks)])
async def test_failing_tool_of_an_agent_is_recorded_once(telemetry: RecordedSpans, way):
    """When an agent's tool fails, the tool has the exception event; its ancestors have only status and error type."""
    from langchain.agents import create_agent

    @tool
    def broken(city: str) -> str:
        """Always fails."""
        raise OSError("down")

    program = create_agent(ScriptedChat(script=[calling("broken", city="Oslo"), "hi"]), [broken], name="clerk")
    with pytest.raises(OSError, match="down"):
        await run(program, way, MESSAGES, {"callbacks": [telemetry.new_handler(detail="operations")]})
    assert telemetry.tree("error.type") == (
        "invoke_agent clerk [error] ERROR error.type='OSError'\n"
        "  chat\n"
        "  execute_tool broken [error] ERROR error.type='OSError'"
    )
    assert [span.name for span in telemetry.spans for event in span.events] == ["execute_tool broken"]


def test_graph_called_by_a_tool_nests_under_the_tool(otel_spans: OtelSpans):
    """A graph that a tool calls without passing on a configuration nests under the tool."""

    @tool
    def research(city: str) -> str:
        """Asks another graph."""
        return str(graph("inner", look=lambda state: {"seen": [weather.invoke({"city": city})]}).invoke({"seen": []}))

    program = graph("outer", only=lambda state: {"seen": [research.invoke({"city": "Oslo"})]})
    program.invoke({"seen": []}, {"callbacks": [otel_spans.handler]})
    otel_spans.assert_tree(
        """
        invoke_workflow outer
          node only
            execute_tool research
              graph inner
                node look
                  execute_tool weather
        """
    )
