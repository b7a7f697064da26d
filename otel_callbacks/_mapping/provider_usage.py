"""Token counts in the providers' own forms, which LangChain passes on beside its own."""

from collections.abc import Iterator, Mapping
from typing import Any

from otel_callbacks import semconv
from otel_callbacks._mapping.reading import mapping
from otel_callbacks._mapping.reconciliation import TOTAL, WRITTEN_FOR_AN_HOUR, WRITTEN_FOR_MINUTES


def provider_forms(choice: Any, output: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the forms in ``llm_output``, and in ``response_metadata`` and ``generation_info`` of a choice."""
    message = getattr(choice, "message", None)
    for place in (output, getattr(message, "response_metadata", None), getattr(choice, "generation_info", None)):
        if isinstance(place, Mapping):
            for key in ("token_usage", "usage", "usage_metadata"):
                form = place.get(key)
                if isinstance(form, Mapping) and form:
                    yield form


_PLACES: Mapping[str, tuple[str, ...]] = {
    semconv.USAGE_INPUT: ("input_tokens", "prompt_tokens", "prompt_token_count", "inputTokens", "input_token_count"),
    semconv.USAGE_OUTPUT: (
        "output_tokens", "completion_tokens", "candidates_token_count", "outputTokens", "generated_token_count",
    ),
    TOTAL: ("total_tokens", "total_token_count", "totalTokens"),
    semconv.USAGE_CACHE_READ: (
        "prompt_tokens_details.cached_tokens", "input_tokens_details.cached_tokens", "cache_read_input_tokens",
        "cached_content_token_count", "cacheReadInputTokens", "prompt_cache_hit_tokens",
    ),
    semconv.USAGE_CACHE_WRITE: (
        "prompt_tokens_details.cache_write_tokens", "input_tokens_details.cache_write_tokens",
        "cache_creation_input_tokens", "cache_write_input_tokens", "cacheWriteInputTokens",
    ),
    WRITTEN_FOR_MINUTES: ("cache_creation.ephemeral_5m_input_tokens",),
    WRITTEN_FOR_AN_HOUR: ("cache_creation.ephemeral_1h_input_tokens",),
    semconv.USAGE_REASONING: (
        "completion_tokens_details.reasoning_tokens", "output_tokens_details.reasoning_tokens",
        "output_tokens_details.thinking_tokens", "thoughts_token_count",
    ),
    semconv.USAGE_INPUT_BY_MODALITY["audio"]: ("prompt_tokens_details.audio_tokens",),
    semconv.USAGE_OUTPUT_BY_MODALITY["audio"]: ("completion_tokens_details.audio_tokens",),
}  # fmt: skip
"""Where the providers' own forms have each count; the first that is there counts."""
_PATHS = {key: tuple(tuple(path.split(".")) for path in paths) for key, paths in _PLACES.items()}
_ANTHROPIC_CACHE = ("cache_read_input_tokens", "cache_creation_input_tokens")


def from_provider(form: Mapping[str, Any]) -> dict[str, Any]:
    """Return the counts under our names, unchecked.

    OpenAI counts cached tokens inside the input, which Anthropic counts beside it.
    """
    reported = {key: _first(form, paths) for key, paths in _PATHS.items()}
    inputs = form.get("input_tokens")
    if type(inputs) is int and "total_tokens" not in form:
        reported[semconv.USAGE_INPUT] = inputs + sum(
            form[key] for key in _ANTHROPIC_CACHE if type(form.get(key)) is int
        )
    return reported


def _first(form: Mapping[str, Any], paths: tuple[tuple[str, ...], ...]) -> Any:
    for path in paths:
        value: Any = form
        for key in path:
            value = mapping(value).get(key)
        if value is not None:
            return value
    return None
