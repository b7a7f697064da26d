from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import InjectedToolCallId, tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode
from langgraph.types import Command

from tests.support.models import ScriptedChat, calling
from tests.support.programs import needs_create_agent, weather
from tests.support.recorded_spans import RecordedSpans

UNANSWERED = "otel_callbacks.tool_calls.unanswered"


def ask_for(*names):
    """Return a model's message that calls tools of these names."""
    return AIMessage("", tool_calls=[{"name": name, "args": {}, "id": f"call-{name}"} for name in names])


def run_node(node, messages, handler):
    """Run a graph that has only that node, on these messages."""
    program = StateGraph(MessagesState).add_node("tools", node).add_edge(START, "tools").compile(name="g")
    return program.invoke({"messages": messages}, {"callbacks": [handler]})


@needs_create_agent
def test_agent_asks_for_a_tool_that_does_not_exist(telemetry: RecordedSpans):
    """A call that no tool answers is a failed span without length below the node, and counted by agent."""
    from langchain.agents import create_agent

    model = ScriptedChat(script=[calling("wether", place="here"), calling("wether", place="here"), "done"])
    agent = create_agent(model, [weather], name="guide")
    agent.invoke({"messages": [("human", "hi")]}, {"callbacks": [telemetry.new_handler()]})
    spans = [span for span in telemetry.spans if span.name == "execute_tool wether"]
    nodes = {span.context.span_id: span for span in telemetry.spans if span.name == "node tools"}
    assert len(spans) == 2
    for span in spans:
        node = nodes[span.parent.span_id]
        assert node.start_time <= span.start_time == span.end_time <= node.end_time
        assert span.status.status_code.name == "ERROR"
        assert span.attributes["error.type"] == "tool_not_found"
        assert span.attributes["gen_ai.agent.name"] == "guide"
        assert span.attributes["gen_ai.tool.call.id"]
    assert telemetry.total(UNANSWERED, gen_ai__agent__name="guide", error__type="tool_not_found") == 2
    assert not telemetry.points("gen_ai.execute_tool.duration")


def test_plain_tools_node(telemetry: RecordedSpans):
    """A tools node outside an agent shows the calls that it has no tool for beside those it has."""
    run_node(ToolNode([weather]), [HumanMessage("hi"), ask_for("gone", "lost")], telemetry.new_handler())
    assert telemetry.tree() == (
        "invoke_workflow g\n  node tools\n    execute_tool gone [error] ERROR\n    execute_tool lost [error] ERROR"
    )
    assert telemetry.total(UNANSWERED, error__type="tool_not_found") == 2


class Talk(TypedDict):
    """A graph's state whose messages have another key."""

    talk: Annotated[list[Any], add_messages]


def test_messages_under_another_key(telemetry: RecordedSpans):
    """The calls are found whatever the graph calls its messages."""
    node = ToolNode([weather], messages_key="talk")
    program = StateGraph(Talk).add_node("tools", node).add_edge(START, "tools").compile()
    program.invoke({"talk": [ask_for("gone")]}, {"callbacks": [telemetry.new_handler()]})
    assert telemetry.total(UNANSWERED, error__type="tool_not_found") == 1


def test_missing_tool_beside_a_handoff(telemetry: RecordedSpans):
    """The call is found in the list that a tools node returns when another tool gives a command."""

    @tool
    def leave(tool_call_id: Annotated[str, InjectedToolCallId]) -> Command[str]:
        """Hand over."""
        return Command(update={"messages": [ToolMessage("left", tool_call_id=tool_call_id)]})

    run_node(ToolNode([leave]), [ask_for("leave", "gone")], telemetry.new_handler())
    assert telemetry.total(UNANSWERED, error__type="tool_not_found") == 1


def test_wrong_arguments_have_a_run_of_their_own(telemetry: RecordedSpans):
    """A call with wrong arguments reached its tool, so it is not counted as unanswered."""
    call = {"name": "weather", "args": {"wrong": 1}, "id": "call-1"}
    node = ToolNode([weather], handle_tool_errors=True)
    run_node(node, [AIMessage("", tool_calls=[call])], telemetry.new_handler())
    assert telemetry.total(UNANSWERED) == 0


@pytest.mark.parametrize(
    "content",
    [
        "User rejected the tool call for `gone` with id call-gone",
        "Tool call limit exceeded. Do not call 'gone' again.",
        "Error: other is not a valid tool, try one of [weather].",
        "Error: gone is not valid",
        [{"type": "text", "text": "Error: gone is not a valid tool, try one of [weather]."}],
    ],
)
def test_other_answers_are_no_missing_tools(telemetry: RecordedSpans, content):
    """A call that a person rejected, that is over a limit, or that is answered in other words is not a missing tool."""
    answer = ToolMessage(content, name="gone", tool_call_id="call-gone", status="error")
    run_node(lambda state: {"messages": [answer]}, [ask_for("gone")], telemetry.new_handler())
    assert telemetry.total(UNANSWERED) == 0


def test_conversation_that_is_passed_on(telemetry: RecordedSpans):
    """A node that returns the whole conversation does not repeat the calls of earlier steps."""
    answers = run_node(ToolNode([weather]), [ask_for("gone")], telemetry.new_handler())["messages"]
    run_node(lambda state: {"messages": answers}, [HumanMessage("hi")], telemetry.new_handler())
    assert telemetry.total(UNANSWERED) == 1


def test_tool_that_answers_in_the_same_words(telemetry: RecordedSpans):
    """A tool that answers in the words of the tools node has a run of its own, so it is not a missing tool."""

    @tool(response_format="content_and_artifact")
    def odd() -> tuple[str, None]:
        """Answer oddly."""
        return "Error: odd is not a valid tool, try one of [odd].", None

    def call(state):
        answer = odd.invoke({"name": "odd", "args": {}, "id": "call-odd", "type": "tool_call"})
        answer.status = "error"
        return {"messages": [answer]}

    run_node(call, [ask_for("odd")], telemetry.new_handler())
    assert telemetry.total(UNANSWERED) == 0


def test_name_is_short_and_without_secrets(telemetry: RecordedSpans):
    """The name that the model made up is cut to 64 characters, and secrets in it are removed; no label has it."""
    secret = "sk-ant-api03-" + "aB3" * 31
    names = ["x" * 1000, f"mail_{secret}"]
    run_node(ToolNode([weather]), [ask_for(*names)], telemetry.new_handler())
    shown = [span.attributes["gen_ai.tool.name"] for span in telemetry.spans if span.name.startswith("execute_tool")]
    assert shown[0] == "x" * 64
    assert secret[:40] not in shown[1]
    (point,) = telemetry.points(UNANSWERED)
    assert dict(point.attributes) == {"error.type": "tool_not_found"}
