"""The end of a program: shutting down providers and handling SIGTERM within a time limit that always holds."""

import logging
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, Final

logger = logging.getLogger("otel_callbacks")

EXIT_TIMEOUT_S: Final = 2.0
"""Longest time, in seconds, that the end of the program waits for what is still to be exported."""
_LATENESS_S: Final = 0.5
"""How late, in seconds, a thread may notice that its time is up."""

Export = Callable[[float], bool]
"""Exports within so many seconds; true only if everything was accepted."""


class ProviderShutdown(threading.Thread):
    """Shuts a provider down on request, and is left behind if that takes too long.

    The thread waits from the beginning, because none can be started any more while Python exits.
    """

    def __init__(self, provider: Any) -> None:
        super().__init__(name="otel-callbacks-shutdown", daemon=True)
        self._provider = provider
        self.requested = threading.Event()
        self.done = threading.Event()
        self.start()

    def run(self) -> None:
        self.requested.wait()
        self._provider.shutdown()
        self.done.set()


def export_on_sigterm(flush: Export, shutdown: Export) -> None:
    """Export on SIGTERM, then do what the signal did before.

    Args:
        flush: Called if the program may go on after the signal.
        shutdown: Called if the signal ends the program.
    """
    before = signal.getsignal(signal.SIGTERM)
    # `before` is None where C code installed the handler: it could not be called afterwards.
    if threading.current_thread() is not threading.main_thread() or before is None:
        logger.warning("flush_on_sigterm has no effect: setup() must run in the main thread of a Python program")
        return

    def on_sigterm(number: int, frame: FrameType | None) -> None:
        if callable(before):
            _in_time(flush)
            before(number, frame)
        elif before is signal.SIG_IGN:
            _in_time(flush)
        else:
            _in_time(shutdown)
            # End by the signal itself, so that the parent process sees the right status.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, on_sigterm)


def _in_time(export: Export) -> None:
    """Export in a thread, because the signal may have interrupted code that holds a lock needed now."""
    thread = threading.Thread(target=export, args=(EXIT_TIMEOUT_S,), name="otel-callbacks-sigterm", daemon=True)
    with suppress(RuntimeError):  # Python is exiting already, and no thread can start
        thread.start()
        thread.join(EXIT_TIMEOUT_S + _LATENESS_S)
