"""The SDK's providers, built as the standard variables say, each from a resource and its signal's exporters."""

import logging
import os
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider, TraceBasedExemplarFilter
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from otel_callbacks._setup.exporters import DEFAULT_BATCHES, load
from otel_callbacks._setup.identity import SystemIds
from otel_callbacks._setup.sampling import registered_sampler

logger = logging.getLogger("otel_callbacks")

_T = TypeVar("_T")
_DEFAULT_INTERVAL_MS: Final = 60_000


def build_tracer_provider(resource: Resource, exporters: list[Any]) -> TracerProvider:
    """Build the provider of spans, with a batch processor per exporter."""
    # Here and below without the SDK's hook at exit, which waits without a limit; `Telemetry.shutdown` has one.
    provider = TracerProvider(registered_sampler(), resource, shutdown_on_exit=False, id_generator=_ids())
    for exporter in exporters:
        provider.add_span_processor(_batch(BatchSpanProcessor, exporter, "OTEL_BSP_..."))
    return provider


def build_meter_provider(resource: Resource, exporters: list[Any]) -> MeterProvider:
    """Build the provider of metrics, with a reader per exporter; entries that are readers stay unchanged."""
    readers = [exporter if isinstance(exporter, MetricReader) else _reader(exporter) for exporter in exporters]
    make = partial(MeterProvider, readers, resource, shutdown_on_exit=False)
    return _or_default(make, "OTEL_METRICS_EXEMPLAR_FILTER", lambda: make(exemplar_filter=TraceBasedExemplarFilter()))


def _reader(exporter: Any) -> MetricReader:
    make = partial(PeriodicExportingMetricReader, exporter)
    return _or_default(make, "OTEL_METRIC_EXPORT_INTERVAL", lambda: make(export_interval_millis=_DEFAULT_INTERVAL_MS))


def build_logger_provider(resource: Resource, exporters: list[Any]) -> LoggerProvider:
    """Build the provider of log records, with a batch processor per exporter."""
    provider = LoggerProvider(resource, shutdown_on_exit=False)
    for exporter in exporters:
        provider.add_log_record_processor(_batch(BatchLogRecordProcessor, exporter, "OTEL_BLRP_..."))
    return provider


def _batch(processor: Callable[..., _T], exporter: Any, variables: str) -> _T:
    make = partial(processor, exporter)
    return _or_default(make, variables, lambda: make(**DEFAULT_BATCHES))


def _or_default(make: Callable[[], _T], variables: str, make_default: Callable[[], _T]) -> _T:
    """Build a component as the SDK's variables say, or with defaults: the SDK raises for some wrong values only."""
    try:
        return make()
    except ValueError as error:
        logger.warning("%s ignored: %s", variables, error)
        return make_default()


def _ids() -> Any:
    name = os.environ.get("OTEL_PYTHON_ID_GENERATOR", "").strip()
    make = None
    if name not in {"", "random"}:
        make = load("opentelemetry_id_generator", name, "OTEL_PYTHON_ID_GENERATOR")
    return (make or SystemIds)()
