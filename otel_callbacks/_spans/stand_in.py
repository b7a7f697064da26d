"""A span that stands for another one: for which, its subclasses say."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from opentelemetry import trace


class StandInSpan(trace.Span):
    """Passes on everything but the end of a span to the one it stands for."""

    @abstractmethod
    def _target(self) -> trace.Span:
        """Return the span it stands for now."""

    def get_span_context(self) -> trace.SpanContext:
        return self._target().get_span_context()

    def is_recording(self) -> bool:
        return self._target().is_recording()

    def set_attribute(self, key: str, value: Any) -> None:
        self._target().set_attribute(key, value)

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        self._target().set_attributes(attributes)

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        self._target().add_event(name, attributes, timestamp)

    def add_link(self, context: trace.SpanContext, attributes: Any = None) -> None:
        self._target().add_link(context, attributes)

    def update_name(self, name: str) -> None:
        self._target().update_name(name)

    def set_status(self, status: Any, description: str | None = None) -> None:
        self._target().set_status(status, description)

    def record_exception(self, exception: BaseException, *args: Any, **kwargs: Any) -> None:
        self._target().record_exception(exception, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        """Return what else a span of the SDK has (`name`, `attributes`, `parent`), for code that reads it."""
        return getattr(self._target(), name)
