"""Sets up OpenTelemetry for applications that have none: providers and exporters by the standard variables."""

import atexit
import logging
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Literal, NamedTuple, TypeVar

from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider, TraceBasedExemplarFilter
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from otel_callbacks import files as file_exporters
from otel_callbacks._process.forks import after_fork_in_child
from otel_callbacks._setup.exporters import (
    PROTOCOLS,
    PerProcess,
    Protocol,
    Signal,
    default_address,
    exporters_of,
    is_listening,
    load,
)
from otel_callbacks._setup.identity import SystemIds, resource
from otel_callbacks._setup.sampling import registered_sampler
from otel_callbacks._setup.shutdown import EXIT_TIMEOUT_S, Closer, export_on_sigterm
from otel_callbacks.config import Config, sdk_disabled
from otel_callbacks.console import ConsoleTree
from otel_callbacks.handler import OTelCallbackHandler

logger = logging.getLogger("otel_callbacks")

_Made = TypeVar("_Made")
_DEFAULT_INTERVAL_MS: Final = 60_000
_DEFAULT_BATCHES: Final = {
    "max_queue_size": 2048,
    "schedule_delay_millis": 5000,
    "max_export_batch_size": 512,
    "export_timeout_millis": 30_000,
}
"""How batches leave where the SDK refuses the variables' values."""


class Telemetry:
    """What `setup` made. As a context manager it shuts down at the end of the block.

    At the end of the program it shuts down by itself, and waits two seconds at most.

    Attributes:
        handler: The callback handler, on the global providers.
    """

    def __init__(self, handler: OTelCallbackHandler, providers: list[Any], exporters: list[Any]) -> None:
        self.handler = handler
        self._providers = providers
        self._counting = [exporter for exporter in exporters if isinstance(exporter, PerProcess)]
        self._await_the_end()
        after_fork_in_child(self._await_the_end)
        atexit.register(self.shutdown)

    def _await_the_end(self) -> None:
        self._closers = [Closer(provider) for provider in self._providers]

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Export what there is now; true only if everything was taken within `timeout_s` seconds."""
        refused = self._refused()
        return self.handler.flush(timeout_s) and self._refused() == refused

    def shutdown(self, timeout_s: float = EXIT_TIMEOUT_S) -> bool:
        """End open runs as abandoned, export what there is, and shut down the providers that `setup` made.

        Returns:
            True only if everything was taken within `timeout_s` seconds.
        """
        atexit.unregister(self.shutdown)
        self.handler.close()
        refused = self._refused()
        for closer in self._closers:
            closer.asked.set()
        deadline = time.monotonic() + timeout_s
        is_closed = all(closer.closed.wait(max(0.0, deadline - time.monotonic())) for closer in self._closers)
        self._providers = []  # nothing to wait for in children forked from now on
        if not is_closed:
            logger.warning("the last telemetry did not leave within %s seconds", timeout_s)
        return is_closed and self._refused() == refused

    def _refused(self) -> int:
        return sum(exporter.refused for exporter in self._counting)

    def __enter__(self) -> "Telemetry":  # noqa: PYI034 - typing.Self needs Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()


def setup(
    service_name: str | None = None,
    *,
    console: bool | Literal["live"] = False,
    files: str | os.PathLike[str] | None = None,
    endpoint: str | None = None,
    protocol: Protocol | None = None,
    config: Config | None = None,
    flush_on_sigterm: bool = False,
) -> Telemetry:
    """Set up OpenTelemetry for an application that has not done so: global providers, exporters, and a handler.

    What is not given comes from the standard ``OTEL_*`` variables. Providers that are set already stay; one warning
    says so. ``OTEL_SDK_DISABLED=true`` sets up nothing.

    OTLP goes to `endpoint`, to what the variables name, or else to this machine. Where nothing listens there, one
    warning says so; with `console` or `files` OTLP is then left out.

    Args:
        service_name: ``service.name`` of all telemetry; wins over ``OTEL_SERVICE_NAME``.
        console: Draw each trace on stderr when its root ends; "live": on a terminal, each span when it ends.
        files: Folder for OTLP JSON lines, one file per signal, see `otel_callbacks.files`. Needs the extra ``files``.
        endpoint: Base address of an OTLP receiver, such as ``http://collector:4318``.
        protocol: "http/protobuf" or "grpc".
        config: Options of the handler; `Config.from_env()` by default.
        flush_on_sigterm: Export what there is when SIGTERM comes, then do what it did before.

    Raises:
        ValueError: a wrong value; the message names the good ones.
        ModuleNotFoundError: `files` without the extra ``files``.
        OSError: the folder `files` cannot be made.
    """
    _check(console, endpoint, protocol)
    handler = OTelCallbackHandler(config=config)
    if sdk_disabled():
        return Telemetry(handler, [], [])
    if os.environ.get("OTEL_CONFIG_FILE"):
        logger.warning("setup() does not read OTEL_CONFIG_FILE; `opentelemetry-instrument` does")
    missing = _missing_signals()
    others = bool(console) or files is not None
    silent = set() if endpoint else _silent_addresses(missing, protocol, others=others)
    left_out = silent if others else set()
    exporters = {signal: _exporters_and_files(signal, files, endpoint, protocol, left_out) for signal in missing}
    providers = _install(exporters, resource(service_name), console)
    telemetry = Telemetry(handler, providers, [one for several in exporters.values() for one in several])
    if flush_on_sigterm:
        export_on_sigterm(telemetry.flush, telemetry.shutdown)
    return telemetry


def _check(console: object, endpoint: str | None, protocol: str | None) -> None:
    if console not in (True, False, "live"):
        raise ValueError(f"console={console!r}: must be True, False or 'live'")
    if endpoint is not None and "://" not in endpoint:
        raise ValueError(f"endpoint={endpoint!r}: must be an address such as http://localhost:4318")
    if protocol is not None and protocol not in PROTOCOLS:
        raise ValueError(f"protocol={protocol!r}: must be one of {', '.join(PROTOCOLS)}")


def _missing_signals() -> list[Signal]:
    """Signals without a provider of the application's; says which ones have one."""
    present = {
        signal: not type(kind.current()).__name__.lstrip("_").startswith("Proxy") for signal, kind in _KINDS.items()
    }
    if any(present.values()):
        kept = ", ".join(signal for signal, is_present in present.items() if is_present)
        logger.warning("setup() keeps the providers that are set already, and where they send: %s", kept)
    return [signal for signal, is_present in present.items() if not is_present]


