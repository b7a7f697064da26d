"""What an application's callables and subscribers receive, and the prices it sets. Values without behaviour."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

RunType = Literal["chat", "llm", "chain", "prompt", "parser", "tool", "retriever"]
OutcomeName = Literal["ok", "error", "cancelled", "interrupted", "handed_off", "abandoned"]


class RunInfo(NamedTuple):
    """What a callable in the configuration receives about a run.

    Attributes:
        name: The run's name, as LangChain reports it; "" if it has none.
        run_type: "chat", "llm", "chain", "prompt", "parser", "tool" or "retriever".
        tags: The run's tags, inherited ones included.
        metadata: The run's metadata, inherited entries included. Read-only.
    """

    name: str
    run_type: RunType
    tags: tuple[str, ...]
    metadata: Mapping[str, Any]


class RunSummary(NamedTuple):
    """What a subscriber receives about a run whose span has ended. It holds no content.

    Attributes:
        run: The run, as callables in the configuration see it.
        operation: "chat", "text_completion", "execute_tool", "retrieval", "invoke_agent", "invoke_workflow", or the
            kind of step.
        span_name: The span's name.
        outcome: "ok", "error", "cancelled", "interrupted", "handed_off" or "abandoned".
        error_type: The failed run's ``error.type``; ``None`` for others.
        trace_id: 32 hexadecimal digits.
        span_id: 16 hexadecimal digits.
        duration_s: Duration in seconds.
        usage: Tokens by ``gen_ai.usage.*`` attribute; empty if none were reported.
        cost_usd: Cost of a model call in USD, if its price is known.
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
        input: Tokens of the prompt.
        output: Generated tokens.
        cache_read: The part of the prompt that came from the provider's cache. Default: the price of `input`.
        cache_write: The part of the prompt that was written to that cache. Default: the price of `input`.
        reasoning: The part of the generated tokens that was reasoning. Default: the price of `output`.
        cache_write_1h: The part of the written tokens that lives for an hour. Default: the price of `cache_write`.
        input_audio: The part of the prompt that was audio. Without it, calls with such input have no cost.
        output_audio: The part of the generated tokens that was audio. Without it, calls with such output have no cost.
    """

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None
    reasoning: float | None = None
    cache_write_1h: float | None = None
    input_audio: float | None = None
    output_audio: float | None = None
