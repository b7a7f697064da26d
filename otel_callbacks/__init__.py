"""OpenTelemetry tracing for LangChain and LangGraph."""

from otel_callbacks._mapping.cost import Price
from otel_callbacks._records import RunInfo
from otel_callbacks.config import Config
from otel_callbacks.control import capture, suppress
from otel_callbacks.handler import OTelCallbackHandler

__all__ = ["Config", "OTelCallbackHandler", "Price", "RunInfo", "capture", "suppress"]
