"""Exporters as the standard environment variables choose them, by name, for one signal at a time."""

import logging
import os
import re
import socket
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Final, Literal, get_args
from urllib.parse import urlsplit

logger = logging.getLogger("otel_callbacks")

Signal = Literal["traces", "metrics", "logs"]
Protocol = Literal["http/protobuf", "grpc"]

PROTOCOLS: Final[tuple[Protocol, ...]] = get_args(Protocol)
DEFAULT_ADDRESSES: Final = {"http/protobuf": "http://localhost:4318", "grpc": "http://localhost:4317"}
"""Where OTLP goes by default."""

DEFAULT_BATCHES: Final = {
    "max_queue_size": 2048,
    "schedule_delay_millis": 5000,
    "max_export_batch_size": 512,
    "export_timeout_millis": 30_000,
}
"""The SDK's defaults for its batch processors, by argument; used if it rejects the values of its variables."""

_OTLP_NAMES: Final = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}
"""Names under which the OTLP packages register their exporters."""
# Enough for this machine, where a connection is accepted or refused at once.
_PROBE_S: Final = 0.2


class PerProcess:
    """An exporter that each forked child builds again: two processes on one connection would garble each other's data.

    Everything else is delegated to that exporter. It counts the batches that were refused.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self.refused = 0
        """Batches that the back end did not accept."""
        self._exporter, self._pid = make(), os.getpid()

    def export(self, batch: Any, *args: Any, **kwargs: Any) -> Any:
        """Export with this process's exporter."""
        self.refused += 1  # before the export, so that one that raises counts as refused
        result = self._own().export(batch, *args, **kwargs)
        if result.name == "SUCCESS":
            self.refused -= 1
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own(), name)

    def _own(self) -> Any:
        if self._pid != os.getpid():
            self._exporter, self._pid = self._make(), os.getpid()
        return self._exporter


def exporters_of(signal: Signal, endpoint: str | None, protocol: Protocol | None) -> list[Any]:
    """Build what ``OTEL_<SIGNAL>_EXPORTER`` names; OTLP if it is not set. Some packages register metric readers.

    An unknown name logs a warning that lists the installed ones; an exporter that rejects its variables logs one as
    well, and is left out.

    Args:
        signal: "traces", "metrics" or "logs".
        endpoint: Base address for OTLP. Default: as the variables say.
        protocol: How OTLP is sent. Default: as the variables say.
    """
    builders = [build for name in _names(signal) if (build := _builder(name, signal, endpoint, protocol))]
    return [exporter for build in builders if (exporter := _build_or_leave_out(signal, build)) is not None]


def _build_or_leave_out(signal: Signal, build: Callable[[], Any]) -> Any:
    try:
        return build()
    except Exception as error:  # noqa: BLE001 - an exporter may raise anything about its variables
        logger.warning("%s: an exporter is left out: %s: %s", signal, type(error).__name__, error)
        return None


def protocol_of(signal: Signal) -> Protocol:
    """Return how OTLP is sent, by the signal's variable, else the general one, else http/protobuf."""
    for variable in (f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        value = os.environ.get(variable, "").strip().lower()
        for protocol in PROTOCOLS:
            if value == protocol:
                return protocol
        if value:
            _warn_protocol(variable, value)
    return PROTOCOLS[0]


# Cached: all signals read the general variable, and one warning is enough.
@cache
def _warn_protocol(variable: str, value: str) -> None:
    logger.warning("%s=%r ignored: must be one of %s", variable, value, ", ".join(PROTOCOLS))


def default_address(signal: Signal, protocol: Protocol | None) -> str | None:
    """Return the address OTLP goes to by default; ``None`` if a variable sets the address or the exporter."""
    addresses = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT")
    if any(os.environ.get(variable) for variable in (*addresses, f"OTEL_{signal.upper()}_EXPORTER")):
        return None
    return DEFAULT_ADDRESSES[protocol or protocol_of(signal)]


def host_and_port(address: str) -> tuple[str, int]:
    """Return the host and the port of an address; by default the port of its scheme, or gRPC's where it has none.

    Raises:
        ValueError: The address has no valid host or port.
    """
    # Without the slashes, urlsplit takes host:port for a scheme and a path.
    parts = urlsplit(address if "://" in address else f"//{address}")
    return parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme, 4317)


def is_listening(address: str) -> bool:
    """Tell whether anything accepts connections at an address of this machine."""
    try:
        socket.create_connection(host_and_port(address), _PROBE_S).close()
    except OSError:
        return False
    return True


def http_address(base: str, signal: Signal) -> str:
    """Return one signal's address from a collector's base address, whose own signal path, if any, is cut off."""
    return re.sub(r"(/v1/(traces|metrics|logs))?/*$", f"/v1/{signal}", base, count=1)


def load(group: str, name: str, variable: str) -> Any:
    """Load what a package registered under a name. If none did, warn with the installed names and return ``None``."""
    from importlib.metadata import entry_points  # slow to load, and every command loads this module

    entries = entry_points(group=group)
    if name in entries.names:
        return entries[name].load()
    logger.warning("%s: %r is not installed; installed: %s", variable, name, ", ".join(sorted(entries.names)))
    return None


def _names(signal: Signal) -> list[str]:
    names = [name.strip() for name in os.environ.get(f"OTEL_{signal.upper()}_EXPORTER", "").split(",")]
    names = [name for name in names if name]
    return [] if "none" in names else names or ["otlp"]


def _builder(name: str, signal: Signal, endpoint: str | None, protocol: Protocol | None) -> Callable[[], Any] | None:
    registered = _OTLP_NAMES[protocol or protocol_of(signal)] if name == "otlp" else name
    make: Callable[..., Any] | None
    make = load(f"opentelemetry_{signal}_exporter", registered, f"OTEL_{signal.upper()}_EXPORTER")
    if make is None or registered not in _OTLP_NAMES.values():
        return make
    if endpoint is not None:
        is_http = registered == _OTLP_NAMES["http/protobuf"]
        make = partial(make, endpoint=http_address(endpoint, signal) if is_http else endpoint)
    return partial(PerProcess, make)
