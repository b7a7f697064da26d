"""Retriever runs (``on_retriever_start`` / ``_end`` / ``_error``)."""

from dataclasses import replace
from typing import Any

from otel_callbacks import semconv
from otel_callbacks._langchain.run_start import RunStart
from otel_callbacks._mapping.bounds import put_text
from otel_callbacks._mapping.provider import GENAI_PROVIDERS, convention_name
from otel_callbacks._mapping.records import Inherited, SpanPlan

_WORD = "Retriever"


def plan(start: RunStart, inherited: Inherited, *_: object) -> SpanPlan:
    """Decide provider and retriever.

    The convention names the span after the data source, which LangChain does not report.
    """
    attributes: dict[str, Any] = {semconv.OPERATION_NAME: semconv.RETRIEVAL, semconv.RUN_NAME: start.name}
    provider = start.metadata.get("ls_retriever_provider") or start.metadata.get("ls_vector_store_provider")
    # The convention's attribute names GenAI providers only; a store's own name goes under a key of ours.
    if isinstance(provider, str) and convention_name(provider) in GENAI_PROVIDERS:
        attributes[semconv.PROVIDER_NAME] = convention_name(provider)
    put_text(attributes, semconv.RETRIEVER_NAME, _name(start))
    if inherited.is_in_retrieval:
        attributes[semconv.RETRIEVER_INNER] = True
        return SpanPlan(semconv.RETRIEVAL, semconv.RETRIEVAL, attributes)
    return SpanPlan(semconv.RETRIEVAL, semconv.RETRIEVAL, attributes, replace(inherited, is_in_retrieval=True))


def _name(start: RunStart) -> str | None:
    """Return the class of the vector store or, without one, of the retriever.

    LangChain reports the retriever's class only as the run's default name, which a caller can replace. The name in the
    metadata is made of the class's: lower-case and without the suffix.
    """
    store = start.metadata.get("ls_vector_store_provider")
    if isinstance(store, str) and store:
        return store
    path = start.serialized.get("id")
    if isinstance(path, list) and path and isinstance(path[-1], str):
        return path[-1]
    reported = start.metadata.get("ls_retriever_name")
    if not isinstance(reported, str) or not reported:
        # Retrievers that report their runs themselves, such as ``EnsembleRetriever``, leave the metadata out.
        return start.name if start.name.isidentifier() and start.name.endswith(_WORD) else None
    return start.name if _reported_name(start.name) == reported else reported


def _reported_name(class_name: str) -> str:
    """Return what LangChain makes of a class's name in ``ls_retriever_name``."""
    if class_name.startswith(_WORD):
        return class_name.removeprefix(_WORD).lower()
    return class_name.removesuffix(_WORD).lower()


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
