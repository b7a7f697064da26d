import pytest

from otel_callbacks._mapping.provider import convention_name, provider
from tests.mapping.records import start

PROVIDERS = [
    ("openai", "openai"),
    ("azure_openai", "azure.ai.openai"),
    ("azure_ai", "azure.ai.inference"),
    ("anthropic", "anthropic"),
    ("amazon_bedrock", "aws.bedrock"),
    ("bedrock_converse", "aws.bedrock"),
    ("google_vertexai", "gcp.vertex_ai"),
    ("vertexai", "gcp.vertex_ai"),
    ("google_genai", "gcp.gen_ai"),
    ("google_generativeai", "gcp.gemini"),
    ("cohere", "cohere"),
    ("mistralai", "mistral_ai"),
    ("mistral", "mistral_ai"),
    ("groq", "groq"),
    ("deepseek", "deepseek"),
    ("perplexity", "perplexity"),
    ("xai", "x_ai"),
    ("ibm", "ibm.watsonx.ai"),
    ("watsonx", "ibm.watsonx.ai"),
    ("moonshot", "moonshot_ai"),
    ("ollama", "ollama"),
    ("fireworks", "fireworks"),
    ("My-House-LLM", "my-house-llm"),
]
"""LangChain's name of a provider, and the convention's."""


@pytest.mark.parametrize(("langchain_name", "expected"), PROVIDERS)
def test_ls_provider_becomes_the_conventions_name(langchain_name, expected):
    """LangChain's name of a provider becomes the convention's, and an unknown one is only put in lower case."""
    assert provider(start(metadata={"ls_provider": langchain_name})) == expected


@pytest.mark.parametrize(
    ("model_type", "expected"),
    [("azure-openai-chat", "azure.ai.openai"), ("azureml_chat", "azure.ai.inference"), (None, "azure.ai.inference")],
)
def test_azure_serves_openai_models_and_others(model_type, expected):
    """The type among the invocation parameters distinguishes the two providers that LangChain calls "azure"."""
    assert provider(start(metadata={"ls_provider": "azure"}, params={"_type": model_type})) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"params": {"_type": "openai-chat"}}, "openai"),
        ({"params": {"_type": "anthropic-chat"}}, "anthropic"),
        ({"params": {"_type": "chat-ollama"}}, "ollama"),
        ({"params": {"_type": "groq-chat"}}, "groq"),
        ({"serialized": {"id": ["langchain", "chat_models", "mistralai", "ChatMistralAI"]}}, "mistral_ai"),
        ({"serialized": {"id": ["langchain", "llms", "openai", "OpenAI"]}}, "openai"),
        ({"name": "HomeMade"}, "homemade"),
        ({}, "unknown"),
    ],
)
def test_sources_after_ls_provider(fields, expected):
    """Without ``ls_provider``, the model's type, module path or class name give the provider; else it is unknown."""
    assert provider(start(**fields)) == expected


def test_first_source_wins():
    """``ls_provider`` takes precedence over the type, and that over the module path."""
    everything = {
        "metadata": {"ls_provider": "groq"},
        "params": {"_type": "openai-chat"},
        "serialized": {"id": ["langchain", "chat_models", "anthropic", "ChatAnthropic"]},
    }
    assert provider(start(**everything)) == "groq"
    del everything["metadata"]
    assert provider(start(**everything)) == "openai"


@pytest.mark.parametrize("value", [None, "", 7, ["openai"]])
def test_ls_provider_without_a_text_is_skipped(value):
    """An ``ls_provider`` that is empty or not a text does not hide the next source."""
    assert provider(start(metadata={"ls_provider": value}, params={"_type": "openai-chat"})) == "openai"


def test_spelling_does_not_matter():
    """Case and dashes in LangChain's names make no difference."""
    assert convention_name("Azure-OpenAI") == "azure.ai.openai"
