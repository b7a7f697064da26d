from types import SimpleNamespace

import pytest

from otel_callbacks._mapping import tool
from otel_callbacks._mapping.records import Inherited
from tests.mapping.records import start


def test_plan_names_tool_and_agent():
    """A tool's span is named after the tool and has the name of the agent it works for."""
    plan = tool.plan(start("tool", "weather"), Inherited(agent_name="helper"))
    assert (plan.operation, plan.name) == ("execute_tool", "execute_tool weather")
    assert plan.attributes == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "weather",
        "gen_ai.tool.type": "function",
        "gen_ai.agent.name": "helper",
    }


def test_plan_without_names():
    """A tool without a name, outside any agent, still has the attributes that the convention requires."""
    plan = tool.plan(start("tool", ""), Inherited())
    assert plan.attributes["gen_ai.tool.name"] == "tool"
    assert "gen_ai.agent.name" not in plan.attributes


def test_request_gives_call_id_and_description():
    """The call's id and the tool's description are exported at the start."""
    out = {}
    tool.request(
        start("tool", "w", params={"tool_call_id": "c1"}, serialized={"description": "Tells the weather."}), out
    )
    assert out == {"gen_ai.tool.call.id": "c1", "gen_ai.tool.description": "Tells the weather."}


@pytest.mark.parametrize("value", [None, "", 5])
def test_missing_call_id_and_description_are_left_out(value):
    """A call id or description that is empty or not a text is left out."""
    out = {}
    tool.request(start("tool", "w", params={"tool_call_id": value}, serialized={"description": value}), out)
    assert out == {}


def test_response_gives_the_call_id_of_older_releases():
    """The call's id is also taken from the result, as LangChain before 1.1 reports it only there."""
    out = {}
    tool.response(SimpleNamespace(tool_call_id="c1"), out)
    assert out == {"gen_ai.tool.call.id": "c1"}
    tool.response("plain text", out)
    assert out == {"gen_ai.tool.call.id": "c1"}


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (SimpleNamespace(status="error", tool_call_id="c1"), True),
        (SimpleNamespace(status="success", tool_call_id="c1"), False),
        (SimpleNamespace(status="error"), False),
        ("error", False),
        (None, False),
    ],
)
def test_failed_tool_message(output, expected):
    """A tool message with status "error" is a failure; other objects with that status are not."""
    assert tool.failed(output) is expected
