"""Model runs (``on_chat_model_start``, ``on_llm_start``): names, request and response attributes."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from otel_callbacks import semconv
from otel_callbacks._langchain.run_start import RunStart
from otel_callbacks._mapping.bounds import few, put_text, short
from otel_callbacks._mapping.finish_reason import finish_reason
from otel_callbacks._mapping.provider import provider
from otel_callbacks._mapping.reading import first_text, mapping
from otel_callbacks._mapping.records import SpanPlan
from otel_callbacks._mapping.result import generations

_MODEL_KEYS = ("model", "model_name", "model_id", "azure_deployment", "deployment_name")
_ENDPOINT_KEYS = (
    "openai_api_base", "anthropic_api_url", "azure_endpoint", "base_url", "api_base", "endpoint_url", "endpoint",
    "mistral_api_url", "groq_api_base", "ollama_base_url", "openrouter_api_base",
)  # fmt: skip
_ENDPOINT_NAMES = frozenset(_ENDPOINT_KEYS)
_SHOWN_ENDPOINTS = tuple(f"{before}{name}" for name in ("base_url", "api_base") for before in " (")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def plan(start: RunStart, *_: object) -> SpanPlan:
    """Decide operation, provider, request model and server: what samplers and metrics need."""
    operation = semconv.CHAT if start.run_type == "chat" else semconv.TEXT_COMPLETION
    return _plan(operation, provider(start), request_model(start), _endpoint(start.serialized))


@lru_cache(maxsize=1024)
def _plan(operation: str, provider_name: str, model: str | None, endpoint: tuple[str, int] | None) -> SpanPlan:
    attributes: dict[str, Any] = {
        semconv.OPERATION_NAME: operation,
        semconv.PROVIDER_NAME: provider_name,
    }
    if model:
        attributes[semconv.REQUEST_MODEL] = model
    if endpoint:
        attributes[semconv.SERVER_ADDRESS], attributes[semconv.SERVER_PORT] = endpoint
    return SpanPlan(operation, f"{operation} {model}" if model else operation, attributes)


def request_model(start: RunStart) -> str | None:
    """Return the requested model: from the invocation parameters, else from metadata ``ls_model_name``."""
    # A loop of its own, not `first_text`: it runs for every model call.
    for key in _MODEL_KEYS:
        model = start.params.get(key)
        if isinstance(model, str) and model:
            return short(model)
    model = start.metadata.get("ls_model_name")
    return short(model) if isinstance(model, str) and model else None


def _endpoint(serialized: Mapping[str, Any]) -> tuple[str, int] | None:
    kwargs = mapping(serialized.get("kwargs"))
    if _ENDPOINT_NAMES.isdisjoint(kwargs):  # most have none; a tenth of the cost of looking up each key
        shown = serialized.get("repr")
        return _shown_endpoint(shown) if isinstance(shown, str) else None
    for key in _ENDPOINT_KEYS:
        url = kwargs.get(key)
        if isinstance(url, str) and url:
            return _host_and_port(url)
    return None


def _shown_endpoint(shown: str) -> tuple[str, int] | None:
    """Find the endpoint in the text form of a model that LangChain cannot serialize: ChatOllama, ChatLiteLLM, ..."""
    at = shown.find("='http")  # one search: a regular expression takes seventy times as long
    while at >= 0:
        if shown.endswith(_SHOWN_ENDPOINTS, 0, at):
            start = at + len("='")
            return _host_and_port(shown[start : shown.find("'", start)])
        at = shown.find("='http", at + 1)
    return None


@lru_cache(maxsize=64)
def _host_and_port(url: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(url)
        # Reading the port raises if it is not a number.
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (short(parts.hostname), port) if parts.hostname and port else None


_NUMBER_TYPES = (int, float)
_NUMBERS: Mapping[str, tuple[str, type]] = {
    "temperature": (semconv.REQUEST_TEMPERATURE, float),
    "top_p": (semconv.REQUEST_TOP_P, float),
    "top_k": (semconv.REQUEST_TOP_K, int),
    "max_tokens": (semconv.REQUEST_MAX_TOKENS, int),
    "max_completion_tokens": (semconv.REQUEST_MAX_TOKENS, int),
    "max_output_tokens": (semconv.REQUEST_MAX_TOKENS, int),
    "num_predict": (semconv.REQUEST_MAX_TOKENS, int),
    "frequency_penalty": (semconv.REQUEST_FREQUENCY_PENALTY, float),
    "presence_penalty": (semconv.REQUEST_PRESENCE_PENALTY, float),
    "seed": (semconv.REQUEST_SEED, int),
}
"""Parameter -> attribute; of several parameters for one attribute the first counts."""
_NUMBER_NAMES = frozenset(_NUMBERS)
_PRECEDENCE = list(_NUMBERS).index
_REASONING_NAMES = frozenset({"reasoning", "reasoning_effort"})


def request(start: RunStart, out: dict[str, Any]) -> None:
    """Write the request parameters into `out`."""
    params = start.params
    _request_numbers(params, start.metadata, out)
    # LangChain passes the caller's stop sequences as an option; not every model repeats them in its parameters.
    stop = params.get("stop") or params.get("stop_sequences") or start.options.get("stop")
    if stop:
        sequences = few([stop] if isinstance(stop, str) else (entry for entry in stop if isinstance(entry, str)))
        if sequences:
            out[semconv.REQUEST_STOP_SEQUENCES] = sequences
    choices = params.get("n")
    if isinstance(choices, int) and choices > 1:  # the convention leaves out the usual one
        out[semconv.REQUEST_CHOICE_COUNT] = choices
    if params.get("stream") is True or params.get("streaming") is True:
        out[semconv.REQUEST_STREAM] = True
    _request_words(start, out)


def _request_numbers(params: Mapping[str, Any], metadata: Mapping[str, Any], out: dict[str, Any]) -> None:
    for name in sorted(_NUMBER_NAMES.intersection(params), key=_PRECEDENCE):
        key, kind = _NUMBERS[name]
        if key not in out:
            _put_number(out, key, kind, params[name])
    if semconv.REQUEST_TEMPERATURE not in out:
        _put_number(out, semconv.REQUEST_TEMPERATURE, float, metadata.get("ls_temperature"))
    if semconv.REQUEST_MAX_TOKENS not in out:
        _put_number(out, semconv.REQUEST_MAX_TOKENS, int, metadata.get("ls_max_tokens"))


def _put_number(out: dict[str, Any], key: str, kind: type, value: Any) -> None:
    """Put `value` if it is a number, not NaN, and can be sent as a `kind`."""
    if type(value) not in _NUMBER_TYPES and (isinstance(value, bool) or not isinstance(value, (int, float))):
        return
    if value == value and (kind is float or abs(value) < 2**63):  # noqa: PLR0124 - NaN differs from itself
        out[key] = kind(value)


def _request_words(start: RunStart, out: dict[str, Any]) -> None:
    params = start.params
    if not _REASONING_NAMES.isdisjoint(params):
        effort = mapping(params.get("reasoning")).get("effort") or params.get("reasoning_effort")
        put_text(out, semconv.REQUEST_REASONING_LEVEL, effort)
    put_text(out, semconv.REQUEST_PREVIOUS_RESPONSE_ID, params.get("previous_response_id"))
    put_text(out, semconv.OUTPUT_TYPE, _output_type(start))
    # Under the convention's own namespace, so only of the provider it is named after.
    if start.metadata.get("ls_provider") == "openai":
        put_text(out, semconv.OPENAI_REQUEST_SERVICE_TIER, params.get("service_tier"))


def _output_type(start: RunStart) -> str | None:
    if start.options.get("ls_structured_output_format"):
        return semconv.OUTPUT_TYPE_JSON
    if "response_format" not in start.params:
        return None
    form = mapping(start.params["response_format"]).get("type")
    if form in {"json_object", "json_schema"}:
        return semconv.OUTPUT_TYPE_JSON
    return semconv.OUTPUT_TYPE_TEXT if form == "text" else None


def response(result: Any, out: dict[str, Any]) -> None:
    """Write response model, id and finish reasons of an ``LLMResult`` into `out`."""
    choices = generations(result)
    message = getattr(choices[0], "message", None) if choices else None
    output = mapping(getattr(result, "llm_output", None))
    metadata = mapping(getattr(message, "response_metadata", None))
    if output:
        metadata = {**output, **metadata}  # the message's own entries are those of this choice
    put_text(out, semconv.RESPONSE_MODEL, first_text(metadata, ("model_name", "model")))
    put_text(out, semconv.RESPONSE_ID, first_text(metadata, ("id",)) or _provider_message_id(message))
    if metadata.get("model_provider") == "openai" or "system_fingerprint" in metadata:
        put_text(out, semconv.OPENAI_RESPONSE_SERVICE_TIER, metadata.get("service_tier"))
        put_text(out, semconv.OPENAI_RESPONSE_SYSTEM_FINGERPRINT, metadata.get("system_fingerprint"))
    reasons = finish_reasons(choices)
    if reasons:
        out[semconv.RESPONSE_FINISH_REASONS] = reasons


def _provider_message_id(message: Any) -> str | None:
    """Return a message's id if it is the provider's, not one that LangChain made from the run's id."""
    identity = getattr(message, "id", None)
    if isinstance(identity, str) and identity and not identity.startswith(("lc_", "run-")):
        return identity
    return None


def finish_reasons(choices: Sequence[Any]) -> list[str]:
    """Return one reason per choice, as the provider spells it; choices without one are left out, none is invented."""
    return few([reason for choice in choices if (reason := finish_reason(choice))])


def text_length(result: Any) -> int:
    """Return the characters of text in the first choice; of content blocks, the text blocks count."""
    choices = generations(result)
    text = getattr(choices[0], "text", "") if choices else ""
    return len(text) if isinstance(text, str) else 0
