"""Traces every LangChain and LangGraph call of the process, through the hook LangChain has for that."""

import logging
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from otel_callbacks.config import Config
from otel_callbacks.handler import OTelCallbackHandler

if TYPE_CHECKING:
    from contextvars import ContextVar

    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

logger = logging.getLogger("otel_callbacks")


def instrument(
    *,
    tracer_provider: "TracerProvider | None" = None,
    meter_provider: "MeterProvider | None" = None,
    logger_provider: "LoggerProvider | None" = None,
    config: Config | None = None,
) -> OTelCallbackHandler:
    """Attach a handler to every LangChain and LangGraph call that starts from now on, in all threads and tasks.

    Passing the handler, or another one on the same providers, to a call as well does no harm: each run is told once.
    Where another instrumentation of LangChain is active, this one stays inactive, with one warning.

    Args:
        tracer_provider: Where spans go; the global provider by default, also one that is set later.
        meter_provider: Where measurements go; the global provider by default, likewise.
        logger_provider: Where events go; the global provider by default, likewise.
        config: Options; `Config.from_env()` by default.

    Returns:
        The handler. If there is one attached already, that one, with a warning.

    Raises:
        TypeError: `config` is not a `Config`.
    """
    if _everywhere.handler is not None:
        logger.warning("instrument(): already instrumented; call uninstrument() first to change options")
        return _everywhere.handler
    handler = OTelCallbackHandler(
        tracer_provider=tracer_provider, meter_provider=meter_provider, logger_provider=logger_provider, config=config
    )
    _everywhere.attach(handler)
    return handler


def uninstrument() -> None:
    """Leave alone every call that starts from now on. Runs that are open are told to their end."""
    _everywhere.handler = None


class _Everywhere:
    """Stands where LangChain's hook wants a `ContextVar`: a value that all threads see, and that can be taken back."""

    def __init__(self) -> None:
        self.handler: OTelCallbackHandler | None = None
        self._is_registered = False
        self._is_alone = False

    def attach(self, handler: OTelCallbackHandler) -> None:
        """Answer LangChain with `handler` from now on."""
        if not self._is_registered:
            from langchain_core.tracers.context import register_configure_hook

            register_configure_hook(cast("ContextVar[Any]", self), inheritable=True)
            self._is_registered = True
        self._is_alone = False
        self.handler = handler

    def get(self) -> OTelCallbackHandler | None:
        """What LangChain asks for whenever a run is about to start."""
        if self.handler is not None and not self._is_alone:
            self._make_sure_to_be_alone()
        return self.handler

    def _make_sure_to_be_alone(self) -> None:
        """Give way to others. Asked at the first run: the order in which instrumentations start is anybody's."""
        others = sorted(set(_other_instrumentations()))
        self._is_alone = not others
        if others:
            self.handler = None
            logger.warning("instrument(): inactive, because LangChain is instrumented by %s", ", ".join(others))


_everywhere = _Everywhere()


def _other_instrumentations() -> Iterator[str]:
    """Active OpenTelemetry instrumentations that name LangChain or LangGraph as what they are for."""
    module = sys.modules.get("opentelemetry.instrumentation.instrumentor")
    waiting = module.BaseInstrumentor.__subclasses__() if module is not None else []
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.startswith("otel_callbacks."):
            continue
        instance = kind.__new__(kind)  # the only one of its kind, without initialising it anew
        if instance.is_instrumented_by_opentelemetry and any(
            map(_is_langchain, instance.instrumentation_dependencies())
        ):
            yield f"{kind.__module__}.{kind.__qualname__}"


def _is_langchain(requirement: str) -> bool:
    return requirement.lower().startswith(("langchain", "langgraph"))
