"""Attempts: runs that do again what a sibling failed to do. Nothing numbers them but LangChain's ``with_retry``."""

from collections.abc import Sequence
from typing import Any

from otel_callbacks import semconv
from otel_callbacks._langchain.run_start import RunStart
from otel_callbacks._runs.run import OpenRun


class _Prompt:
    """The messages that a model got, and which model: the same objects again are a retry, equal ones are not.

    Holds the messages, as the identity of an object that is gone can come again.
    """

    __slots__ = ("_messages", "_model")

    def __init__(self, model: Any, messages: Sequence[Any]) -> None:
        self._model = model
        self._messages = tuple(messages)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Prompt)
            and self._model == other._model
            and len(self._messages) == len(other._messages)
            and all(one is another for one, another in zip(self._messages, other._messages, strict=True))
        )

    def __hash__(self) -> int:
        return hash((self._model, *map(id, self._messages)))


def number(run: OpenRun, start: RunStart) -> int | None:
    """Return the number of the attempt, from the second on; ``None`` where nothing shows that it is one."""
    if start.run_type == "chat" and type(start.inputs) is list:
        run.messages = start.inputs
    earlier = run.parent.attempts if run.parent is not None else None
    if earlier is None:
        return None
    call_id = start.params.get("tool_call_id") if start.run_type == "tool" else None
    failures = earlier.get(_what(run, call_id))
    return failures + 1 if failures else None


def note(run: OpenRun, *, failed: bool) -> None:
    """Note on the parent of an ended run what it attempted, and whether it failed."""
    what = _what(run, run.end_attributes.get(semconv.TOOL_CALL_ID))
    if run.parent is None or what is None:
        return
    if run.parent.attempts is None:
        run.parent.attempts = {}
    run.parent.attempts[what] = run.parent.attempts.get(what, 0) + failed


def _what(run: OpenRun, call_id: Any) -> Any:
    """Return what a run attempts, in a form that can be compared: a task, a tool call, or a model's prompt."""
    if run.task is not None:
        return run.task.name
    if run.run_type == "tool":
        return call_id if isinstance(call_id, str) else None
    return _Prompt(run.dimensions.get(semconv.REQUEST_MODEL), run.messages) if run.messages is not None else None
