"""Spans and metrics for embeddings, for which LangChain sends no callbacks.

Source: the GenAI conventions' ``embeddings`` operation, and LangChain's ``Embeddings`` interface.
"""

import copy
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from weakref import WeakValueDictionary

from langchain_core.embeddings import Embeddings
from opentelemetry import context as context_api
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context

from otel_callbacks import semconv
from otel_callbacks._content.identities import Identities
from otel_callbacks._mapping import error as errors
from otel_callbacks._mapping.provider import convention_name
from otel_callbacks._runs.destination import Destination, Destinations
from otel_callbacks.config import Config, sdk_disabled
from otel_callbacks.control import current_block
from otel_callbacks.semconv import DIALECTS

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from otel_callbacks._content.redaction import Redactor

AnyEmbeddings = TypeVar("AnyEmbeddings", bound=Embeddings)

_MODEL_FIELDS = ("model", "model_name", "model_id", "deployment")
_CLASS_SUFFIX = "Embeddings"
_DESTINATION = "_otel_callbacks_destination"
_embedding: ContextVar[bool] = ContextVar("otel_callbacks.embedding", default=False)
"""Set during a call: methods call each other, and only the outermost is traced."""
_traced_classes: dict[type, type] = {}
_pickled_destinations: WeakValueDictionary[str, Destinations] = WeakValueDictionary()


def trace_embeddings(
    embeddings: AnyEmbeddings,
    *,
    tracer_provider: "TracerProvider | None" = None,
    meter_provider: "MeterProvider | None" = None,
    config: Config | None = None,
) -> AnyEmbeddings:
    """Return a copy of `embeddings` whose calls, sync and async, emit ``embeddings`` spans and measurements.

    The copy is an instance of the same class, as far as `isinstance` goes, and can be copied and pickled. Inside a
    traced run its spans are children of that run's span. A copy unpickled in the same process, or in one forked from
    it, reports to the same providers; in any other process, to the global ones there.

    Args:
        embeddings: Any LangChain embeddings.
        tracer_provider: Where spans go; the global provider by default.
        meter_provider: Where measurements go; the global provider by default.
        config: Only `semconv` is read; `Config.from_env()` by default.

    Raises:
        TypeError: `embeddings` is not a LangChain `Embeddings` object.
    """
    if not isinstance(embeddings, Embeddings):
        raise TypeError(f"embeddings={embeddings!r}: must be a LangChain Embeddings object")
    if type(embeddings) in _traced_classes.values():
        return embeddings
    dialect = DIALECTS[(config or Config.from_env()).semconv]
    traced: AnyEmbeddings = _traced(copy.copy(embeddings), Destinations(tracer_provider, meter_provider, dialect))
    return traced


def _traced(plain: Any, destination: Destinations) -> Any:
    """Make `plain` itself a traced object, bypassing pydantic, whose models lack the field."""
    object.__setattr__(plain, _DESTINATION, destination)
    object.__setattr__(plain, "__class__", _traced_class(type(plain)))
    return plain


def _traced_class(kind: type) -> type:
    traced_class = _traced_classes.get(kind)
    if traced_class is None:
        traced_class = _traced_classes[kind] = type(kind.__name__, (kind,), _namespace(kind))
    return traced_class


def _namespace(kind: Any) -> dict[str, Any]:
    """Return the methods of `Embeddings`, each in a span; no second base class, or objects could not change to it."""

    def embed_documents(self: Any, texts: Any, *args: Any, **kwargs: Any) -> Any:
        return _call(self, texts, lambda: kind.embed_documents(self, texts, *args, **kwargs))

    def embed_query(self: Any, text: Any, *args: Any, **kwargs: Any) -> Any:
        return _call(self, (text,), lambda: kind.embed_query(self, text, *args, **kwargs))

    async def aembed_documents(self: Any, texts: Any, *args: Any, **kwargs: Any) -> Any:
        return await _acall(self, texts, lambda: kind.aembed_documents(self, texts, *args, **kwargs))

    async def aembed_query(self: Any, text: Any, *args: Any, **kwargs: Any) -> Any:
        return await _acall(self, (text,), lambda: kind.aembed_query(self, text, *args, **kwargs))

    return {
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
        "__slots__": (),  # with another layout, Python would not let an object change its class
        "__copy__": lambda self: _traced(copy.copy(_untraced(self)), _destination(self)),
        "__deepcopy__": lambda self, memo=None: _traced(copy.deepcopy(_untraced(self), memo), _destination(self)),
        "__reduce_ex__": lambda self, _: (_unpickled, (_untraced(self), *_pickled(_destination(self)))),
        "embed_documents": embed_documents,
        "embed_query": embed_query,
        "aembed_documents": aembed_documents,
        "aembed_query": aembed_query,
    }


def _untraced(traced: Any) -> Any:
    """Return an untraced copy, for copies and pickles: the traced class exists in this process only."""
    plain: Any = object.__new__(type(traced).__mro__[1])
    plain.__dict__.update(traced.__dict__)
    for name in _slots(type(plain)):
        if hasattr(traced, name):
            object.__setattr__(plain, name, getattr(traced, name))
    plain.__dict__.pop(_DESTINATION, None)
    return plain


