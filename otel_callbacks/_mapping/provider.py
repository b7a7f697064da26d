"""Which GenAI provider a model belongs to, in the convention's words."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from otel_callbacks import semconv
from otel_callbacks._langchain.run_start import RunStart
from otel_callbacks._mapping.bounds import short

_CONVENTION_NAMES: Mapping[str, str] = {
    "amazon_bedrock": "aws.bedrock",
    "anthropic": "anthropic",
    "anthropic_bedrock": "aws.bedrock",
    "aws": "aws.bedrock",
    "azure_ai": "azure.ai.inference",
    "azure_openai": "azure.ai.openai",
    "azureopenai": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "bedrock_chat": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "google_anthropic_vertex": "gcp.vertex_ai",
    "google_genai": "gcp.gen_ai",
    "google_generativeai": "gcp.gemini",
    "google_vertexai": "gcp.vertex_ai",
    "googlegenerativeai": "gcp.gemini",
    "groq": "groq",
    "ibm": "ibm.watsonx.ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "moonshot": "moonshot_ai",
    "openai": "openai",
    "perplexity": "perplexity",
    "vertexai": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}
GENAI_PROVIDERS = frozenset(_CONVENTION_NAMES.values())

_KIND_SUFFIXES = ("-chat", "_chat", "-llm", "_llm")


def provider(start: RunStart) -> str:
    """Return the provider of a model run, or "unknown".

    Order of sources: metadata ``ls_provider``, the ``_type`` among the invocation parameters, the module path of the
    serialized model, its class name. A name the table lacks passes through.
    """
    name = start.metadata.get("ls_provider")
    model_type = start.params.get("_type")
    # LangChain says "azure" for two services, which the convention tells apart.
    if name == "azure":
        is_openai = isinstance(model_type, str) and model_type.startswith("azure-openai")
        return "azure.ai.openai" if is_openai else "azure.ai.inference"
    if not isinstance(name, str) or not name:
        name = _family(model_type) or _module_family(start.serialized.get("id")) or start.name
    return convention_name(short(name)) if name else semconv.UNKNOWN_PROVIDER


@lru_cache(maxsize=256)
def convention_name(name: str) -> str:
    """Return the convention's name for a provider as LangChain spells it; others pass through in lower case."""
    key = name.lower().replace("-", "_")
    return _CONVENTION_NAMES.get(key, name.lower())


def _family(model_type: object) -> str | None:
    """Cut off the kind: "azure-openai-chat" gives "azure-openai"."""
    if not isinstance(model_type, str):
        return None
    for suffix in _KIND_SUFFIXES:
        if model_type.endswith(suffix):
            return model_type[: -len(suffix)]
    return model_type.removeprefix("chat-")


def _module_family(path: Any) -> str | None:
    """Return the provider's part of a path: ["langchain", "chat_models", "openai", "ChatOpenAI"] gives "openai"."""
    if isinstance(path, (list, tuple)) and len(path) > 3 and path[1] in {"chat_models", "llms"}:  # noqa: PLR2004
        return str(path[2])
    return None
