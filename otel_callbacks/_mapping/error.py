"""What an exception means: failure, cancellation or control flow; its type, status code and stack."""

import re
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any

from otel_callbacks import semconv
from otel_callbacks._langchain.run_start import plain_text
from otel_callbacks._mapping.bounds import few, short
from otel_callbacks._mapping.records import Ending
from otel_callbacks.types import OutcomeName

if TYPE_CHECKING:
    from types import TracebackType

CONTROL_FLOW: frozenset[OutcomeName] = frozenset({"handed_off", "interrupted"})
"""Outcomes of exceptions by which LangGraph moves on; `control_flow` says where to."""
_MAX_FRAMES = 64
_SEPARATORS = re.compile(r"[\\/]")


def ending(error: BaseException, *, cancel_is_error: bool) -> Ending:
    """Return the outcome and `error.type` of a run that ended with `error`."""
    kind = type(error)
    # A class with a metaclass of its own may not be hashable.
    outcome, name = _judged(kind) if type(kind) is type else _judge(kind)
    if outcome == "error" or (outcome == "cancelled" and cancel_is_error):
        return Ending(outcome, name)
    return Ending(outcome)


def _judge(kind: type) -> tuple[OutcomeName, str]:
    """Return what a class means: its outcome, and its `error.type`."""
    return _outcome(kind), error_type(kind)


_judged: Callable[[type], tuple[OutcomeName, str]] = lru_cache(maxsize=256)(_judge)
"""The same, remembered: a failure passes through many runs, and a program has few classes."""


_OF_TEARDOWN = (
    "cannot reuse already awaited coroutine",
    "asynchronous generator is already running",
    "generator already executing",
    "generator ignored GeneratorExit",
)
"""How messages of Python's own end where a coroutine or generator is closed that still runs or has been taken apart."""


def is_from_teardown(error: BaseException) -> bool:
    """Tell whether Python itself raised `error` because it closed what was left of a cancelled body."""
    return type(error) is RuntimeError and bool(error.args) and str(error.args[0]).endswith(_OF_TEARDOWN)


def control_flow(error: BaseException, out: dict[str, Any]) -> None:
    """Write where a hand-off goes, or what an interrupt waits for, into `out`."""
    if _outcome(type(error)) == "handed_off":
        _put_target(error, out)
    else:
        _put_interrupts(error, out)


def _outcome(kind: type) -> OutcomeName:
    """Return the outcome by package and class: a user's class named like LangGraph's control flow stays an error."""
    known = (_OUTCOMES.get((_package(base), _class_name(base))) for base in _bases(kind))
    return next((outcome for outcome in known if outcome is not None), "error")


_OUTCOMES: Mapping[tuple[str, str], OutcomeName] = {
    ("langgraph", "ParentCommand"): "handed_off",
    ("langgraph", "GraphBubbleUp"): "interrupted",
    # Ended from outside
    ("asyncio", "CancelledError"): "cancelled",
    ("builtins", "GeneratorExit"): "cancelled",
    ("builtins", "KeyboardInterrupt"): "cancelled",
    ("builtins", "SystemExit"): "cancelled",
    ("concurrent", "CancelledError"): "cancelled",
    ("greenlet", "GreenletExit"): "cancelled",
    ("streamlit", "ScriptControlException"): "cancelled",
    ("trio", "Cancelled"): "cancelled",
}
"""By top-level package and class, as the modules inside a package move; subclasses count. All others are errors."""


def _put_target(error: BaseException, out: dict[str, Any]) -> None:
    """Put where a ``ParentCommand`` goes; a list of targets or ``Send`` objects is joined."""
    command = error.args[0] if error.args else None
    goto = getattr(command, "goto", None)
    targets = goto if isinstance(goto, (list, tuple)) else (goto,)
    names = [name for name in (getattr(target, "node", target) for target in targets) if isinstance(name, str)]
    if names:
        out[semconv.GRAPH_HANDOFF_TARGET] = short(",".join(few(names)))


