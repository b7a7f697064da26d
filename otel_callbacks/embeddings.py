"""Spans and metrics for embeddings, which send no callbacks.

Source: the GenAI conventions' ``embeddings`` operation, and LangChain's ``Embeddings`` interface.
"""

import copy
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from langchain_core.embeddings import Embeddings
from opentelemetry import context as context_api
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context

from otel_callbacks import semconv
from otel_callbacks._mapping import error as errors
from otel_callbacks._mapping.provider import convention_name
from otel_callbacks._pipeline import Destination
from otel_callbacks.config import Config, sdk_disabled
from otel_callbacks.control import current
from otel_callbacks.semconv import DIALECTS

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

AnyEmbeddings = TypeVar("AnyEmbeddings", bound=Embeddings)

_MODEL_FIELDS = ("model", "model_name", "model_id", "deployment")
_CLASS_SUFFIX = "Embeddings"
_DESTINATION = "_otel_callbacks_destination"
_embedding: ContextVar[bool] = ContextVar("otel_callbacks.embedding", default=False)
"""Methods call each other: only the outermost call is one to the provider."""
_traced_classes: dict[type, type] = {}


def trace_embeddings(
    embeddings: AnyEmbeddings,
    *,
    tracer_provider: "TracerProvider | None" = None,
    meter_provider: "MeterProvider | None" = None,
    config: Config | None = None,
) -> AnyEmbeddings:
    """Give a copy of `embeddings` whose calls, sync and async, are ``embeddings`` spans and measurements.

    The copy is of the same class, as far as `isinstance` tells, and can be copied and pickled. Inside a traced run its
    spans are children of that run's.

    Args:
        embeddings: any LangChain embeddings.
        tracer_provider: where spans go; the global provider by default.
        meter_provider: where measurements go; the global provider by default.
        config: `semconv` is read; `Config.from_env()` by default.

    Raises:
        TypeError: `embeddings` is none.
    """
    if not isinstance(embeddings, Embeddings):
        raise TypeError(f"embeddings={embeddings!r}: must be LangChain Embeddings")
    if hasattr(embeddings, _DESTINATION):
        return embeddings
    traced = copy.copy(embeddings)
    dialect = DIALECTS[(config or Config.from_env()).semconv]
    # Past the checks of pydantic, whose models know no such field.
    object.__setattr__(traced, _DESTINATION, Destination(tracer_provider, meter_provider, dialect))
    object.__setattr__(traced, "__class__", _traced_class(type(embeddings)))
    return traced


def _traced_class(kind: type) -> type:
    known = _traced_classes.get(kind)
    if known is None:
        known = _traced_classes[kind] = type(kind.__name__, (kind,), _namespace(kind))
    return known


def _namespace(kind: Any) -> dict[str, Any]:
    """The methods of `Embeddings`, each in a span; no second base class, so that an object can change over to it."""

    def embed_documents(self: Any, texts: list[str]) -> Any:
        return _call(self, len(texts), lambda: kind.embed_documents(self, texts))

    def embed_query(self: Any, text: str) -> Any:
        return _call(self, 1, lambda: kind.embed_query(self, text))

    async def aembed_documents(self: Any, texts: list[str]) -> Any:
        return await _acall(self, len(texts), lambda: kind.aembed_documents(self, texts))

    async def aembed_query(self: Any, text: str) -> Any:
        return await _acall(self, 1, lambda: kind.aembed_query(self, text))

    return {
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
        "__slots__": (),
        "__copy__": lambda self: _again(self, copy.copy(_untraced(self))),
        "__deepcopy__": lambda self, memo=None: _again(self, copy.deepcopy(_untraced(self), memo)),
        "__reduce_ex__": lambda self, _: (trace_embeddings, (_untraced(self),)),
        "embed_documents": embed_documents,
        "embed_query": embed_query,
        "aembed_documents": aembed_documents,
        "aembed_query": aembed_query,
    }


