"""What an exception means: failure, cancellation or control flow; its type, status code and stack."""

from typing import TYPE_CHECKING, Any

from otel_callbacks import semconv
from otel_callbacks._mapping.bounds import few, short
from otel_callbacks._mapping.records import Ending
from otel_callbacks.types import OutcomeName

if TYPE_CHECKING:
    from types import TracebackType

CONTROL_FLOW: frozenset[OutcomeName] = frozenset({"handed_off", "interrupted"})
"""Outcomes of exceptions by which LangGraph moves on; `control_flow` says where to."""
_MAX_FRAMES = 64


def ending(error: BaseException, *, cancel_is_error: bool) -> Ending:
    """Return the outcome and `error.type` of a run that ended with `error`."""
    outcome = _outcome(type(error))
    if outcome == "error" or (outcome == "cancelled" and cancel_is_error):
        return Ending(outcome, error_type(type(error)))
    return Ending(outcome)


def control_flow(error: BaseException, out: dict[str, Any]) -> None:
    """Write where a hand-off goes, or what an interrupt waits for, into `out`."""
    if _outcome(type(error)) == "handed_off":
        _put_target(error, out)
    else:
        _put_interrupts(error, out)


def _outcome(kind: type[BaseException]) -> OutcomeName:
    """Return the outcome by class and module: a user's class named like LangGraph's control flow stays an error."""
    for base in kind.__mro__:
        module, name = base.__module__, base.__name__
        if module.startswith("langgraph."):
            if name == "ParentCommand":
                return "handed_off"
            if name == "GraphBubbleUp":
                return "interrupted"
        elif (module, name) in _CANCELLATIONS:
            return "cancelled"
    return "error"


_CANCELLATIONS = frozenset(
    {
        ("asyncio.exceptions", "CancelledError"),
        ("builtins", "GeneratorExit"),
        ("concurrent.futures._base", "CancelledError"),
        ("builtins", "KeyboardInterrupt"),
    }
)


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


def error_type(kind: type[BaseException]) -> str:
    """Return the first class of the MRO outside LangChain, with its module: a provider's own class if there is one."""
    cause = next((base for base in kind.__mro__ if not base.__module__.startswith("langchain")), kind)
    if cause in {Exception, BaseException}:
        cause = kind
    return cause.__qualname__ if cause.__module__ == "builtins" else f"{cause.__module__}.{cause.__qualname__}"


def status_code(error: BaseException) -> int | None:
    """Return the HTTP status that a provider's client put on the exception."""
    code = getattr(error, "status_code", None)
    return code if isinstance(code, int) and not isinstance(code, bool) and 100 <= code <= 599 else None  # noqa: PLR2004


def describe(error: BaseException, out: dict[str, Any]) -> None:
    """Write what an exception event says beside type and message into `out`."""
    out[semconv.EXCEPTION_STACKTRACE] = stack(error)
    status = status_code(error)
    if status is not None:
        out[semconv.HTTP_STATUS_CODE] = status


def mark(error: BaseException) -> tuple[Any, ...]:
    """Return what identifies an exception without keeping it alive: its id, which may be reused, and its origin."""
    traceback = error.__traceback__
    # The innermost frame: the outer ones change while the exception passes through them.
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    place = (traceback.tb_frame.f_code, traceback.tb_lineno) if traceback is not None else ()
    return (id(error), *place)


def stack(error: BaseException) -> str:
    """Return the traceback as ``file:line:function`` lines, innermost last; neither messages nor source lines."""
    lines: list[str] = []
    traceback: TracebackType | None = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        lines.append(f"{code.co_filename}:{traceback.tb_lineno}:{code.co_name}")
        traceback = traceback.tb_next
    if len(lines) > _MAX_FRAMES:  # a runaway recursion has a thousand; its two ends say enough
        half = _MAX_FRAMES // 2
        lines[half:-half] = [f"... {len(lines) - _MAX_FRAMES} frames ..."]
    return "\n".join(lines)
