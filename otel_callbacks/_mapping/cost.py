"""What a model call costs: from its token counts and a price, or as the provider or a gateway says."""

import math
from typing import Any, Literal, NamedTuple

from otel_callbacks import semconv
from otel_callbacks._mapping.reading import mapping
from otel_callbacks._mapping.records import Usage
from otel_callbacks._mapping.result import generations
from otel_callbacks.types import Price

_PER_TOKENS = 1_000_000
_BILLING_PROVIDERS = frozenset({"openrouter"})
_AUDIO = (semconv.USAGE_INPUT_BY_MODALITY["audio"], semconv.USAGE_OUTPUT_BY_MODALITY["audio"])

CostSource = Literal["configured", "billed", "gateway", "list"]


class Cost(NamedTuple):
    """What a call cost, in USD, and where the figure comes from."""

    usd: float
    source: CostSource


class StatedCost(NamedTuple):
    """What an answer says about its own cost."""

    cost: Cost | None
    is_discrepancy: bool
    """It says something that cannot be a cost."""


def stated_cost(result: Any, provider: str | None) -> StatedCost:
    """Return the cost that an ``LLMResult`` states in its ``response_metadata``.

    ``cost`` of OpenRouter is what it bills. ``response_cost`` of LiteLLM is that gateway's own calculation.
    """
    choices = generations(result)
    metadata = mapping(getattr(getattr(choices[0], "message", None), "response_metadata", None)) if choices else {}
    billed = metadata.get("cost") if provider in _BILLING_PROVIDERS else None
    figures: tuple[tuple[Any, CostSource], ...] = ((billed, "billed"), (metadata.get("response_cost"), "gateway"))
    stated = [(value, source) for value, source in figures if value is not None]
    costs = [Cost(float(value), source) for value, source in stated if _is_cost(value)]
    return StatedCost(costs[0] if costs else None, len(costs) < len(stated))


def _is_cost(value: Any) -> bool:
    return type(value) in {int, float} and math.isfinite(value) and value >= 0


def cost_usd(usage: Usage, price: Price) -> float | None:
    """Return the cost of one call in USD; ``None`` where it used audio that the price does not cover.

    Args:
        usage: Its input and output are totals, the other counts are parts of them.
        price: What the model costs.
    """
    counts = usage.counts
    read, written = counts.get(semconv.USAGE_CACHE_READ, 0), counts.get(semconv.USAGE_CACHE_WRITE, 0)
    heard, spoken = (counts.get(key, 0) for key in _AUDIO)
    if (heard and price.input_audio is None) or (spoken and price.output_audio is None):
        return None
    hour, reasoning = usage.written_for_an_hour, counts.get(semconv.USAGE_REASONING, 0)
    plain = max(counts.get(semconv.USAGE_INPUT, 0) - read - written - heard, 0)
    visible = max(counts.get(semconv.USAGE_OUTPUT, 0) - reasoning - spoken, 0)
    write_price = _or(price.cache_write, price.input)
    parts = (
        (plain, price.input),
        (read, _or(price.cache_read, price.input)),
        (written - hour, write_price),
        (hour, _or(price.cache_write_1h, write_price)),
        (heard, _or(price.input_audio, price.input)),
        (visible, price.output),
        (reasoning, _or(price.reasoning, price.output)),
        (spoken, _or(price.output_audio, price.output)),
    )
    return sum(tokens * usd for tokens, usd in parts) / _PER_TOKENS


def _or(own: float | None, otherwise: float) -> float:
    return own if own is not None else otherwise
