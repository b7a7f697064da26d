"""Tool calls of a model that no tool answered: no run shows them, only the message in the tool's place."""

from time import perf_counter_ns
from typing import Any

from opentelemetry.trace import Status, StatusCode

from otel_callbacks import semconv
from otel_callbacks._mapping import tool
from otel_callbacks._mapping.bounds import short
from otel_callbacks._mapping.tool import MissingTool
from otel_callbacks._runs.destination import Destination
from otel_callbacks._runs.run import OpenRun

_LONGEST_NAME = 64
"""Characters of the name that the model made up."""


def record(destination: Destination, node: OpenRun, result: Any) -> None:
    """Record the calls for tools that a tools node does not have: a span without length below it, and a count."""
    try:
        for missing in tool.missing_tools(result):
            if node.attempts is None or missing.call_id not in node.attempts:
                destination.instruments.unanswered_call(node.inherited.agent_name, semconv.TOOL_NOT_FOUND)
                _record_span(destination, node, missing)
    except Exception as error:  # noqa: BLE001 - whatever a hostile result raises
        destination.failed("unanswered", error)


def _record_span(destination: Destination, node: OpenRun, missing: MissingTool) -> None:
    visible = node.visible
    if visible is None:
        return
    name = node.owner.redactor.redact_text(missing.name)[:_LONGEST_NAME]
    attributes: dict[str, Any] = {
        **tool.plan_of(name, node.inherited.agent_name).attributes,
        semconv.TOOL_CALL_ID: short(missing.call_id),
        semconv.ERROR_TYPE: semconv.TOOL_NOT_FOUND,
        semconv.OUTCOME: "error",
    }
    now = perf_counter_ns() + node.tree.clock_offset
    span = destination.tracer.start_span(
        f"{semconv.EXECUTE_TOOL} {name}", visible.context, attributes=attributes, start_time=now
    )
    span.set_status(Status(StatusCode.ERROR, semconv.TOOL_NOT_FOUND))
    span.end(now)