def _put_interrupts(error: BaseException, out: dict[str, Any]) -> None:
    """Put what a ``GraphInterrupt`` waits for; LangGraph before 0.6 calls the id ``interrupt_id``."""
    interrupts = error.args[0] if error.args and isinstance(error.args[0], (list, tuple)) else ()
    ids = [getattr(interrupt, "id", None) or getattr(interrupt, "interrupt_id", None) for interrupt in interrupts]
    texts = [interrupt_id for interrupt_id in ids if isinstance(interrupt_id, str)]
    if texts:
        out[semconv.GRAPH_INTERRUPT_IDS] = few(texts)


def error_type(kind: type) -> str:
    """Return the class that tells which cure an exception needs.

    The exception's own, except for LangChain's wrappers: of those the class that all providers share, where a
    provider's says less, else the provider's own.
    """
    if not _is_of_langchain(kind):
        return full_name(kind)
    bases = _bases(kind)
    shared = (base for base in bases if _module(base) == _SHARED_MODULE and _class_name(base) in _SHARED)
    foreign = (base for base in bases if not _is_of_langchain(base) and _package(base) not in sys.stdlib_module_names)
    return full_name(next(chain(shared, foreign), kind))


_SHARED_MODULE = "langchain_core.exceptions"
_SHARED = frozenset({"ContextOverflowError", "OutputParserException"})
"""Classes that say more than those of providers and Python which they are mixed with."""


def full_name(kind: type) -> str:
    """Return the name of a class with its module, as ``exception.type`` has it; builtins have none."""
    module, name = _module(kind), _text(_qualname_of(kind))
    return short(name if module in {"builtins", ""} else f"{module}.{name}")


# Read past what a metaclass may put in the way: nothing of the application's runs, and nothing raises.
_bases: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
_qualname_of: Callable[[type], str] = type.__dict__["__qualname__"].__get__
_name_of: Callable[[type], str] = type.__dict__["__name__"].__get__
_module_of: Callable[[type], object] = type.__dict__["__module__"].__get__


def _module(kind: type) -> str:
    """Return the module that a class says it is from; it may say anything, or nothing."""
    try:
        return _text(_module_of(kind))
    except AttributeError:
        return ""


def _package(kind: type) -> str:
    return _module(kind).partition(".")[0]


def _class_name(kind: type) -> str:
    return _text(_name_of(kind))


def _text(value: Any) -> str:
    return plain_text(value) if issubclass(type(value), str) else ""


def _is_of_langchain(kind: type) -> bool:
    return _package(kind).startswith("langchain")


def status_code(error: BaseException) -> int | None:
    """Return the HTTP status that a provider's client put on the exception."""
    code = getattr(error, "status_code", None)
    return code if isinstance(code, int) and not isinstance(code, bool) and 100 <= code <= 599 else None  # noqa: PLR2004


def describe(error: BaseException, out: dict[str, Any]) -> None:
    """Write what an exception event says beside the message into `out`."""
    out[semconv.EXCEPTION_TYPE] = full_name(type(error))
    out[semconv.EXCEPTION_STACKTRACE] = stack(error)
    status = status_code(error)
    if status is not None:
        out[semconv.HTTP_STATUS_CODE] = status


def stack(error: BaseException) -> str:
    """Return the traceback as ``file:line:function`` lines, innermost last; neither messages nor source lines.

    Files are paths from their package on, such as ``langchain_core/runnables/base.py``.
    """
    lines: list[str] = []
    traceback: TracebackType | None = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        file = _path_in_package(code.co_filename, traceback.tb_frame.f_globals.get("__name__"))
        lines.append(f"{file}:{traceback.tb_lineno}:{code.co_name}")
        traceback = traceback.tb_next
    if len(lines) > _MAX_FRAMES:  # a runaway recursion has a thousand; its two ends say enough
        half = _MAX_FRAMES // 2
        lines[half:-half] = [f"... {len(lines) - _MAX_FRAMES} frames ..."]
    return "\n".join(lines)


@lru_cache(maxsize=1024)
def _path_in_package(file: str, module: object) -> str:
    """Return the end of a file's path that its module's name repeats: the folders above it may name a person."""
    parts = _SEPARATORS.split(file)
    folders = str(module).split(".")
    if not parts[-1].startswith("__init__."):
        folders.pop()
    is_in_package = folders and parts[-len(folders) - 1 : -1] == folders
    return "/".join(parts[-len(folders) - 1 :]) if is_in_package else parts[-1]