def _slots(kind: type) -> Iterator[str]:
    """Yield the names under which a class keeps values outside its dictionary, pydantic's own among them."""
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in {"__dict__", "__weakref__"}:
                hidden = name.startswith("__") and not name.endswith("__")
                yield f"_{base.__name__.lstrip('_')}{name}" if hidden else name


def _destination(traced: Any) -> Destinations:
    destination: Destinations = traced.__dict__[_DESTINATION]
    return destination


def _pickled(destination: Destinations) -> tuple[str, str]:
    """Return a key to find the providers again, and the dialect: providers hold threads and cannot be pickled."""
    _pickled_destinations[destination.key] = destination
    return destination.key, destination.dialect.name


def _unpickled(plain: Any, key: str, dialect: str) -> Any:
    return _traced(plain, _pickled_destinations.get(key) or Destinations(None, None, DIALECTS[dialect]))


def _call(traced: Any, texts: Any, embed: Callable[[], Any]) -> Any:
    call = None if _is_silent() else _begin(traced, texts)
    try:
        result = embed()
    except BaseException as error:  # also cancellation and Ctrl-C: the span must end
        _end(call, error=error)
        raise
    _end(call, result=result)
    return result


async def _acall(traced: Any, texts: Any, embed: Callable[[], Awaitable[Any]]) -> Any:
    call = None if _is_silent() else _begin(traced, texts)
    try:
        result = await embed()
    except BaseException as error:
        _end(call, error=error)
        raise
    _end(call, result=result)
    return result


def _is_silent() -> bool:
    return _embedding.get() or current_block().suppressed or sdk_disabled()


class _OpenCall(NamedTuple):
    """A call that is being traced."""

    destination: Destination
    span: Span
    attributes: dict[str, Any]
    context: Context
    before: Context
    started: float


def _begin(traced: Any, texts: Any) -> _OpenCall | None:
    """Open the call's span. If that fails, count the failure and return ``None``: the call itself goes on."""
    destination: Destination = _destination(traced).current()
    try:
        attributes = _attributes(traced)
        _IDENTITIES.clean(attributes)
        model = attributes.get(semconv.REQUEST_MODEL)
        title = f"{semconv.EMBEDDINGS} {model}" if model else semconv.EMBEDDINGS
        span = destination.tracer.start_span(title, kind=SpanKind.CLIENT, attributes=attributes)
        if isinstance(texts, (list, tuple)):
            span.set_attribute(semconv.EMBEDDINGS_TEXT_COUNT, len(texts))
        before, context = context_api.get_current(), set_span_in_context(span)
        context_api.attach(context)
    except Exception as error:  # noqa: BLE001 - an application's class may raise anything when its attributes are read
        destination.failed("embeddings", error)
        return None
    _embedding.set(True)
    return _OpenCall(destination, span, attributes, context, before, perf_counter())


def _end(call: _OpenCall | None, *, result: Any = None, error: BaseException | None = None) -> None:
    if call is None:
        return
    seconds = perf_counter() - call.started
    _embedding.set(False)
    destination, span, attributes = call.destination, call.span, call.attributes
    try:
        # Without a token, which fails where a framework continues in another context.
        if context_api.get_current() is call.context:
            context_api.attach(call.before)
        size = _dimension(result) if error is None else None
        if size:
            span.set_attribute(semconv.EMBEDDINGS_DIMENSION, size)
        outcome = "ok" if error is None else _fail(span, error, attributes)
        span.set_attribute(semconv.OUTCOME, outcome)
        destination.instruments.duration(semconv.EMBEDDINGS, seconds, attributes, call.context)
    except Exception as failure:  # noqa: BLE001 - hostile results and exceptions, span processors
        destination.failed("embeddings", failure)
    finally:
        span.end()


def _fail(span: Span, error: BaseException, attributes: dict[str, Any]) -> str:
    """Record the failure on the span and for the measurement, and return the outcome."""
    ending = errors.ending(error, cancel_is_error=False)
    if ending.error_type is None:
        attributes[semconv.OUTCOME] = ending.outcome
        return ending.outcome
    attributes[semconv.ERROR_TYPE] = ending.error_type
    span.set_attribute(semconv.ERROR_TYPE, ending.error_type)
    span.set_status(Status(StatusCode.ERROR, ending.error_type))
    event = {semconv.EXCEPTION_TYPE: errors.full_name(type(error)), semconv.EXCEPTION_STACKTRACE: errors.stack(error)}
    span.add_event(semconv.EVENT_EXCEPTION, event)
    return ending.outcome


def _load_redactor() -> "Redactor":
    from otel_callbacks._content.redaction import Redactor

    return Redactor()


_IDENTITIES = Identities(_load_redactor)


def _attributes(traced: Any) -> dict[str, Any]:
    provider = convention_name(type(traced).__name__.removesuffix(_CLASS_SUFFIX) or semconv.UNKNOWN_PROVIDER)
    attributes = {semconv.OPERATION_NAME: semconv.EMBEDDINGS, semconv.PROVIDER_NAME: provider}
    model = next((name for name in (getattr(traced, field, None) for field in _MODEL_FIELDS) if name), None)
    if isinstance(model, str):
        attributes[semconv.REQUEST_MODEL] = model
    return attributes


def _dimension(vectors: Any) -> int | None:
    """Return how many numbers a vector has, or the first of several vectors."""
    try:
        first = vectors[0]
        return len(first) if hasattr(first, "__len__") else len(vectors)
    except (TypeError, IndexError, KeyError):
        return None
