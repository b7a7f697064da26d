"""The values that travel between layers. No behaviour, no imports of OpenTelemetry or LangChain.

Those of the hot path have slots: a field of a named tuple costs five times as much to read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

RunType = Literal["chat", "llm", "chain", "prompt", "parser", "tool", "retriever"]
OutcomeName = Literal["ok", "error", "cancelled", "interrupted", "handed_off", "abandoned"]


class RunInfo(NamedTuple):
    """What a callable in the configuration is told about a run.

    Attributes:
        name: the run's name, as LangChain reports it; "" when it has none.
        run_type: "chat", "llm", "chain", "prompt", "parser", "tool" or "retriever".
        tags: the run's tags, inherited ones included.
        metadata: the run's metadata, inherited entries included. Read only.
    """

    name: str
    run_type: RunType
    tags: tuple[str, ...]
    metadata: Mapping[str, Any]


class RunSummary(NamedTuple):
    """What a subscriber is told of a run whose span has ended. No content.

    Attributes:
        run: the run, as callables in the configuration see it.
        operation: "chat", "text_completion", "execute_tool", "retrieval", "invoke_agent", "invoke_workflow", or the
            kind of step.
        span_name: the span's name.
        outcome: "ok", "error", "cancelled", "interrupted", "handed_off" or "abandoned".
        error_type: of a failed run.
        trace_id: 32 hexadecimal digits.
        span_id: 16 hexadecimal digits.
        duration_s: seconds.
        usage: tokens by ``gen_ai.usage.*`` attribute; empty where none were reported.
        cost_usd: of a model call, where a price is known.
    """

    run: RunInfo
    operation: str
    span_name: str
    outcome: OutcomeName
    error_type: str | None
    trace_id: str
    span_id: str
    duration_s: float
    usage: Mapping[str, int]
    cost_usd: float | None


class Price(NamedTuple):
    """What a model costs, in USD per million tokens.

    Attributes:
        input: tokens of the prompt.
        output: generated tokens.
        cache_read: the part of the prompt that came from the provider's cache; default: as `input`.
        cache_write: the part of the prompt that was written to it; default: as `input`.
        reasoning: the part of the generated tokens that was reasoning; default: as `output`.
    """

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None
    reasoning: float | None = None


@dataclass(slots=True)
class RunStart:
    """A start event, normalised: the last place that knew LangChain's keyword arguments."""

    run_type: RunType
    name: str
    serialized: Mapping[str, Any]
    """What LangChain knows of the object that runs; empty for Runnables and graphs."""
    inputs: Any
    """Chat: messages. LLM: prompts. Tool: arguments. Retriever: query. Chain: anything."""
    tags: Sequence[str]
    metadata: Mapping[str, Any]
    params: Mapping[str, Any]
    """Models: invocation parameters. Tools: the call's id."""
    options: Mapping[str, Any]
    single: bool = True
    """False for one of several prompts that a model got in one call."""


@dataclass(slots=True)
class Inherited:
    """What a child run takes over from its parent when it starts. Shared by runs: read only."""

    agent_name: str | None = None
    agent_marker: str | None = None
    """Metadata by which the enclosing agent was recognised; LangChain repeats it on every descendant."""
    conversation_id: str | None = None


@dataclass(slots=True)
class SpanPlan:
    """What is to become of a run, decided when it starts. Shared by runs: read only."""

    operation: str
    """A GenAI operation, or the kind of step: "node", "graph", "chain", "prompt", "parser", "plumbing"."""
    name: str
    """The span's name."""
    attributes: Mapping[str, Any]
    """Given at span creation, so that samplers see them; metrics take their dimensions from here."""
    inherit: Inherited | None = None
    """What the runs below take over; ``None``: what this one took over."""


@dataclass(slots=True)
class Ending:
    """How a run ended, decided when it ended."""

    outcome: OutcomeName
    error_type: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
