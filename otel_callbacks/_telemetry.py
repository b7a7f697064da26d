"""What `setup` gives to the application: flushing, and an end that does not take longer than it may."""

import atexit
import logging
import os
import signal
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, Final

from otel_callbacks._exporters import PerProcess
from otel_callbacks.handler import OTelCallbackHandler

logger = logging.getLogger("otel_callbacks")

EXIT_TIMEOUT_S: Final = 2.0
"""Seconds that the end of the program waits, at most, for what is still to be exported."""
_LATENESS_S: Final = 0.5
"""How late a thread may notice that its time is up."""


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
        if hasattr(os, "register_at_fork"):
            renew = weakref.WeakMethod(self._await_the_end)
            os.register_at_fork(after_in_child=lambda: (method := renew()) and method())
        atexit.register(self.shutdown)

    def _await_the_end(self) -> None:
        self._closers = [_Closer(provider) for provider in self._providers]

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


class _Closer(threading.Thread):
    """Shuts a provider down when asked; left behind when that takes too long.

    It waits from the beginning, because no thread can be started any more while Python exits.
    """

    def __init__(self, provider: Any) -> None:
        super().__init__(name="otel-callbacks-shutdown", daemon=True)
        self._provider = provider
        self.asked = threading.Event()
        self.closed = threading.Event()
        self.start()

    def run(self) -> None:
        self.asked.wait()
        self._provider.shutdown()
        self.closed.set()


def flush_on_sigterm(telemetry: Telemetry) -> None:
    """Export what there is when SIGTERM comes, then do what it did before."""
    before = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread() or before is None:
        logger.warning("flush_on_sigterm has no effect: setup() must run in the main thread of a Python program")
        return

    def on_sigterm(number: int, frame: FrameType | None) -> None:
        if callable(before):
            _in_time(telemetry.flush)
            before(number, frame)
        elif before is signal.SIG_IGN:
            _in_time(telemetry.flush)
        else:
            _in_time(telemetry.shutdown)
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, on_sigterm)


def _in_time(leave: Callable[[float], bool]) -> None:
    """In a thread, because the signal may have interrupted somebody who holds a lock that is needed now."""
    thread = threading.Thread(target=leave, args=(EXIT_TIMEOUT_S,), name="otel-callbacks-sigterm", daemon=True)
    with suppress(RuntimeError):  # Python is exiting already, and no thread can start
        thread.start()
        thread.join(EXIT_TIMEOUT_S + _LATENESS_S)
