"""Exporters as the standard environment variables choose them, by name, for one signal at a time."""

import logging
import os
import re
import socket
from collections.abc import Callable
from functools import cache, partial
from importlib.metadata import entry_points
from typing import Any, Final, Literal, get_args
from urllib.parse import urlsplit

logger = logging.getLogger("otel_callbacks")

Signal = Literal["traces", "metrics", "logs"]
Protocol = Literal["http/protobuf", "grpc"]

PROTOCOLS: Final[tuple[Protocol, ...]] = get_args(Protocol)
DEFAULT_ADDRESSES: Final = {"http/protobuf": "http://localhost:4318", "grpc": "http://localhost:4317"}
"""Where OTLP goes when nobody says."""

_OTLP_NAMES: Final = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}
"""Names under which the OTLP packages register their exporters."""
_PROBE_S: Final = 0.2


class PerProcess:
    """An exporter that each forked child makes anew: two processes on one connection would garble each other's data.

    Otherwise it is the exporter it makes. It counts the batches that were not taken.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self.refused = 0
        """Batches that the back end did not take."""
        self._exporter, self._pid = make(), os.getpid()

    def export(self, batch: Any, *args: Any, **kwargs: Any) -> Any:
        """Export with this process's exporter."""
        self.refused += 1
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

    An unknown name costs a warning that lists the known ones; an exporter that refuses its variables costs one, too.

    Args:
        signal: "traces", "metrics" or "logs".
        endpoint: Base address for OTLP; by default what the variables say.
        protocol: How OTLP is sent; by default what the variables say.
    """
    builders = [build for name in _names(signal) if (build := _builder(name, signal, endpoint, protocol))]
    return [built for build in builders if (built := _built_or_left_out(signal, build)) is not None]


def _built_or_left_out(signal: Signal, build: Callable[[], Any]) -> Any:
    try:
        return build()
    except Exception as error:  # noqa: BLE001 - whatever an exporter makes of its variables
        logger.warning("%s: an exporter is left out: %s: %s", signal, type(error).__name__, error)
        return None


def protocol_of(signal: Signal) -> Protocol:
    """How OTLP is sent: the signal's variable, else the general one, else http/protobuf."""
    for variable in (f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        value = os.environ.get(variable, "").strip().lower()
        for protocol in PROTOCOLS:
            if value == protocol:
                return protocol
        if value:
            _warn_protocol(variable, value)
    return PROTOCOLS[0]


@cache
def _warn_protocol(variable: str, value: str) -> None:
    logger.warning("%s=%r ignored: must be one of %s", variable, value, ", ".join(PROTOCOLS))


def default_address(signal: Signal, protocol: Protocol | None) -> str | None:
    """Give the address OTLP goes to because nobody chose one; ``None`` where a variable chose address or exporter."""
    chosen = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT")
    if any(os.environ.get(variable) for variable in (*chosen, f"OTEL_{signal.upper()}_EXPORTER")):
        return None
    return DEFAULT_ADDRESSES[protocol or protocol_of(signal)]


def host_and_port(address: str) -> tuple[str, int]:
    """Return the host and the port of an address; by default the port of its scheme, or gRPC's where it has none.

    Raises:
        ValueError: The address has no valid host or port.
    """
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
    """Give the address for one signal from a collector's base address; the path of a signal at its end is cut off."""
    return re.sub(r"(/v1/(traces|metrics|logs))?/*$", f"/v1/{signal}", base, count=1)


def load(group: str, name: str, variable: str) -> Any:
    """Load what a package registered under that name; ``None``, and a warning with the known names, if none did."""
    known = entry_points(group=group)
    if name in known.names:
        return known[name].load()
    logger.warning("%s: no %r here; installed are %s", variable, name, ", ".join(sorted(known.names)))
    return None


def _names(signal: Signal) -> list[str]:
    given = os.environ.get(f"OTEL_{signal.upper()}_EXPORTER", "").split(",")
    names = [name.strip() for name in given if name.strip()]
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
