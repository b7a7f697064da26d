import pytest
from langchain_core.tools import StructuredTool, ToolException
from langgraph.prebuilt import ToolNode

from otel_callbacks.testing import OtelSpans
from tests.support.models import calling
from tests.support.programs import broken, graph, weather
from tests.support.recorded_spans import RecordedSpans


def test_tool_span(telemetry: RecordedSpans):
    """A tool's span is internal, with name, type and description, and without an agent outside one."""
    weather.invoke({"city": "Oslo"}, {"callbacks": [telemetry.new_handler()]})
    span = telemetry.span("execute_tool weather")
    assert span.kind.name == "INTERNAL"
    assert dict(span.attributes) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "weather",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.description": "Tells the weather of a city.",
        "otel_callbacks.outcome": "ok",
    }


def _raise(city: str) -> str:
    """Always fails."""
    raise ToolException(f"no weather in {city}")


def test_failure_that_the_tool_handles_is_the_tools_error(otel_spans: OtelSpans):
    """With `handle_tool_error`, which turns the failure into a message, the tool fails and its caller does not."""
    tool = StructuredTool.from_function(_raise, name="flaky", handle_tool_error=True)
    call = calling("flaky", "call-1", city="Oslo").tool_calls[0]
    program = graph("g", only=lambda state: {"seen": [tool.invoke(call)]})
    program.invoke({"seen": []}, {"callbacks": [otel_spans.handler]})
    otel_spans.assert_tree(
        """
        invoke_workflow g
          node only
            execute_tool flaky [error] ERROR error.type='tool_error' gen_ai.tool.call.id='call-1'
        """,
        "error.type",
        "gen_ai.tool.call.id",
    )
    assert otel_spans.spans[-1].events == ()


def test_failure_that_the_tool_node_handles_is_the_tools_error(otel_spans: OtelSpans):
    """With `ToolNode(handle_tool_errors=True)`, which lets the graph go on, the tool fails; node and graph do not."""
    node = ToolNode([broken], handle_tool_errors=True)
    calls = [calling("broken", city="Oslo")]
    program = graph("g", only=lambda state: {"seen": node.invoke({"messages": calls})["messages"]})
    program.invoke({"seen": []}, {"callbacks": [otel_spans.handler]})
    otel_spans.assert_tree(
        """
        invoke_workflow g
          node only
            execute_tool broken [error] ERROR error.type='ValueError'
        """,
        "error.type",
    )


def test_handled_failures_count_as_errors_of_the_tool_only(telemetry: RecordedSpans):
    """A handled failure's duration has the error type "tool_error", and the duration of the workflow has none."""
    tool = StructuredTool.from_function(_raise, name="flaky", handle_tool_error="sorry")
    call = calling("flaky", city="Oslo").tool_calls[0]
    program = graph("g", only=lambda state: {"seen": [tool.invoke(call)]})
    program.invoke({"seen": []}, {"callbacks": [telemetry.new_handler()]})
    (tool_point,) = telemetry.points("gen_ai.execute_tool.duration")
    (workflow_point,) = telemetry.points("gen_ai.invoke_workflow.duration")
    assert tool_point.attributes["error.type"] == "tool_error"
    assert "error.type" not in workflow_point.attributes


def test_wrong_arguments_are_an_error_of_the_tool(telemetry: RecordedSpans):
    """A call with wrong arguments fails inside the tool's span, before the tool's code runs."""
    with pytest.raises(ValueError, match="city"):
        weather.invoke({"town": "Oslo"}, {"callbacks": [telemetry.new_handler()]})
    span = telemetry.span("execute_tool weather")
    assert span.attributes["error.type"].endswith("ValidationError")
    assert [event.name for event in span.events] == ["exception"]
