"""Inputs and outputs of chains and graph nodes: their messages and documents take the conventions' form."""

import json

import pytest
from langchain_core.agents import AgentAction, AgentFinish
from langchain_core.documents import Document
from langchain_core.messages import (
    HumanMessage,
)
from langchain_core.prompt_values import ChatPromptValue
from langgraph.types import Command, Interrupt, Send

from otel_callbacks._content.json import dumps
from otel_callbacks._content.messages.run_values import run_value
from tests.content.forms import PLENTY, user


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param({"messages": [HumanMessage("hi")], "n": 1}, {"messages": [user("hi")], "n": 1}, id="state"),
        pytest.param({"messages": [("user", "hi")]}, {"messages": [user("hi")]}, id="state before it is read"),
        pytest.param([HumanMessage("hi")], [user("hi")], id="messages"),
        pytest.param(ChatPromptValue(messages=[HumanMessage("hi")]), [user("hi")], id="prompt value"),
        pytest.param({"docs": [Document("x")]}, {"docs": [{"content": "x"}]}, id="documents"),
        pytest.param(
            [Command(update={"messages": [HumanMessage("hi")]}, goto="next")],
            [{"goto": "next", "update": {"messages": [user("hi")]}}],
            id="command",
        ),
        pytest.param(Send("node", {"m": HumanMessage("hi")}), {"node": "node", "arg": {"m": user("hi")}}, id="send"),
        pytest.param(
            [(AgentAction("weather", {"city": "Oslo"}, "log"), "sunny")],
            [[{"tool": "weather", "tool_input": {"city": "Oslo"}}, "sunny"]],
            id="steps of an old agent",
        ),
        pytest.param(AgentFinish({"output": "a"}, "log"), {"return_values": {"output": "a"}}, id="end of an old agent"),
        pytest.param({"n": 5, "t": (1, 2)}, {"n": 5, "t": [1, 2]}, id="plain"),
    ],
)
def test_messages_inside_run_values_have_the_same_form(value, expected):
    """Inputs and outputs of nodes and chains show messages and documents in the same form as everywhere else."""
    assert run_value(value) == expected


def test_interrupts_are_shown_by_their_fields():
    """A graph's output shows what it waits for."""
    output = json.loads(dumps(run_value({"__interrupt__": [Interrupt(value="Go on?")]}), PLENTY))

    assert output["__interrupt__"][0]["value"] == "Go on?"


def test_wide_values_are_not_searched_without_end():
    """Only a bounded number of entries is read, even in a state with millions."""
    reads = 0

    class Entry:
        def __getattr__(self, name):
            nonlocal reads
            reads += 1
            raise AttributeError(name)

    run_value([[[Entry()] * 200] * 200] * 200)

    assert 0 < reads < 50_000
