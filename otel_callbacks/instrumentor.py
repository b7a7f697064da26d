"""Traces every LangChain and LangGraph call of the process, through LangChain's own hook."""

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

    Passing the handler, or another one on the same providers, to a call as well does no harm: each run is recorded
    once. If another instrumentation of LangChain is active, this one stays inactive, with one warning.

    Args:
        tracer_provider: Where spans go; the global provider by default, even if it is set later.
        meter_provider: Where measurements go; the global provider by default, likewise.
        logger_provider: Where events go; the global provider by default, likewise.
        config: Options; `Config.from_env()` by default.

    Returns:
        The handler; if one is already attached, that one, with a warning.

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
    """Stop recording calls that start from now on. Open runs are recorded to their end."""
    _everywhere.handler = None


class _Everywhere:
    """Stands in for the `ContextVar` that LangChain's hook expects; all threads see its value until it is withdrawn."""

    def __init__(self) -> None:
        self.handler: OTelCallbackHandler | None = None
        self._is_registered = False
        self._is_alone = False

    def attach(self, handler: OTelCallbackHandler) -> None:
        """Hand `handler` to LangChain from now on."""
        if not self._is_registered:
            from langchain_core.tracers.context import register_configure_hook

            # Once and for good: LangChain cannot unregister a hook, so `get` returns None instead.
            register_configure_hook(cast("ContextVar[Any]", self), inheritable=True)
            self._is_registered = True
        self._is_alone = False
        self.handler = handler

    def get(self) -> OTelCallbackHandler | None:
        """Return the handler for a run that is about to start; called by LangChain."""
        if self.handler is not None and not self._is_alone:
            self._give_way_to_others()
        return self.handler

    def _give_way_to_others(self) -> None:
        """Detach if other instrumentations are active. Checked at the first run: they may start in any order."""
        others = sorted(set(_other_instrumentations()))
        self._is_alone = not others
        if others:
            self.handler = None
            logger.warning("instrument(): inactive, because LangChain is instrumented by %s", ", ".join(others))


_everywhere = _Everywhere()


def _other_instrumentations() -> Iterator[str]:
    """Yield active OpenTelemetry instrumentations whose declared target is LangChain or LangGraph."""
    module = sys.modules.get("opentelemetry.instrumentation.instrumentor")
    pending = module.BaseInstrumentor.__subclasses__() if module is not None else []
    while pending:
        kind = pending.pop()
        pending += kind.__subclasses__()
        if kind.__module__.startswith("otel_callbacks."):
            continue
        instance = kind.__new__(kind)  # a singleton: this returns it without initialising it again
        if instance.is_instrumented_by_opentelemetry and any(
            requirement.lower().startswith(("langchain", "langgraph"))
            for requirement in instance.instrumentation_dependencies()
        ):
            yield f"{kind.__module__}.{kind.__qualname__}"
