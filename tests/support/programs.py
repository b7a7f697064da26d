"""Small LangChain and LangGraph programs that several tests run."""

import operator
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool, tool
from langgraph.graph import START, StateGraph
from langgraph.prebuilt import create_react_agent

try:
    from langchain.agents import create_agent
except ImportError:  # LangChain before 1.0
    create_agent = None

CORE = tuple(int(number) for number in version("langchain-core").split(".")[:2])
"""Release of langchain-core, such as (1, 8)."""
MESSAGES = {"messages": [("user", "hi")]}
WAYS = ("invoke", "ainvoke", "stream", "astream", "batch", "abatch")

needs_create_agent = pytest.mark.skipif(create_agent is None, reason="create_agent came with LangChain 1.0")
needs_agent_marks = pytest.mark.skipif(CORE < (1, 1), reason="LangChain marks its agents since 1.1")
needs_call_id_at_start = pytest.mark.skipif(
    CORE < (1, 1), reason="LangChain reports the call's id only with the result"
)
needs_contexts_of_tasks = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="before Python 3.11 LangChain does not pass on callbacks in async code by itself"
)


class State(TypedDict):
    """A graph's state that collects what its nodes return."""

    seen: Annotated[list[Any], operator.add]


def graph(name: str | None = None, /, **nodes: Any) -> Runnable[Any, Any]:
    """Build a graph that runs its nodes one after the other; each is a function or Runnable that takes the state."""
    builder = StateGraph(State)
    previous = START
    for node, body in nodes.items():
        builder.add_node(node, body)
        builder.add_edge(previous, node)
        previous = node
    return builder.compile(name=name)


def agent(model: Any, tools: list[Any], name: str | None = None) -> Runnable[Any, Any]:
    """Build an agent the way this environment's LangChain does."""
    build = create_agent or create_react_agent
    return build(model, tools, name=name)


async def run(runnable: Runnable[Any, Any], way: str, value: Any, config: Any) -> None:
    """Run it in one of the `WAYS`; a batch gets the value twice."""
    if way == "stream":
        list(runnable.stream(value, config))
    elif way == "astream":
        _ = [chunk async for chunk in runnable.astream(value, config)]
    else:
        values = [value, value] if "batch" in way else value
        result = getattr(runnable, way)(values, config)
        _ = await result if way.startswith("a") else result


@tool
def weather(city: str) -> str:
    """Tells the weather of a city."""
    return f"sunny in {city}"


@tool
def broken(city: str) -> str:
    """Always fails."""
    raise ValueError(f"no weather in {city}")


def tool_that(runs: Callable[[], Any]) -> BaseTool:
    """Make a tool called "ask" that calls `runs` and returns its result as text."""

    @tool
    def ask(city: str) -> str:
        """Asks somebody else."""
        return str(runs())

    return ask
