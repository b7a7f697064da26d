"""Which run's body the calling code executes in, read from the Python stack.

The context alone cannot answer that: a cancelled model leaves its span current in its caller's task, the consumer of a
stream runs between two chunks with the stream's span current, and the steps of a streaming chain, which pull from one
another, share one context. The stack can: the frame in which LangChain started a run encloses the run's body.
"""

import asyncio
import sys
import threading
import weakref
from asyncio import _get_running_loop
from collections.abc import Callable
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import Span

if TYPE_CHECKING:
    from opentelemetry.context import Context

_MANAGER = "langchain_core.callbacks.manager"
_OWN_FRAMES = 7
"""How many frames above `_caller_of_manager` LangChain's callback manager is at the start of a run.

The frames between are our own, from the hook to `Body`, and skipped without a look. Whoever adds or removes a call
there changes this number; a test says so (`tests/life/test_own_frames.py`), because a number that is too large skips
the manager as well, and then no body is found.
"""
_EVENT_LOOP = "asyncio.events"
_MAX_HOOK_FRAMES = 12
_ASYNC = CO_COROUTINE | CO_ASYNC_GENERATOR
_GONE_BEFORE_THE_BODY = frozenset({"<listcomp>", "<genexpr>", "<dictcomp>", "_start", "_astart"})
"""Comprehensions, which have frames of their own before Python 3.12, and methods in which LangGraph starts a node."""


class Body:
    """What a run executes: the thread, the task and the frame it started in, and the span that stands for it.

    Holds no frame, so it keeps nothing alive. A frame's id can be reused only after LangChain has dropped the run's id
    object, and by then the run is closed.

    Args:
        key: The integer of the run's id.
        span: The run's span.
        tree: Stands for all runs below one root; compared by identity.
        bodies: All bodies of the run's table, by the id of the frame that encloses each.
        is_model: Whether the run is a model call.
    """

    __slots__ = (
        "before", "bodies", "code", "entered", "frame", "healing", "is_model", "key", "span", "task", "thread", "tree",
    )  # fmt: skip

    def __init__(self, key: int, span: Span, tree: object, bodies: "dict[int, Body]", is_model: bool) -> None:  # noqa: FBT001
        self.key = key
        self.span = span
        self.tree = tree
        self.bodies = bodies
        self.is_model = is_model
        self.entered: Context | None = None
        """The context the body runs in."""
        self.before: Context | None = None
        """The context to restore."""
        self.healing: Any = None
        """The `SelfHealingSpan` in `entered`."""
        self.thread = _current_thread()
        self.task = _current_task()
        frame = _caller_of_manager()
        self.frame = id(frame)
        self.code: CodeType | None = frame.f_code if frame is not None else None
        """The code of that frame; ``None`` where the frame is unknown."""

    def started_here(self) -> bool:
        """Tell whether the caller is in the thread and task in which the run started, and the run's frame is known."""
        return self.code is not None and _current_thread() is self.thread and _current_task() is self.task

    def started_with(self, other: "Body") -> bool:
        """Tell whether `started_here` is true wherever it is true of the other body."""
        return self.code is not None and self.thread is other.thread and self.task is other.task


def innermost(bodies: dict[int, Body]) -> Body | None:
    """Return the innermost of `bodies`, keyed by frame id, that executes the calling code.

    A task never continues a run that started outside all tasks: such frames lie below a nested event loop.
    """
    in_task = _current_task() is not None
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the documented way to one's own stack
    while frame is not None:
        body = bodies.get(id(frame))
        # The code is compared as well: another frame may have got the id of one that is gone.
        if body is not None and body.code is frame.f_code:
            return None if in_task and body.task is None else body
        frame = frame.f_back
    return None


def is_executing(body: Body) -> bool:
    """Tell whether the body executes, in any thread or task, or waits for something; true where it is unknown.

    A generator that has yielded, and that nobody asks for more, does not.
    """
    if body.code is None:
        return True
    if body.code.co_flags & _ASYNC:
        return body.task is not None and _is_running(body.task)
    return _is_on_a_stack(body.frame, body.code)


def caller_of(body: Body) -> Callable[[], bool]:
    """Return what tells later on whether the code that called the Runnable of `body` executes, or waits.

    Call this inside the body.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001
    while frame is not None and id(frame) != body.frame:
        frame = frame.f_back
    caller = frame.f_back if frame is not None else None
    if caller is None or caller.f_code.co_flags & _ASYNC:
        return lambda: is_executing(body)  # its caller is in the same task
    key, code = id(caller), caller.f_code
    return lambda: _is_on_a_stack(key, code)


def _is_running(reference: "weakref.ref[Any]") -> bool:
    task = reference()
    return isinstance(task, asyncio.Task) and not task.done()


def _is_on_a_stack(key: int, code: CodeType) -> bool:
    """Tell whether a frame executes in any thread."""
    for top in list(sys._current_frames().values()):  # noqa: SLF001 - documented as the way to all stacks
        frame: FrameType | None = top
        while frame is not None:
            if id(frame) == key and frame.f_code is code:
                return True
            frame = frame.f_back
    return False


# Ids of threads and tasks are reused as soon as these are over, and a run may outlive those in which it started.

_of_thread = threading.local()


def _current_thread() -> object:
    """Return what stands for the calling thread and for no later one."""
    try:
        return _of_thread.token
    except AttributeError:
        _of_thread.token = object()
        return _of_thread.token


def _current_task() -> "weakref.ref[Any] | None":
    """Return what stands for the calling task, or for the loop between tasks; ``None`` outside of both.

    A weak reference to one object is the same object for as long as somebody keeps it, so `is` compares tasks.
    """
    loop = _get_running_loop()
    return weakref.ref(asyncio.current_task(loop) or loop) if loop is not None else None


_globals_of_manager: dict[str, object] | None = None


def _find_globals() -> dict[str, object] | None:
    global _globals_of_manager  # noqa: PLW0603 - found once, read at every start
    _globals_of_manager = getattr(sys.modules.get(_MANAGER), "__dict__", None)
    return _globals_of_manager


def _caller_of_manager() -> FrameType | None:
    """Return the frame that called LangChain's callback manager.

    ``None`` where the hook was called by hand, or the manager by a task of its own: the frame below that one is the
    event loop's, and encloses no body.
    """
    globals_of_manager = _globals_of_manager or _find_globals()
    frame: FrameType | None = sys._getframe(_OWN_FRAMES)  # noqa: SLF001
    for _ in range(_MAX_HOOK_FRAMES):
        if frame is None or frame.f_globals is globals_of_manager:
            break
        frame = frame.f_back
    else:
        return None
    while frame is not None:
        if frame.f_globals is not globals_of_manager and frame.f_code.co_name not in _GONE_BEFORE_THE_BODY:
            return None if frame.f_globals.get("__name__") == _EVENT_LOOP else frame
        frame = frame.f_back
    return None
