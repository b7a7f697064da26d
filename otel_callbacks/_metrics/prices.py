"""Prices of models: an application's own, then those of the package ``genai-prices`` (extra ``cost``).

That package ships its prices; nothing is fetched. It is loaded when a handler is made, not during a run.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from time import time
from typing import Any

from otel_callbacks import semconv
from otel_callbacks._mapping.cost import cost_usd
from otel_callbacks.types import Price

_SECONDS_PER_HOUR = 3600
_MOST_MODELS = 512
_PROVIDERS: Mapping[str, str] = {
    "aws.bedrock": "aws",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "mistral_ai": "mistral",
    "moonshot_ai": "moonshotai",
    "x_ai": "x-ai",
}
"""Names the package has for providers that the conventions name differently."""
_UNITS: Mapping[str, str] = {
    semconv.USAGE_INPUT: "input_tokens",
    semconv.USAGE_OUTPUT: "output_tokens",
    semconv.USAGE_CACHE_READ: "cache_read_tokens",
    semconv.USAGE_CACHE_WRITE: "cache_write_tokens",
    semconv.USAGE_INPUT_BY_MODALITY["audio"]: "input_audio_tokens",
    semconv.USAGE_OUTPUT_BY_MODALITY["audio"]: "output_audio_tokens",
}
_SIMPLE = frozenset(
    {
        semconv.USAGE_INPUT,
        semconv.USAGE_OUTPUT,
        semconv.USAGE_CACHE_READ,
        semconv.USAGE_CACHE_WRITE,
        semconv.USAGE_REASONING,
    }
)

Calculation = Callable[[Mapping[str, int]], float]
"""Token counts by attribute -> USD."""


class Prices:
    """Knows what model calls cost.

    Args:
        own: An application's own prices by model name; they win.
        listed: Look into ``genai-prices`` as well.

    Raises:
        ModuleNotFoundError: `listed` without the extra ``cost``; the message says how to install it.
    """

    def __init__(self, own: Mapping[str, Price], *, listed: bool) -> None:
        self._own = own
        self._listed = _load() if listed else None
        self._calculation = lru_cache(_MOST_MODELS)(self._find)
        if listed:
            self._find("openai", ("gpt-4o",), 0)  # the list loads most of itself at the first look-up

    def cost(self, attributes: Mapping[str, Any], counts: Mapping[str, int]) -> float | None:
        """Return the cost of a model call in USD; ``None`` if no price is known.

        Args:
            attributes: The span's; provider, request model and response model are read.
            counts: Tokens by ``gen_ai.usage.*`` attribute.
        """
        models = (attributes.get(semconv.RESPONSE_MODEL), attributes.get(semconv.REQUEST_MODEL))
        hour = int(time() // _SECONDS_PER_HOUR)  # listed prices may change with the date and the time of day
        calculate = self._calculation(attributes.get(semconv.PROVIDER_NAME), models, hour)
        return calculate(counts) if calculate is not None else None

    def _find(self, provider: str | None, models: tuple[str | None, ...], _hour: int) -> Calculation | None:
        names = [model for model in models if model]
        for name in names:
            if name in self._own:
                price = self._own[name]
                return lambda counts: cost_usd(counts, price)
        if self._listed is None:
            return None
        calculations = (_listed(self._listed, provider, name) for name in names)
        return next((calculation for calculation in calculations if calculation is not None), None)


def _load() -> Any:
    try:
        import genai_prices
    except ModuleNotFoundError as missing:
        message = f"cost=True needs: pip install 'otel-callbacks[cost]' (no module {missing.name})"
        raise ModuleNotFoundError(message, name=missing.name) from None
    return genai_prices


def _listed(package: Any, provider: str | None, model: str) -> Calculation | None:
    name = _PROVIDERS.get(provider or "", provider)

    def calculate(counts: Mapping[str, int]) -> float:
        usage = package.Usage(**{_UNITS[key]: count for key, count in counts.items() if key in _UNITS})
        return float(package.calc_price(usage, model, provider_id=name).total_price)

    try:
        price = _flat(package.calc_price(package.Usage(input_tokens=1), model, provider_id=name).model_price)
    except LookupError:
        return None
    if price is None:
        return calculate
    flat = price
    # The package takes a quarter of a millisecond for each call: it is called only for counts that a flat price lacks.
    return lambda counts: cost_usd(counts, flat) if counts.keys() <= _SIMPLE else calculate(counts)


def _flat(listed: Any) -> Price | None:
    """Return the price as ours if it does not depend on the number of tokens, else ``None``."""
    names = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok")
    prices = [getattr(listed, name, None) for name in names]
    try:
        input_price, output, read, written = (None if price is None else float(price) for price in prices)
    except TypeError:
        return None
    return Price(input_price or 0.0, output or 0.0, read, written)
