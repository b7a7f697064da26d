import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import InMemoryVectorStore

from tests.support.recorded_spans import RecordedSpans


def test_retriever_of_a_vector_store(telemetry: RecordedSpans):
    """A retrieval's span has its store, embedding class and number of documents; the query is content."""
    store = InMemoryVectorStore(DeterministicFakeEmbedding(size=4))
    store.add_texts(["cats purr", "dogs bark", "cows moo"])
    store.as_retriever(search_kwargs={"k": 2}).invoke("cats?", {"callbacks": [telemetry.new_handler()]})
    span = telemetry.span("retrieval")
    assert span.kind.name == "CLIENT"
    assert dict(span.attributes) == {
        "gen_ai.operation.name": "retrieval",
        "langchain.run.name": "VectorStoreRetriever",
        "langchain.retriever.vector_store": "InMemoryVectorStore",
        "langchain.retriever.embedding": "DeterministicFakeEmbedding",
        "langchain.retriever.document_count": 2,
        "langchain.tags": ("InMemoryVectorStore", "DeterministicFakeEmbedding"),
        "otel_callbacks.outcome": "ok",
    }


def test_failing_retriever(telemetry: RecordedSpans):
    """A failed retrieval is an error and has no number of documents."""

    class Gone(InMemoryVectorStore):
        def similarity_search(self, *args, **kwargs):
            raise ConnectionError("no")

    with pytest.raises(ConnectionError):
        Gone(DeterministicFakeEmbedding(size=4)).as_retriever().invoke("x", {"callbacks": [telemetry.new_handler()]})
    attributes = telemetry.span("retrieval").attributes
    assert attributes["error.type"] == "ConnectionError"
    assert "langchain.retriever.document_count" not in attributes
