"""Tool runs (``on_tool_start`` / ``_end`` / ``_error``)."""

from functools import lru_cache
from typing import Any

from otel_callbacks import semconv
from otel_callbacks._langchain.run_start import RunStart
from otel_callbacks._mapping.bounds import put_text
from otel_callbacks._mapping.records import Inherited, SpanPlan

UNNAMED = "tool"


def plan(start: RunStart, inherited: Inherited, *_: object) -> SpanPlan:
    """Decide name and executing agent; both are labels of metrics."""
    return _plan(start.name or UNNAMED, inherited.agent_name)


@lru_cache(maxsize=1024)
def _plan(name: str, agent_name: str | None) -> SpanPlan:
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
