"""Sets up OpenTelemetry for applications that have none: providers and exporters by the standard variables."""

import atexit
import logging
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Literal, NamedTuple

from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk.resources import Resource

from otel_callbacks import files as file_exporters
from otel_callbacks._process.forks import after_fork_in_child
from otel_callbacks._setup.addresses import public
from otel_callbacks._setup.builders import build_logger_provider, build_meter_provider, build_tracer_provider
from otel_callbacks._setup.exporters import (
    PROTOCOLS,
    PerProcess,
    Protocol,
    Signal,
    default_address,
    exporters_of,
    is_listening,
)
from otel_callbacks._setup.identity import resource
from otel_callbacks._setup.shutdown import EXIT_TIMEOUT_S, ProviderShutdown, export_on_sigterm
from otel_callbacks.config import Config, sdk_disabled
from otel_callbacks.console import ConsoleTree
from otel_callbacks.handler import OTelCallbackHandler

logger = logging.getLogger("otel_callbacks")


class Telemetry:
    """What `setup` created. As a context manager it shuts down at the end of the block.

    At the end of the program it shuts down by itself, waiting two seconds at most.

    Attributes:
        handler: The callback handler, on the global providers.
    """

    def __init__(self, handler: OTelCallbackHandler, providers: list[Any], exporters: list[Any]) -> None:
        self.handler = handler
        self._providers = providers
        self._counting = [exporter for exporter in exporters if isinstance(exporter, PerProcess)]
        self._await_the_end()
        # Threads do not survive a fork: each child needs its own.
        after_fork_in_child(self._await_the_end)
        atexit.register(self.shutdown)

    def _await_the_end(self) -> None:
        self._shutdowns = [ProviderShutdown(provider) for provider in self._providers]

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Export what is waiting. Return true only if everything was accepted within `timeout_s` seconds."""
        refused = self._refused()
        return self.handler.flush(timeout_s) and self._refused() == refused

    def shutdown(self, timeout_s: float = EXIT_TIMEOUT_S) -> bool:
        """End open runs as abandoned, export what is waiting, and shut down the providers that `setup` created.

        Returns:
            True only if everything was accepted within `timeout_s` seconds.
        """
        atexit.unregister(self.shutdown)
        self.handler.close()
        refused = self._refused()
        for shutdown in self._shutdowns:
            shutdown.requested.set()
        # One deadline for all of them, because their threads work at the same time.
        deadline = time.monotonic() + timeout_s
        is_done = all(shutdown.done.wait(max(0.0, deadline - time.monotonic())) for shutdown in self._shutdowns)
        self._providers = []  # nothing to wait for in children forked from now on
        if not is_done:
            logger.warning("the last telemetry did not leave within %s seconds", timeout_s)
        return is_done and self._refused() == refused

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

    The standard ``OTEL_*`` variables supply what no argument sets. Providers that are already set stay, with one
    warning. ``OTEL_SDK_DISABLED=true`` sets up nothing.

    OTLP goes to `endpoint`, to the address in the variables, or else to this machine. If nothing listens on this
    machine, one warning says so, and with `console` or `files` OTLP is left out.

    Args:
        service_name: ``service.name`` of all telemetry; wins over ``OTEL_SERVICE_NAME``.
        console: Draw each trace on stderr when its root ends; "live": on a terminal, each span when it ends.
        files: Folder for OTLP JSON lines, one file per signal, see `otel_callbacks.files`. Needs the extra ``files``.
        endpoint: Base address of an OTLP receiver, such as ``http://collector:4318``.
        protocol: "http/protobuf" or "grpc".
        config: Options of the handler; `Config.from_env()` by default.
        flush_on_sigterm: On SIGTERM, export what is waiting, then do what the signal did before.

    Raises:
        ValueError: An argument is invalid; the message names the valid values.
        ModuleNotFoundError: `files` is given without the extra ``files``.
        OSError: The folder `files` cannot be created.
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
    # All are built before any provider is set: an error leaves nothing half set up.
    exporters = {signal: _exporters_and_files(signal, files, endpoint, protocol, left_out) for signal in missing}
    providers = _install(exporters, resource(service_name), console)
    telemetry = Telemetry(handler, providers, [exporter for group in exporters.values() for exporter in group])
    if flush_on_sigterm:
        export_on_sigterm(telemetry.flush, telemetry.shutdown)
    return telemetry


def _check(console: object, endpoint: str | None, protocol: str | None) -> None:
    if console not in (True, False, "live"):
        raise ValueError(f"console={console!r}: must be True, False or 'live'")
    if endpoint is not None and "://" not in endpoint:
        raise ValueError(f"endpoint={public(endpoint)!r}: must be an address such as http://localhost:4318")
    if protocol is not None and protocol not in PROTOCOLS:
        raise ValueError(f"protocol={protocol!r}: must be one of {', '.join(PROTOCOLS)}")


def _missing_signals() -> list[Signal]:
    """Return the signals for which the application has set no provider; warn about the others."""
    # OpenTelemetry answers with a proxy until a provider is set; not all of the proxy classes are public.
    present = {
        signal: not type(kind.current()).__name__.lstrip("_").startswith("Proxy") for signal, kind in _KINDS.items()
    }
    if any(present.values()):
        kept = ", ".join(signal for signal, is_present in present.items() if is_present)
        logger.warning("setup() keeps the providers that are set already, and where they send: %s", kept)
    return [signal for signal, is_present in present.items() if not is_present]


def _silent_addresses(signals: list[Signal], protocol: Protocol | None, *, others: bool) -> set[str]:
    """Return default addresses where nothing listens, and warn.

    `others`: whether spans also go to the console, or all telemetry to files.
    """
    defaults = {address for signal in signals if (address := default_address(signal, protocol))}
    silent = {address for address in defaults if not is_listening(address)}
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
    """Build the exporters of one signal; some for metrics are complete readers."""
    exporters: list[Any] = []
    if files is not None:
        exporters.append(PerProcess(partial(_FILE_EXPORTERS[signal], files)))
    if endpoint or default_address(signal, protocol) not in left_out:
        exporters += exporters_of(signal, endpoint, protocol)
    return exporters


def _install(
    exporters: dict[Signal, list[Any]],
    resource: Resource,
    console: bool | Literal["live"],  # noqa: FBT001
) -> list[Any]:
    """Create the missing providers and set them as the global ones."""
    providers = []
    for signal, group in exporters.items():
        provider = _KINDS[signal].build(resource, group)
        if signal == "traces" and console:
            provider.add_span_processor(ConsoleTree(live=console == "live"))
        _KINDS[signal].install(provider)
        providers.append(provider)
    return providers


class _ProviderKind(NamedTuple):
    """How to find the provider of one signal, set it, and build it from a resource and exporters."""

    current: Callable[[], Any]
    install: Callable[[Any], None]
    build: Callable[[Resource, list[Any]], Any]


_KINDS: Final[dict[Signal, _ProviderKind]] = {
    "traces": _ProviderKind(trace.get_tracer_provider, trace.set_tracer_provider, build_tracer_provider),
    "metrics": _ProviderKind(metrics.get_meter_provider, metrics.set_meter_provider, build_meter_provider),
    "logs": _ProviderKind(_logs.get_logger_provider, _logs.set_logger_provider, build_logger_provider),
}
_FILE_EXPORTERS: Final[dict[Signal, Callable[..., Any]]] = {
    "traces": file_exporters.span_exporter,
    "metrics": file_exporters.metric_exporter,
    "logs": file_exporters.log_exporter,
}
