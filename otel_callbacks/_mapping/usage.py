"""Token counts of one model result, each counted once."""

from collections.abc import Mapping
from typing import Any

from otel_callbacks import semconv
from otel_callbacks._mapping.provider_usage import from_provider, provider_forms
from otel_callbacks._mapping.reading import mapping
from otel_callbacks._mapping.reconciliation import TOTAL, WRITTEN_FOR_AN_HOUR, WRITTEN_FOR_MINUTES, reconcile
from otel_callbacks._mapping.records import Usage
from otel_callbacks._mapping.result import generations


def usage(result: Any, error: BaseException | None = None) -> Usage | None:
    """Return the usage of an ``LLMResult``, or ``None`` if none was reported.

    Sources, the first that has counts: ``usage_metadata`` of the first generation that carries it, ``token_usage`` /
    ``usage`` in ``llm_output``, in ``response_metadata``, in ``generation_info``; of a failed call, the ``completion``
    of the exception, which OpenAI's ``LengthFinishReasonError`` carries. Generations are never summed: each repeats
    the whole call's usage.
    """
    choices, output = generations(result), getattr(result, "llm_output", None)
    for choice in choices:
        message = getattr(choice, "message", None)
        metadata = mapping(getattr(message, "usage_metadata", None))
        if metadata:
            # LangChain sets a total cost of 0 on answers from its own cache.
            if output is None and metadata.get("total_cost") == 0:
                return Usage({}, from_cache=True)
            found = reconcile(*_from_langchain(metadata, _service_tier(output, message)))
            if found is not None:
                return found
    first = choices[0] if choices else None
    for form in provider_forms(first, output):
        found = reconcile(from_provider(form), _service_tier(output, getattr(first, "message", None)))
        if found is not None:
            return found
    completion = getattr(error, "completion", None)
    if completion is None:
        return None
    return reconcile(from_provider(_dumped(getattr(completion, "usage", None))), _text(completion, "service_tier"))


def _text(holder: Any, name: str) -> str | None:
    value = getattr(holder, name, None)
    return value if isinstance(value, str) else None


def _dumped(usage_object: Any) -> Mapping[str, Any]:
    """Return a provider's own object, a pydantic model, as a mapping."""
    dump = getattr(usage_object, "model_dump", None)
    return mapping(dump() if callable(dump) else usage_object)


def _service_tier(output: Any, message: Any) -> str | None:
    tier = mapping(getattr(message, "response_metadata", None)).get("service_tier")
    if tier is None and output is not None:
        tier = mapping(output).get("service_tier")
    return tier if isinstance(tier, str) else None


_INPUT_PARTS: Mapping[str, str] = {
    "cache_read": semconv.USAGE_CACHE_READ,
    "cache_creation": semconv.USAGE_CACHE_WRITE,
    "ephemeral_5m_input_tokens": WRITTEN_FOR_MINUTES,
    "ephemeral_1h_input_tokens": WRITTEN_FOR_AN_HOUR,
    **semconv.USAGE_INPUT_BY_MODALITY,
}
_OUTPUT_PARTS: Mapping[str, str] = {"reasoning": semconv.USAGE_REASONING, **semconv.USAGE_OUTPUT_BY_MODALITY}
"""LangChain's names of the parts."""


def _from_langchain(metadata: Mapping[str, Any], service_tier: str | None) -> tuple[dict[str, Any], str | None]:
    """Read LangChain's own form; its input and output counts are meant to include cache, reasoning and modalities."""
    reported = {
        semconv.USAGE_INPUT: metadata.get("input_tokens"),
        semconv.USAGE_OUTPUT: metadata.get("output_tokens"),
        TOTAL: metadata.get("total_tokens"),
    }
    for key, names in (("input_token_details", _INPUT_PARTS), ("output_token_details", _OUTPUT_PARTS)):
        details = mapping(metadata.get(key))
        if details:
            service_tier = _put_parts(reported, names, details) or service_tier
    return reported, service_tier


def _put_parts(out: dict[str, Any], names: Mapping[str, str], details: Mapping[str, Any]) -> str | None:
    """Put the parts under our names; return the service tier if theirs tell it.

    langchain-openai writes the tier before the names of the parts ("flex_cache_read"). Of two names for a part, the
    one that has tokens counts.
    """
    tier = None
    for name, value in details.items():
        key = names.get(name)
        if key is None:
            prefix, key = _split_tier(name, names)
            if key is None:
                continue
            tier = prefix
        out[key] = out.get(key) or value
    return tier


def _split_tier(name: str, names: Mapping[str, str]) -> tuple[str, str | None]:
    """Split "flex_cache_read" into the tier and our name of the part, which is ``None`` if there is no such part."""
    for part, key in names.items():
        tier = name.removesuffix(f"_{part}")
        if tier != name and tier not in semconv.MODALITIES:  # "audio_cache_read" would be a part of another part
            return tier, key
    return name, None
