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
