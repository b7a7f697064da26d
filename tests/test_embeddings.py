"""Embeddings in spans: the wrapped object behaves as before."""

import copy
import pickle
import subprocess
import sys
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_openai import OpenAIEmbeddings

from otel_callbacks import Config, suppress, trace_embeddings
from otel_callbacks.semconv import DIALECTS
from tests.semconv.checker import Checker
from tests.semconv.otlp import documents
from tests.support.recorded_spans import RecordedSpans


class PlainEmbeddings(Embeddings):
    """Embeddings without pydantic, whose query calls its documents."""

    model = "plain-1"

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        if self.fails:
            raise ConnectionError("secret text")
        return [[0.0, 1.0, 2.0] for _ in texts]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def traced(telemetry: RecordedSpans, embeddings: Any, **options: Any) -> Any:
    """Return the embeddings, traced on the test's providers."""
    return trace_embeddings(
        embeddings,
        tracer_provider=telemetry.tracer_provider,
        meter_provider=telemetry.meter_provider,
        config=Config(**options),
    )


def _pickled(embeddings: Embeddings) -> Any:
    return pickle.loads(pickle.dumps(embeddings))  # noqa: S301 - our own


async def _use(embeddings: Embeddings, way: str) -> None:
    if way == "documents":
        embeddings.embed_documents(["a", "b"])
    elif way == "query":
        embeddings.embed_query("a")
    elif way == "async documents":
        await embeddings.aembed_documents(["a", "b"])
    else:
        await embeddings.aembed_query("a")


@pytest.mark.parametrize("way", ["documents", "query", "async documents", "async query"])
async def test_each_call_is_one_span_and_one_measurement(telemetry: RecordedSpans, way):
    """lc#11093: a call has model, provider, number of texts and dimension; nested calls are one call."""
    await _use(traced(telemetry, PlainEmbeddings()), way)
    span = telemetry.span("embeddings plain-1")
    assert span.kind.name == "CLIENT"
    assert dict(span.attributes) == {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.provider.name": "plain",
        "gen_ai.request.model": "plain-1",
        "langchain.embeddings.text_count": 2 if "documents" in way else 1,
        "gen_ai.embeddings.dimension.count": 3,
        "otel_callbacks.outcome": "ok",
    }
    assert telemetry.count("gen_ai.client.operation.duration", gen_ai__operation__name="embeddings") == 1


@pytest.mark.parametrize("dialect", ["py-1.3", "0.1.0"])
def test_telemetry_follows_the_conventions(telemetry: RecordedSpans, dialect):
    """The span and the measurement follow the conventions in both dialects."""
    traced(telemetry, PlainEmbeddings(), semconv=dialect).embed_query("x")
    checker = Checker({"py-1.3": "py-1.3b0"}.get(dialect, dialect))
    for document in documents(telemetry):
        checker.feed(document)
    assert checker.findings == []


def test_spans_are_below_the_retriever_that_embeds(telemetry: RecordedSpans):
    """oinf#2156: the query of a vector store is a child of the retrieval."""
    store = InMemoryVectorStore(traced(telemetry, DeterministicFakeEmbedding(size=8)))
    store.add_documents([Document("a")])
    store.as_retriever().invoke("b", {"callbacks": [telemetry.new_handler()]})
    assert telemetry.tree() == "embeddings\nretrieval\n  embeddings"


def test_failure_is_an_error_without_its_message(telemetry: RecordedSpans):
    """A failure's type is on span and metric, its message nowhere; the current span is the one from before."""
    with telemetry.tracer.start_as_current_span("app"):
        with pytest.raises(ConnectionError):
            traced(telemetry, PlainEmbeddings(fails=True)).embed_query("x")
        telemetry.tracer.start_span("after").end()
    span = telemetry.span("embeddings plain-1")
    assert span.status.description == span.attributes["error.type"] == "ConnectionError"
    assert "secret" not in repr(list(documents(telemetry)))
    assert telemetry.parent_name(telemetry.span("after")) == "app"
    assert telemetry.count("gen_ai.client.operation.duration", error__type="ConnectionError") == 1


def test_wrapped_object_is_of_its_class(telemetry: RecordedSpans):
    """A wrapped pydantic model with a client of its own keeps its fields, `isinstance` and class name."""
    plain = OpenAIEmbeddings(model="text-embedding-3-small", api_key="sk-none", base_url="http://localhost:9")
    wrapped = traced(telemetry, plain)
    assert isinstance(wrapped, OpenAIEmbeddings)
    assert type(wrapped).__name__ == "OpenAIEmbeddings"
    assert wrapped.model == "text-embedding-3-small"
    assert type(plain) is OpenAIEmbeddings
    assert trace_embeddings(wrapped) is wrapped


