"""What a run becomes: pure functions from records to attributes.

The tables are the whole architecture of this layer: a run type's plan at its start, the attributes it gets beside
those, and the attributes its result gives.
"""

from collections.abc import Callable, Mapping
from typing import Any

from otel_callbacks import semconv
from otel_callbacks._langchain.run_start import RunStart
from otel_callbacks._mapping import chain, model, retriever, tool
from otel_callbacks._mapping.bounds import short
from otel_callbacks._mapping.records import Inherited, SpanPlan
from otel_callbacks.config import Detail
from otel_callbacks.types import RunType

Extractor = Callable[[Any, dict[str, Any]], None]
"""Writes attributes of a start record or a result into a dictionary; what it wrote before it failed stays."""

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

Plan = Callable[[RunStart, Inherited, semconv.Dialect, bool], SpanPlan]
"""Decides what a run becomes when it starts: of its start, what it took over, the dialect, and whether it is a root."""

PLAN: Mapping[RunType, Plan] = {
    "chat": model.plan,
    "llm": model.plan,
    "chain": chain.plan,
    "prompt": chain.plan,
    "parser": chain.plan,
    "tool": tool.plan,
    "retriever": retriever.plan,
}
_BARE_OPERATIONS: Mapping[RunType, str] = {
    "chat": semconv.CHAT,
    "llm": semconv.TEXT_COMPLETION,
    "tool": semconv.EXECUTE_TOOL,
    "retriever": semconv.RETRIEVAL,
}

_OPERATIONS = frozenset(
    {
        semconv.CHAT,
        semconv.TEXT_COMPLETION,
        semconv.EXECUTE_TOOL,
        semconv.RETRIEVAL,
        semconv.INVOKE_AGENT,
        semconv.INVOKE_WORKFLOW,
    }
)
_STEPS = _OPERATIONS | {"node", "graph", "chain"}
VISIBLE: Mapping[Detail, frozenset[str]] = {
    "operations": _OPERATIONS,
    "steps": _STEPS,
    "all": _STEPS | {"prompt", "parser", "plumbing"},
}
_CONVERSATION_KEYS = ("thread_id", "session_id", "conversation_id")
_CONVERSATION_NAMES = frozenset(_CONVERSATION_KEYS)
MODEL_OPERATIONS = frozenset({semconv.CHAT, semconv.TEXT_COMPLETION})
CLIENT_OPERATIONS = MODEL_OPERATIONS | {semconv.RETRIEVAL}


def bare_plan(start: RunStart) -> SpanPlan:
    """A plan that reads nothing but the run type, for runs whose own data cannot be read."""
    operation = _BARE_OPERATIONS.get(start.run_type, "chain")
    attributes = {semconv.OPERATION_NAME: operation} if operation in _OPERATIONS else {}
    return SpanPlan(operation, operation, attributes)


def conversation_id(metadata: Mapping[str, Any]) -> str | None:
    """The conversation a run belongs to, from the metadata keys that applications and LangGraph use."""
    if _CONVERSATION_NAMES.isdisjoint(metadata):  # as for most runs: a fifth of the cost of asking one by one
        return None
    for key in _CONVERSATION_KEYS:
        if key in metadata:
            value = metadata[key]
            if isinstance(value, (str, int)):
                text = short(value if isinstance(value, str) else str(value))
                if text:
                    return text
    return None
