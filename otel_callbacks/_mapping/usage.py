"""Token counts of one model result, each counted once."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from otel_callbacks import semconv
from otel_callbacks._mapping.reading import mapping
from otel_callbacks._mapping.result import generations


class Usage(NamedTuple):
    """Token counts by span attribute, and whether LangChain answered from its own cache (nothing was used then)."""

    counts: dict[str, int]
    from_cache: bool = False


def usage(result: Any) -> Usage | None:
    """Return the usage of an ``LLMResult``, or ``None`` if none was reported.

    Sources, the first that has counts: ``usage_metadata`` of the first generation that carries it, ``token_usage`` /
    ``usage`` in ``llm_output``, in ``response_metadata``, in ``generation_info``. Generations are never summed: each
    repeats the whole call's usage.
    """
    choices, output = generations(result), getattr(result, "llm_output", None)
    for choice in choices:
        metadata = mapping(getattr(getattr(choice, "message", None), "usage_metadata", None))
        if metadata:
            # LangChain sets a total cost of 0 on answers from its own cache.
            from_cache = output is None and metadata.get("total_cost") == 0
            return Usage(_from_usage_metadata(metadata), from_cache)
    for raw in _raw_usages(choices, output):
        counts = _from_raw(raw)
        if counts:
            return Usage(counts)
    return None


def _raw_usages(choices: Sequence[Any], output: Any) -> Iterator[Mapping[str, Any]]:
    first = choices[0] if choices else None
    message = getattr(first, "message", None)
    for place in (output, getattr(message, "response_metadata", None), getattr(first, "generation_info", None)):
        if isinstance(place, Mapping):
            for key in ("token_usage", "usage", "usage_metadata"):
                raw = place.get(key)
                if isinstance(raw, Mapping) and raw:
                    yield raw


def _from_usage_metadata(metadata: Mapping[str, Any]) -> dict[str, int]:
    """Read LangChain's own form; its input and output counts already include cache, reasoning and modalities."""
    counts: dict[str, int] = {}
    _put(counts, semconv.USAGE_INPUT, metadata.get("input_tokens"))
    _put(counts, semconv.USAGE_OUTPUT, metadata.get("output_tokens"))
    details = mapping(metadata.get("input_token_details"))
    if details:
        _put(counts, semconv.USAGE_CACHE_READ, details.get("cache_read"))
        _put(counts, semconv.USAGE_CACHE_WRITE, _cache_write(details))
        _put_modalities(counts, semconv.USAGE_INPUT_BY_MODALITY, details)
    details = mapping(metadata.get("output_token_details"))
    if details:
        _put(counts, semconv.USAGE_REASONING, details.get("reasoning"))
        _put_modalities(counts, semconv.USAGE_OUTPUT_BY_MODALITY, details)
    return counts


def _cache_write(details: Mapping[str, Any]) -> int | None:
    """Return the tokens written to a cache; Anthropic puts them under its lifetime and ``cache_creation`` at 0."""
    counts = [details[key] for key in _CACHE_WRITE_KEYS if _is_count(details.get(key))]
    return sum(counts) if counts else None


_CACHE_WRITE_KEYS = ("cache_creation", "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")


_INPUT_KEYS = ("input_tokens", "prompt_tokens", "prompt_token_count", "inputTokens", "input_token_count")
_OUTPUT_KEYS = ("output_tokens", "completion_tokens", "candidates_token_count", "outputTokens", "generated_token_count")


def _from_raw(raw: Mapping[str, Any]) -> dict[str, int]:
    """Read a provider's own form: OpenAI counts cached tokens inside the input, Anthropic beside it."""
    counts: dict[str, int] = {}
    _put(counts, semconv.USAGE_INPUT, _first_count(raw, _INPUT_KEYS))
    _put(counts, semconv.USAGE_OUTPUT, _first_count(raw, _OUTPUT_KEYS))
    _put_openai_details(counts, raw)
    if "cache_read_input_tokens" in raw or "cache_creation_input_tokens" in raw:
        _put_anthropic_cache(counts, raw)
    return counts


def _put_openai_details(counts: dict[str, int], raw: Mapping[str, Any]) -> None:
    inputs = raw.get("prompt_tokens_details") or raw.get("input_tokens_details")
    if isinstance(inputs, Mapping):
        _put(counts, semconv.USAGE_CACHE_READ, inputs.get("cached_tokens"))
    outputs = raw.get("completion_tokens_details") or raw.get("output_tokens_details")
    if isinstance(outputs, Mapping):
        _put(counts, semconv.USAGE_REASONING, outputs.get("reasoning_tokens"))


def _put_anthropic_cache(counts: dict[str, int], raw: Mapping[str, Any]) -> None:
    _put(counts, semconv.USAGE_CACHE_READ, raw.get("cache_read_input_tokens"))
    _put(counts, semconv.USAGE_CACHE_WRITE, raw.get("cache_creation_input_tokens"))
    if semconv.USAGE_INPUT in counts:
        cached = counts.get(semconv.USAGE_CACHE_READ, 0) + counts.get(semconv.USAGE_CACHE_WRITE, 0)
        counts[semconv.USAGE_INPUT] += cached


def _put_modalities(counts: dict[str, int], keys: Mapping[str, str], details: Mapping[str, Any]) -> None:
    for modality, key in keys.items():
        if details.get(modality):  # OpenAI reports 0 audio tokens for calls without audio
            _put(counts, key, details[modality])


def _first_count(raw: Mapping[str, Any], keys: tuple[str, ...]) -> int | None:
    return next((raw[key] for key in keys if _is_count(raw.get(key))), None)


def _put(counts: dict[str, int], key: str, value: Any) -> None:
    if _is_count(value):
        counts[key] = value


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63