def _untraced(traced: Any) -> Any:
    """The object as it was before, for copies and pickles: the traced class exists in this process only."""
    plain: Any = object.__new__(type(traced).__mro__[1])
    for name in ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__"):
        if hasattr(traced, name):
            value = getattr(traced, name)
            object.__setattr__(plain, name, dict(value) if name == "__dict__" else value)
    plain.__dict__.pop(_DESTINATION, None)
    return plain


def _again(traced: Any, plain: Any) -> Any:
    other = trace_embeddings(plain)
    object.__setattr__(other, _DESTINATION, getattr(traced, _DESTINATION))
    return other


def _call(traced: Any, count: int, embed: Callable[[], Any]) -> Any:
    if _is_silent():
        return embed()
    with _operation(traced, count) as put_result:
        result = embed()
        put_result(result)
        return result


async def _acall(traced: Any, count: int, embed: Callable[[], Awaitable[Any]]) -> Any:
    if _is_silent():
        return await embed()
    with _operation(traced, count) as put_result:
        result = await embed()
        put_result(result)
        return result


def _is_silent() -> bool:
    return _embedding.get() or current().suppressed or sdk_disabled()


@contextmanager
def _operation(traced: Any, count: int) -> Iterator[Callable[[Any], None]]:
    pipeline = getattr(traced, _DESTINATION).current()
    attributes = _attributes(traced)
    model = attributes.get(semconv.REQUEST_MODEL)
    title = f"{semconv.EMBEDDINGS} {model}" if model else semconv.EMBEDDINGS
    span = pipeline.tracer.start_span(title, kind=SpanKind.CLIENT, attributes=attributes)
    span.set_attribute(semconv.EMBEDDINGS_TEXT_COUNT, count)
    context = set_span_in_context(span)
    before, was = context_api.get_current(), _embedding.get()
    context_api.attach(context)
    _embedding.set(True)
    started = perf_counter()

    def put_result(vectors: Any) -> None:
        size = _dimension(vectors)
        if size:
            span.set_attribute(semconv.EMBEDDINGS_DIMENSION, size)

    try:
        yield put_result
    except BaseException as error:
        _fail(span, error, attributes)
        raise
    finally:
        _embedding.set(was)
        _restore(before, context)
        pipeline.instruments.duration(semconv.EMBEDDINGS, perf_counter() - started, attributes, context)
        span.set_attribute(semconv.OUTCOME, attributes.pop(semconv.OUTCOME, None) or _outcome_of(attributes))
        span.end()


def _restore(before: Context, ours: Context) -> None:
    """Without a token, which could fail where a framework goes on in another context."""
    if context_api.get_current() is ours:
        context_api.attach(before)


def _fail(span: Span, error: BaseException, attributes: dict[str, Any]) -> None:
    ending = errors.ending(error, cancel_is_error=False)
    if ending.error_type is None:
        attributes[semconv.OUTCOME] = ending.outcome
        return
    attributes[semconv.ERROR_TYPE] = ending.error_type
    span.set_attribute(semconv.ERROR_TYPE, ending.error_type)
    span.set_status(Status(StatusCode.ERROR, ending.error_type))
    event = {semconv.EXCEPTION_TYPE: ending.error_type, semconv.EXCEPTION_STACKTRACE: errors.stack(error)}
    span.add_event(semconv.EVENT_EXCEPTION, event)


def _outcome_of(attributes: dict[str, Any]) -> str:
    return "error" if semconv.ERROR_TYPE in attributes else "ok"


def _attributes(traced: Any) -> dict[str, Any]:
    kind = type(traced).__name__.removesuffix(_CLASS_SUFFIX)
    attributes = {semconv.OPERATION_NAME: semconv.EMBEDDINGS, semconv.PROVIDER_NAME: convention_name(kind or "unknown")}
    model = next((name for name in (getattr(traced, field, None) for field in _MODEL_FIELDS) if name), None)
    if isinstance(model, str):
        attributes[semconv.REQUEST_MODEL] = model
    return attributes


def _dimension(vectors: Any) -> int | None:
    """Numbers in a vector, or in the first of several."""
    try:
        first = vectors[0]
        return len(first) if hasattr(first, "__len__") else len(vectors)
    except (TypeError, IndexError, KeyError):
        return None
