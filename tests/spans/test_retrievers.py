import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
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
        "otel_callbacks.retriever.name": "InMemoryVectorStore",
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


class Both(BaseRetriever):
    """A retriever that asks two others, one of them inside a chain."""

    one: BaseRetriever
    two: BaseRetriever

    def _get_relevant_documents(self, query, *, run_manager):
        config = {"callbacks": run_manager.get_child()}
        chain = RunnableLambda(lambda text: text) | self.two
        return self.one.invoke(query, config) + chain.invoke(query, config)


def test_inner_retrievals_are_told_apart(telemetry: RecordedSpans):
    """Span and metric say which retriever it was, and which retrievals another retriever made."""
    store = InMemoryVectorStore(DeterministicFakeEmbedding(size=4))
    retriever = Both(one=store.as_retriever(), two=store.as_retriever())
    retriever.invoke("cats?", {"callbacks": [telemetry.new_handler()], "run_name": "for request 7"})
    names = {
        (span.attributes["otel_callbacks.retriever.name"], span.attributes.get("otel_callbacks.retriever.inner"))
        for span in telemetry.spans
        if span.name == "retrieval"
    }
    assert names == {("both", None), ("InMemoryVectorStore", True)}
    points = {
        (point.attributes["otel_callbacks.retriever.name"], point.attributes.get("otel_callbacks.retriever.inner")): (
            point.count
        )
        for point in telemetry.points("gen_ai.client.operation.duration")
    }
    assert points == {("both", None): 1, ("InMemoryVectorStore", True): 2}
