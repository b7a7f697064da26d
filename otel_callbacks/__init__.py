"""OpenTelemetry tracing for LangChain and LangGraph."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otel_callbacks.config import Config
    from otel_callbacks.control import capture, context, suppress
    from otel_callbacks.embeddings import trace_embeddings
    from otel_callbacks.feedback import TraceRef, record_evaluation, trace_url
    from otel_callbacks.handler import OTelCallbackHandler
    from otel_callbacks.instrumentor import instrument, uninstrument
    from otel_callbacks.providers import Telemetry, setup
    from otel_callbacks.types import Price, RunInfo, RunSummary

__all__ = [
    "Config",
    "OTelCallbackHandler",
    "Price",
    "RunInfo",
    "RunSummary",
    "Telemetry",
    "TraceRef",
    "capture",
    "context",
    "instrument",
    "record_evaluation",
    "setup",
    "suppress",
    "trace_embeddings",
    "trace_url",
    "uninstrument",
]

_HOMES = {
    "Config": "config",
    "OTelCallbackHandler": "handler",
    "Price": "types",
    "RunInfo": "types",
    "RunSummary": "types",
    "Telemetry": "providers",
    "TraceRef": "feedback",
    "capture": "control",
    "context": "control",
    "instrument": "instrumentor",
    "record_evaluation": "feedback",
    "setup": "providers",
    "suppress": "control",
    "trace_embeddings": "embeddings",
    "trace_url": "feedback",
    "uninstrument": "instrumentor",
}


def __getattr__(name: str) -> Any:
    """Load a public name on first use, so that only programs that use the SDK or LangChain load them."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