@pytest.mark.parametrize("make", [PlainEmbeddings, lambda: DeterministicFakeEmbedding(size=3)], ids=["plain", "model"])
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, _pickled], ids=["copy", "deepcopy", "pickle"])
def test_copies_and_pickles_are_traced(telemetry: RecordedSpans, make, duplicate, monkeypatch):
    """Copies and pickles report to the same providers, whatever the environment says by then."""
    plain = traced(telemetry, make())
    monkeypatch.setenv("OTEL_CALLBACKS_SEMCONV", "no such release")
    other = duplicate(plain)
    assert isinstance(other, Embeddings)
    assert len(other.embed_query("x")) == 3
    assert trace_embeddings(other) is other
    assert [span.attributes["gen_ai.operation.name"] for span in telemetry.spans] == ["embeddings"]


def test_pickle_reports_to_the_global_providers_of_another_process(telemetry: RecordedSpans):
    """A pickle keeps its dialect; its providers, which cannot travel, are replaced by the global ones."""
    data = pickle.dumps(traced(telemetry, DeterministicFakeEmbedding(size=3), semconv="py-1.3"))
    program = """
import pickle, sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

described = ConsoleSpanExporter(formatter=lambda span: f"{span.name} {span.instrumentation_scope.schema_url}; ")
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(described))
trace.set_tracer_provider(provider)
print(len(pickle.load(sys.stdin.buffer).embed_query("x")))
"""
    process = subprocess.run([sys.executable, "-c", program], input=data, capture_output=True, check=True)
    assert process.stdout.decode() == f"embeddings {DIALECTS['py-1.3'].schema_url}; 3\n"
    assert telemetry.spans == ()


def test_suppressed_calls_are_silent(telemetry: RecordedSpans):
    """`suppress` silences embeddings as it does runs."""
    with suppress():
        traced(telemetry, PlainEmbeddings()).embed_query("x")
    assert telemetry.spans == ()


def test_other_objects_are_refused():
    """Anything but embeddings is an error."""
    with pytest.raises(TypeError, match="must be a LangChain Embeddings object"):
        trace_embeddings(object())  # type: ignore[type-var]


class Odd(PlainEmbeddings):
    """Embeddings with more parameters than the interface, whose attributes raise."""

    __slots__ = ("key",)
    model = None

    def __init__(self) -> None:
        super().__init__()
        self.key = "k"

    @property
    def deployment(self) -> str:
        raise RuntimeError("not connected")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise KeyError(name)

    def embed_documents(self, texts: Any, chunk_size: int = 1) -> Any:
        return [[float(chunk_size), len(self.key)] for _ in texts]


class Lazy:
    """A result that raises when it is read."""

    def __getitem__(self, index: int) -> float:
        raise ValueError(index)


class HostileError(Exception):
    """An exception whose attributes raise."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


def test_more_arguments_and_any_iterable_are_passed_on(telemetry: RecordedSpans):
    """Arguments beyond the interface reach the class, and a generator is not consumed."""
    wrapped = traced(telemetry, DeterministicFakeEmbedding(size=2))
    assert len(wrapped.embed_documents(text for text in "ab")) == 2
    assert traced(telemetry, Odd()).embed_documents(["a"], chunk_size=3) == [[3.0, 1]]


def test_class_whose_attributes_raise_is_still_called(telemetry: RecordedSpans):
    """A call that cannot be traced is counted, and the application gets its answer."""
    assert traced(telemetry, Odd()).embed_query("x") == [1.0, 1]
    [point] = telemetry.points("otel_callbacks.errors")
    assert point.attributes["otel_callbacks.error.kind"] == "embeddings"


@pytest.mark.parametrize("kind", [Lazy, HostileError], ids=["result", "exception"])
def test_hostile_results_and_exceptions_reach_the_caller(telemetry: RecordedSpans, kind):
    """Results and exceptions reach the caller unchanged, and the span ends."""
    outcome = kind()

    class Returning(PlainEmbeddings):
        def embed_query(self, text: str) -> Any:
            if kind is HostileError:
                raise outcome
            return outcome

    try:
        received = traced(telemetry, Returning()).embed_query("x")
    except BaseException as error:  # noqa: BLE001 - compared below
        received = error
    is_same = received is outcome  # apart from `assert`, which would read hostile values
    assert is_same
    assert len(telemetry.spans) == 1


def test_values_in_slots_are_copied(telemetry: RecordedSpans):
    """A class may keep its values outside its dictionary."""
    assert copy.copy(traced(telemetry, Odd())).embed_documents(["a"]) == [[1.0, 1]]
