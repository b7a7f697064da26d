"""Retriever runs (``on_retriever_start`` / ``_end`` / ``_error``)."""

from typing import Any

from otel_callbacks import semconv
from otel_callbacks._langchain.run_start import RunStart
from otel_callbacks._mapping.bounds import put_text
from otel_callbacks._mapping.provider import GENAI_PROVIDERS, convention_name
from otel_callbacks._mapping.records import SpanPlan


def plan(start: RunStart, *_: object) -> SpanPlan:
    """Decide the provider. The convention names the span after the data source, which LangChain does not report."""
    attributes: dict[str, Any] = {semconv.OPERATION_NAME: semconv.RETRIEVAL, semconv.RUN_NAME: start.name}
    provider = start.metadata.get("ls_retriever_provider") or start.metadata.get("ls_vector_store_provider")
    # The convention's attribute names GenAI providers only; a store's own name goes under a key of ours.
    if isinstance(provider, str) and convention_name(provider) in GENAI_PROVIDERS:
        attributes[semconv.PROVIDER_NAME] = convention_name(provider)
    return SpanPlan(semconv.RETRIEVAL, semconv.RETRIEVAL, attributes)


def request(start: RunStart, out: dict[str, Any]) -> None:
    """Write vector store and embedding names into `out`."""
    for key, name in (
        (semconv.RETRIEVER_VECTOR_STORE, "ls_vector_store_provider"),
        (semconv.RETRIEVER_EMBEDDING, "ls_embedding_provider"),
    ):
        put_text(out, key, start.metadata.get(name))


def response(documents: Any, out: dict[str, Any]) -> None:
    """Write the number of documents into `out`."""
    if isinstance(documents, (list, tuple)):
        out[semconv.RETRIEVER_DOCUMENT_COUNT] = len(documents)
