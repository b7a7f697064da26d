"""Work in several threads at the same time."""

import threading
from collections.abc import Callable
from typing import Any


def in_threads(number: int, work: Callable[[], Any]) -> None:
    """Call `work` in that many threads at the same time, and wait until all have ended."""
    threads = [threading.Thread(target=work) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
