"""Which function decides what about a run, by its type: the whole room on one screen.

Three tables: the plan of a run when it starts, the attributes that its start adds, and those that its result adds.
"""

from collections.abc import Callable, Mapping
from typing import Any

from otel_callbacks import semconv
from otel_callbacks._langchain.run_start import RunStart
from otel_callbacks._mapping import chain, model, retriever, tool
from otel_callbacks._mapping.records import Inherited, SpanPlan
from otel_callbacks.config import Detail
from otel_callbacks.types import RunType

Planner = Callable[[RunStart, Inherited, semconv.Dialect, bool], SpanPlan]
"""Decides what a run becomes, from its start, what it inherits, the dialect, and whether it is a root."""

PLAN: Mapping[RunType, Planner] = {
    "chat": model.plan,
    "llm": model.plan,
    "chain": chain.plan,
    "prompt": chain.plan,
    "parser": chain.plan,
    "tool": tool.plan,
    "retriever": retriever.plan,
}

Extractor = Callable[[Any, dict[str, Any]], None]
"""Writes attributes of a start or a result into a dictionary; what it wrote before it failed stays there."""

REQUEST: Mapping[RunType, Extractor] = {
    "chat": model.request,
    "llm": model.request,
    "tool": tool.request,
    "retriever": retriever.request,
}
RESPONSE: Mapping[RunType, Extractor] = {
    "chat": model.response,
    "llm": model.response,
    "tool": tool.response,
    "retriever": retriever.response,
}

MODEL_OPERATIONS = frozenset({semconv.CHAT, semconv.TEXT_COMPLETION})
CLIENT_OPERATIONS = MODEL_OPERATIONS | {semconv.RETRIEVAL}
"""Operations whose spans are of kind CLIENT."""

_OPERATIONS = CLIENT_OPERATIONS | {semconv.EXECUTE_TOOL, semconv.INVOKE_AGENT, semconv.INVOKE_WORKFLOW}
_STEPS = _OPERATIONS | {"node", "graph", "chain"}
VISIBLE: Mapping[Detail, frozenset[str]] = {
    "operations": _OPERATIONS,
    "steps": _STEPS,
    "all": _STEPS | {"prompt", "parser", "plumbing"},
}
"""Operations and steps that get a span, by `Config.detail`."""

_BARE_OPERATIONS: Mapping[RunType, str] = {
    "chat": semconv.CHAT,
    "llm": semconv.TEXT_COMPLETION,
    "tool": semconv.EXECUTE_TOOL,
    "retriever": semconv.RETRIEVAL,
}


def bare_plan(run_type: RunType) -> SpanPlan:
    """Return a plan that reads nothing of the run, for runs whose data cannot be read."""
    operation = _BARE_OPERATIONS.get(run_type, "chain")
    attributes = {semconv.OPERATION_NAME: operation} if operation in _OPERATIONS else {}
    return SpanPlan(operation, operation, attributes)
