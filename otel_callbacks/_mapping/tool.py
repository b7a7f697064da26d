"""Tool runs (``on_tool_start`` / ``_end`` / ``_error``)."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from otel_callbacks import semconv
from otel_callbacks._langchain.run_start import RunStart
from otel_callbacks._mapping.bounds import put_text
from otel_callbacks._mapping.records import Inherited, SpanPlan

UNNAMED = "tool"


def plan(start: RunStart, inherited: Inherited, *_: object) -> SpanPlan:
    """Decide name and executing agent; both are labels of metrics."""
    return plan_of(start.name or UNNAMED, inherited.agent_name)


@lru_cache(maxsize=1024)
def plan_of(name: str, agent_name: str | None) -> SpanPlan:
    """Return the plan of a tool of that name, called by that agent."""
    attributes: dict[str, Any] = {
        semconv.OPERATION_NAME: semconv.EXECUTE_TOOL,
        semconv.TOOL_NAME: name,
        semconv.TOOL_TYPE: "function",  # tools that a provider runs itself send no callback
    }
    if agent_name:
        attributes[semconv.AGENT_NAME] = agent_name
    return SpanPlan(semconv.EXECUTE_TOOL, f"{semconv.EXECUTE_TOOL} {name}", attributes)


def request(start: RunStart, out: dict[str, Any]) -> None:
    """Write the call's id and the tool's description into `out`."""
    put_text(out, semconv.TOOL_CALL_ID, start.params.get("tool_call_id"))
    put_text(out, semconv.TOOL_DESCRIPTION, start.serialized.get("description"))


def response(output: Any, out: dict[str, Any]) -> None:
    """Write the call's id into `out`: LangChain before 1.1 reports it only with the result."""
    put_text(out, semconv.TOOL_CALL_ID, getattr(output, "tool_call_id", None))


def failed(output: Any) -> bool:
    """Tell whether the tool turned a failure into an error message (``handle_tool_error``) instead of raising."""
    return getattr(output, "status", None) == "error" and hasattr(output, "tool_call_id")


class MissingTool(NamedTuple):
    """A call for a tool that does not exist: the model's name for it, and the call's id."""

    name: str
    call_id: str


def missing_tools(result: Any) -> Iterator[MissingTool]:
    """Yield the calls that LangGraph's ``ToolNode`` answered itself because it has no such tool.

    Only its own wording counts, which is the same in all supported releases, and only results in a form that it
    returns: a node that passes on the conversation repeats answers of earlier steps.
    """
    for messages in _lists_of_messages(result):
        if all(getattr(message, "type", None) == "tool" for message in messages):
            for message in messages:
                missing = _missing_tool(message)
                if missing is not None:
                    yield missing


def _lists_of_messages(result: Any) -> Iterator[list[Any]]:
    """Yield what may be the messages of a tools node: a list, or a list under the graph's key, or several of either."""
    if type(result) is dict:
        yield from (value for value in result.values() if type(value) is list)
    elif type(result) is list:
        if result and type(result[0]) not in (dict, list):
            yield result
        for part in result:
            if type(part) is list:
                yield part
            elif type(part) is dict:
                yield from (value for value in part.values() if type(value) is list)


def _missing_tool(message: Any) -> MissingTool | None:
    name, call_id, content = message.name, message.tool_call_id, message.content
    if message.status != "error" or type(name) is not str or type(call_id) is not str or type(content) is not str:
        return None
    return (
        MissingTool(name, call_id) if content.startswith(f"Error: {name} is not a valid tool, try one of [") else None
    )
