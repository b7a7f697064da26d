"""OpenTelemetry tracing for LangChain and LangGraph."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otel_callbacks._records import Price, RunInfo
    from otel_callbacks._telemetry import Telemetry
    from otel_callbacks.config import Config
    from otel_callbacks.control import capture, suppress
    from otel_callbacks.handler import OTelCallbackHandler
    from otel_callbacks.instrumentor import instrument, uninstrument
    from otel_callbacks.providers import setup

__all__ = [
    "Config",
    "OTelCallbackHandler",
    "Price",
    "RunInfo",
    "Telemetry",
    "capture",
    "instrument",
    "setup",
    "suppress",
    "uninstrument",
]

_HOMES = {
    "Config": "config",
    "OTelCallbackHandler": "handler",
    "Price": "_records",
    "RunInfo": "_records",
    "Telemetry": "_telemetry",
    "capture": "control",
    "instrument": "instrumentor",
    "setup": "providers",
    "suppress": "control",
    "uninstrument": "instrumentor",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is asked for: nobody pays for the SDK or LangChain who does not use them."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
