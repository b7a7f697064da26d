"""Flushing providers within a time limit that holds even when an exporter hangs."""

import threading
import time
from typing import Any

from opentelemetry import _logs, metrics, trace


def flush(providers: tuple[Any, Any, Any], timeout_s: float) -> bool:
    """Flush a tracer, a meter and a logger provider (``None``: the global one) side by side.

    The SDK's batch processor does not keep to the timeout it is given, so each flush runs in a thread of its own that
    is left behind when time is up.

    Returns:
        True only if each provider said that everything left, in time.
    """
    tracer_provider, meter_provider, logger_provider = providers
    chosen = (
        tracer_provider or trace.get_tracer_provider(),
        meter_provider or metrics.get_meter_provider(),
        logger_provider or _logs.get_logger_provider(),
    )
    deadline = time.monotonic() + timeout_s
    flushes = [_Flush(provider, timeout_s) for provider in chosen if hasattr(provider, "force_flush")]
    for running in flushes:
        running.join(max(0.0, deadline - time.monotonic()))
    return all(running.done for running in flushes)


class _Flush(threading.Thread):
    def __init__(self, provider: Any, timeout_s: float) -> None:
        super().__init__(name="otel-callbacks-flush", daemon=True)
        self._provider = provider
        self._timeout_ms = max(1, int(timeout_s * 1000))
        self.done = False
        self.start()

    def run(self) -> None:
        try:
            self.done = self._provider.force_flush(self._timeout_ms) is not False
        except Exception:  # noqa: BLE001 - an exporter of the application; the answer is "not everything left"
            self.done = False