def _silent_addresses(signals: list[Signal], protocol: Protocol | None, *, others: bool) -> set[str]:
    """Addresses that nobody chose and where nobody listens. `others`: whether telemetry is shown or written as well."""
    unchosen = {address for signal in signals if (address := default_address(signal, protocol))}
    silent = {address for address in unchosen if not is_listening(address)}
    for address in sorted(silent):
        logger.warning("nothing listens at %s: %s", address, "no OTLP is sent" if others else "no telemetry leaves")
    return silent


def _exporters_and_files(
    signal: Signal,
    files: str | os.PathLike[str] | None,
    endpoint: str | None,
    protocol: Protocol | None,
    left_out: set[str],
) -> list[Any]:
    """Exporters of one signal; for metrics also whole readers."""
    built = []
    if files is not None:
        built.append(PerProcess(partial(_FILE_EXPORTERS[signal], files)))
    if endpoint or default_address(signal, protocol) not in left_out:
        built += exporters_of(signal, endpoint, protocol)
    return built


def _install(
    exporters: dict[Signal, list[Any]],
    resource: Resource,
    console: bool | Literal["live"],  # noqa: FBT001
) -> list[Any]:
    """Make the missing providers and make them the global ones."""
    providers = []
    for signal, several in exporters.items():
        provider = _KINDS[signal].build(resource, several)
        if signal == "traces" and console:
            provider.add_span_processor(ConsoleTree(live=console == "live"))
        _KINDS[signal].install(provider)
        providers.append(provider)
    return providers


def _tracer_provider(resource: Resource, exporters: list[Any]) -> TracerProvider:
    provider = TracerProvider(registered_sampler(), resource, shutdown_on_exit=False, id_generator=_ids())
    for exporter in exporters:
        provider.add_span_processor(_batch(BatchSpanProcessor, exporter, "OTEL_BSP_..."))
    return provider


def _meter_provider(resource: Resource, exporters: list[Any]) -> MeterProvider:
    readers = [made if isinstance(made, MetricReader) else _reader(made) for made in exporters]
    make = partial(MeterProvider, readers, resource, shutdown_on_exit=False)
    return _unless_refused(
        make, "OTEL_METRICS_EXEMPLAR_FILTER", lambda: make(exemplar_filter=TraceBasedExemplarFilter())
    )


def _reader(exporter: Any) -> MetricReader:
    make = partial(PeriodicExportingMetricReader, exporter)
    return _unless_refused(
        make, "OTEL_METRIC_EXPORT_INTERVAL", lambda: make(export_interval_millis=_DEFAULT_INTERVAL_MS)
    )


def _logger_provider(resource: Resource, exporters: list[Any]) -> LoggerProvider:
    provider = LoggerProvider(resource, shutdown_on_exit=False)
    for exporter in exporters:
        provider.add_log_record_processor(_batch(BatchLogRecordProcessor, exporter, "OTEL_BLRP_..."))
    return provider


def _batch(processor: Callable[..., _Made], exporter: Any, variables: str) -> _Made:
    make = partial(processor, exporter)
    return _unless_refused(make, variables, lambda: make(**_DEFAULT_BATCHES))


def _unless_refused(make: Callable[[], _Made], variables: str, make_default: Callable[[], _Made]) -> _Made:
    """What the SDK makes as its variables say; it raises for some wrong values, and passes over others."""
    try:
        return make()
    except ValueError as error:
        logger.warning("%s ignored: %s", variables, error)
        return make_default()


class _Kind(NamedTuple):
    """How the provider of one signal is found, made global, and built from a resource and exporters."""

    current: Callable[[], Any]
    install: Callable[[Any], None]
    build: Callable[[Resource, list[Any]], Any]


_KINDS: Final[dict[Signal, _Kind]] = {
    "traces": _Kind(trace.get_tracer_provider, trace.set_tracer_provider, _tracer_provider),
    "metrics": _Kind(metrics.get_meter_provider, metrics.set_meter_provider, _meter_provider),
    "logs": _Kind(_logs.get_logger_provider, _logs.set_logger_provider, _logger_provider),
}
_FILE_EXPORTERS: Final[dict[Signal, Callable[..., Any]]] = {
    "traces": file_exporters.span_exporter,
    "metrics": file_exporters.metric_exporter,
    "logs": file_exporters.log_exporter,
}


def _ids() -> Any:
    name = os.environ.get("OTEL_PYTHON_ID_GENERATOR", "").strip()
    make = None
    if name not in {"", "random"}:
        make = load("opentelemetry_id_generator", name, "OTEL_PYTHON_ID_GENERATOR")
    return (make or SystemIds)()
