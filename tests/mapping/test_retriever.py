import pytest

from otel_callbacks._mapping import retriever
from otel_callbacks._mapping.records import Inherited
from tests.mapping.records import start


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"ls_vector_store_provider": "FAISS"}, None),
        ({"ls_vector_store_provider": "InMemoryVectorStore"}, None),
        ({"ls_retriever_provider": "amazon_bedrock"}, "aws.bedrock"),
        ({"ls_retriever_provider": "vertexai"}, "gcp.vertex_ai"),
        ({}, None),
    ],
)
def test_provider_only_if_it_is_a_genai_service(metadata, expected):
    """Only a GenAI service is a retriever's provider; a vector store is not."""
    plan = retriever.plan(start("retriever", "R", metadata=metadata), Inherited())
    assert plan.attributes.get("gen_ai.provider.name") == expected


def test_span_is_named_after_the_operation_alone():
    """A retrieval's span has no data source in its name, as LangChain does not report one."""
    assert retriever.plan(start("retriever", "VectorStoreRetriever"), Inherited()).name == "retrieval"


def test_request_gives_store_and_embedding():
    """The names of vector store and embedding are exported under keys of our own."""
    out = {}
    metadata = {"ls_vector_store_provider": "FAISS", "ls_embedding_provider": "OpenAIEmbeddings"}
    retriever.request(start("retriever", "R", metadata=metadata), out)
    assert out == {"langchain.retriever.vector_store": "FAISS", "langchain.retriever.embedding": "OpenAIEmbeddings"}


@pytest.mark.parametrize(("documents", "expected"), [([1, 2], 2), ((), 0), (None, None), ("text", None)])
def test_response_counts_documents(documents, expected):
    """The number of documents is exported only if the result is a list or tuple."""
    out = {}
    retriever.response(documents, out)
    assert out.get("langchain.retriever.document_count") == expected


@pytest.mark.parametrize(
    ("name", "serialized", "metadata", "expected"),
    [
        (
            "VectorStoreRetriever",
            {},
            {"ls_vector_store_provider": "FAISS", "ls_retriever_name": "vectorstore"},
            "FAISS",
        ),
        ("for request 7", {}, {"ls_vector_store_provider": "FAISS", "ls_retriever_name": "vectorstore"}, "FAISS"),
        ("BM25Retriever", {}, {"ls_retriever_name": "bm25"}, "BM25Retriever"),
        ("RetrieverOfMine", {}, {"ls_retriever_name": "ofmine"}, "RetrieverOfMine"),
        ("for request 7", {}, {"ls_retriever_name": "bm25"}, "bm25"),
        ("for request 7", {"id": ["pkg", "BM25Retriever"]}, {}, "BM25Retriever"),
        ("EnsembleRetriever", {}, {}, "EnsembleRetriever"),
        ("for request 7", {}, {}, None),
        ("", {}, {}, None),
        ("R", {"id": "text"}, {"ls_retriever_name": 3, "ls_vector_store_provider": 4}, None),
    ],
)
def test_retriever_is_named_after_its_store_or_class(name, serialized, metadata, expected):
    """A retrieval has the class of its store, else of its retriever, but no name that a caller gave the run."""
    plan = retriever.plan(start("retriever", name, serialized=serialized, metadata=metadata), Inherited())
    assert plan.attributes.get("otel_callbacks.retriever.name") == expected


def test_retrieval_inside_another_is_inner():
    """A retrieval below another one is marked as inner, however deep it is, and the outer one is not."""
    outer = retriever.plan(start("retriever", "R"), Inherited(agent_name="guide"))
    inner = retriever.plan(start("retriever", "R"), outer.inherit)
    assert "otel_callbacks.retriever.inner" not in outer.attributes
    assert inner.attributes["otel_callbacks.retriever.inner"] is True
    assert outer.inherit.agent_name == "guide"
    assert inner.inherit is None
