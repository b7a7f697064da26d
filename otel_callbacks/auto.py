"""The entry point of `opentelemetry-instrument`: traces LangChain and LangGraph without a change to the program.

Needs the extra ``auto``.
"""

import logging
from collections.abc import Collection
from typing import Any

import otel_callbacks

try:
    from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]
    from wrapt import when_imported
except ModuleNotFoundError as missing:
    _message = f"zero-code tracing needs: pip install 'otel-callbacks[auto]' (no module {missing.name})"
    raise ModuleNotFoundError(_message, name=missing.name) from None

logger = logging.getLogger("otel_callbacks")

_HOOKS = "langchain_core.tracers.context"
"""LangChain's module that takes hooks; its first run loads it."""


class OTelCallbacksInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Calls `otel_callbacks.instrument` once the program runs LangChain; other programs pay nothing.

    ``instrument()`` takes the options of `otel_callbacks.instrument`.
    """

    _options: dict[str, Any] | None = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return the instrumented package as a requirement."""
        return ("langchain-core >= 0.3.60, < 2",)

    def _instrument(self, **options: Any) -> None:
        self._options = options
        when_imported(_HOOKS)(lambda _: self._attach(options))

    def _uninstrument(self, **_: Any) -> None:
        if self._options is None:
            otel_callbacks.uninstrument()
        self._options = None

    def _attach(self, options: dict[str, Any]) -> None:
        # Uninstrumented, or instrumented with other options, before LangChain was loaded.
        if self._options is not options:
            return
        self._options = None
        try:
            otel_callbacks.instrument(**options)
        except Exception:  # runs inside an import of the application
            logger.exception("zero-code tracing of LangChain failed")
