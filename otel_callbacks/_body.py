"""Where the body of a run executes, to know when code is no longer part of it although no end event came.

A cancelled model or retriever leaves its span current in its caller's task, and the consumer of a stream runs between
two chunks with the stream's span current. Both run in the thread and task in which the run started, but not below the
LangChain frame that started it.
"""

import asyncio
import sys
import threading
from asyncio import _get_running_loop
from types import CodeType, FrameType

_MANAGER = "langchain_core.callbacks.manager"
_MAX_HOOK_FRAMES = 16


class Body:
    """The thread, the task and the LangChain frame in which a run started.

    Holds no frame, so nothing is kept alive: a frame's id can be used again only after the run's id object is gone,
    and then the run is closed.
    """

    __slots__ = ("_code", "_frame", "_task", "_thread")

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._task = _current_task()
        frame = _caller_of_manager()
        self._frame = id(frame)
        self._code: CodeType | None = frame.f_code if frame is not None else None

    def is_left(self) -> bool:
        """Whether the calling code is where the run started, but not inside its body."""
        if self._code is None or threading.get_ident() != self._thread or _current_task() != self._task:
            return False
        frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the documented way to one's own stack
        while frame is not None:
            if id(frame) == self._frame and frame.f_code is self._code:
                return False
            frame = frame.f_back
        return True


def _current_task() -> int:
    loop = _get_running_loop()
    return id(asyncio.current_task(loop)) if loop is not None else 0


def _caller_of_manager() -> FrameType | None:
    """The frame that called LangChain's callback manager; ``None`` where the hook was called by hand."""
    globals_of_manager = getattr(sys.modules.get(_MANAGER), "__dict__", None)
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001
    inside = False
    for _ in range(_MAX_HOOK_FRAMES):
        if frame is None:
            return None
        if frame.f_globals is globals_of_manager:
            inside = True
        elif inside:
            return frame
        frame = frame.f_back
    return None
