"""Prices of models: an application's own, then those of the package ``genai-prices`` (extra ``cost``).

That package ships its prices; nothing is fetched. It is loaded when a handler is made, not during a run.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from time import time
from typing import Any

from otel_callbacks import semconv
from otel_callbacks._mapping.cost import Cost, cost_usd
from otel_callbacks._mapping.records import Usage
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
    semconv.USAGE_REASONING: "output_reasoning_tokens",
    **{semconv.USAGE_INPUT_BY_MODALITY[name]: f"input_{name}_tokens" for name in ("audio", "image")},
    **{semconv.USAGE_OUTPUT_BY_MODALITY[name]: f"output_{name}_tokens" for name in ("audio", "image")},
}
"""What the package counts, by our names."""
_AUDIO_PRICES: Mapping[str, str] = {
    semconv.USAGE_INPUT_BY_MODALITY["audio"]: "input_audio_mtok",
    semconv.USAGE_OUTPUT_BY_MODALITY["audio"]: "output_audio_mtok",
}
_FLAT_PRICES: Mapping[str, str] = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "reasoning": "output_reasoning_mtok",
}
"""Fields of `Price` and the package's names for them."""
_FLAT_COUNTS = frozenset(
    {
        semconv.USAGE_INPUT,
        semconv.USAGE_OUTPUT,
        semconv.USAGE_CACHE_READ,
        semconv.USAGE_CACHE_WRITE,
        semconv.USAGE_REASONING,
    }
)
_USUAL_TIERS = frozenset({None, "auto", "default", "on_demand", "standard"})
"""Service tiers at the price that is listed without a tier."""

Calculation = Callable[[Usage], float | None]
"""Usage -> USD; ``None`` where the list cannot tell."""


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
            with suppress(Exception):  # a list that fails here fails again at the first call, and is counted there
                self._find("openai", ("gpt-4o",), None, 0)  # it loads most of itself at the first look-up

    def cost(self, attributes: Mapping[str, Any], usage: Usage | None, stated: Cost | None) -> Cost | None:
        """Return what a model call cost; ``None`` if nobody knows.

        An application's own price comes first, then what the answer states, then the list.

        Args:
            attributes: The span's; provider, request model and response model are read.
            usage: Token counts. Without input or output they give no cost: it would be too low.
            stated: The cost that the answer states.
        """
        names = tuple(
            model for key in (semconv.RESPONSE_MODEL, semconv.REQUEST_MODEL) if (model := attributes.get(key))
        )
        price = next((self._own[name] for name in names if name in self._own), None)
        if usage is None or semconv.USAGE_INPUT not in usage.counts or semconv.USAGE_OUTPUT not in usage.counts:
            return stated
        own = cost_usd(usage, price) if price is not None else None
        if own is not None:
            return Cost(own, "configured")
        if stated is not None or price is not None or self._listed is None:
            return stated
        hour = int(time() // _SECONDS_PER_HOUR)  # listed prices may change with the date and the time of day
        calculate = self._calculation(attributes.get(semconv.PROVIDER_NAME), names, usage.service_tier, hour)
        listed = calculate(usage) if calculate is not None else None
        return Cost(listed, "list") if listed is not None else None

    def _find(self, provider: str | None, names: tuple[str, ...], tier: str | None, _hour: int) -> Calculation | None:
        calculations = (_listed(self._listed, provider, name, tier) for name in names)
        return next((calculation for calculation in calculations if calculation is not None), None)


def _load() -> Any:
    try:
        import genai_prices
    except ModuleNotFoundError as missing:
        message = f"cost=True needs: pip install 'otel-callbacks[cost]' (no module {missing.name})"
        raise ModuleNotFoundError(message, name=missing.name) from None
    return genai_prices


def _listed(package: Any, provider: str | None, model: str, tier: str | None) -> Calculation | None:
    name = _PROVIDERS.get(provider or "", provider)
    context = {"service_tier": tier} if tier is not None else None

    def priced(usage: Any) -> Any:
        return package.calc_price(usage, model, provider_id=name, price_context=context)

    try:
        listed = priced(package.Usage(input_tokens=1))
    except LookupError:
        return None
    if tier not in _USUAL_TIERS and not any(variant.when == context for variant in listed.model.price_variants or ()):
        return None

    def calculate(usage: Usage) -> float | None:
        if any(
            usage.counts.get(key) and getattr(listed.model_price, price) is None for key, price in _AUDIO_PRICES.items()
        ):
            return None
        units = {_UNITS[key]: count for key, count in usage.counts.items() if key in _UNITS}
        if usage.written_for_an_hour:
            units["cache_write_1h_tokens"] = usage.written_for_an_hour
        try:
            return float(priced(package.Usage(**units)).total_price)
        except ValueError:  # of parts that overlap, such as audio and cached tokens, it is not told how much
            return None

    flat = _flat(listed.model_price)
    if flat is None:
        return calculate
    price = flat
    # The package takes a quarter of a millisecond for each call: it is called only for counts that a flat price lacks.
    return lambda usage: cost_usd(usage, price) if usage.counts.keys() <= _FLAT_COUNTS else calculate(usage)


def _flat(listed: Any) -> Price | None:
    """Return the price as ours if it depends on nothing but the number of tokens of each kind, else ``None``."""
    if listed.requests_kcount is not None:
        return None
    prices = {field: getattr(listed, name) for field, name in _FLAT_PRICES.items()}
    try:
        known = {field: float(price) for field, price in prices.items() if price is not None}
    except TypeError:  # it has tiers by the number of input tokens
        return None
    return Price(**{"input": 0.0, "output": 0.0, **known})
