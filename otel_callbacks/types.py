"""What an application's callables and subscribers get, and the prices it gives. Values without behaviour."""

from collections.abc import Mapping
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
