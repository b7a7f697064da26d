"""What a model call costs, from its token counts and a price."""

from collections.abc import Mapping

from otel_callbacks import semconv
from otel_callbacks.types import Price

_PER_TOKENS = 1_000_000


def cost_usd(counts: Mapping[str, int], price: Price) -> float:
    """Return the cost of one call in USD.

    Args:
        counts: Tokens by ``gen_ai.usage.*`` attribute; input and output are totals, the others are parts of them.
        price: What the model costs.
    """
    read, written = counts.get(semconv.USAGE_CACHE_READ, 0), counts.get(semconv.USAGE_CACHE_WRITE, 0)
    reasoning = counts.get(semconv.USAGE_REASONING, 0)
    uncached = max(counts.get(semconv.USAGE_INPUT, 0) - read - written, 0)
    visible = max(counts.get(semconv.USAGE_OUTPUT, 0) - reasoning, 0)
    parts = (
        (uncached, price.input, None),
        (read, price.cache_read, price.input),
        (written, price.cache_write, price.input),
        (visible, price.output, None),
        (reasoning, price.reasoning, price.output),
    )
    return sum(tokens * _or(own, otherwise) for tokens, own, otherwise in parts) / _PER_TOKENS


def _or(own: float | None, otherwise: float | None) -> float:
    return own if own is not None else otherwise or 0.0
