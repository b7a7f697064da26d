"""Graphs that pause to ask a human, and can be resumed."""

from typing import Any

from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import interrupt

from tests.support.models import calling
from tests.support.programs import State, graph


def asking(state: Any) -> Any:
    """Pause a node to ask a human."""
    return {"seen": [interrupt("go on?")]}


def approval(body: Any = asking, **options: Any) -> Any:
    """Build a graph of one node that can be resumed."""
    builder = StateGraph(State).add_node("pausing", body).add_edge(START, "pausing")
    return builder.compile(checkpointer=InMemorySaver(), name="approval", **options)


def in_tool() -> Any:
    """Build a graph whose tool asks a human."""

    @tool
    def ask(question: str) -> str:
        """Asks a human."""
        return interrupt(question)

    calls = [calling("ask", question="go on?")]
    return approval(lambda state: {"seen": ToolNode([ask]).invoke({"messages": calls})["messages"]})


def in_graph() -> Any:
    """Build a graph in which a sub-graph asks a human."""
    return approval(graph("inner", deep=asking))
