"""Which run is the parent of one that starts: an open one, or one that has ended."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from opentelemetry.context import Context

from otel_callbacks._langchain.run_id import run_key
from otel_callbacks._runs.run import EndedRun, OpenRun
from otel_callbacks._runs.table import RunTable
from otel_callbacks._spans.current import executing_body

_CALL_WITHOUT_PARENT = frozenset({"chat", "llm", "retriever", "tool"})
"""Run types whose body may call models without saying that they are the parent."""


def parent_of(
    table: RunTable, parent_run_id: UUID | None, runnable_config: Mapping[str, Any] | None, current: Context
) -> OpenRun | EndedRun | None:
    """Return the parent of a run that starts; ``None`` for a root.

    Args:
        table: The table in which the run will be.
        parent_run_id: The parent that LangChain states.
        runnable_config: LangChain's configuration of the Runnable in whose body the run starts.
        current: The caller's context.
    """
    return _stated_parent(table, parent_run_id, runnable_config) or _unstated_parent(table, current)


def _stated_parent(
    table: RunTable, parent_run_id: UUID | None, runnable_config: Mapping[str, Any] | None
) -> OpenRun | EndedRun | None:
    """Return the parent LangChain states, unless its own context knows a run in between.

    ``with_fallbacks`` hands its own configuration to its alternatives, so they state its parent. They are recognised
    because they are called from the body of a child of that parent. A run whose start never reached us is no parent.

    Work that a run leaves behind (a task, a thread) states a parent that has ended. A run that states none is not
    below the ended run in whose context it starts: that may be the context of a worker that serves everybody.
    """
    enclosing = None
    if runnable_config is not None:
        enclosing_id = getattr(runnable_config.get("callbacks"), "parent_run_id", None)
        if enclosing_id is not None:
            try:  # costs UUIDs nothing, unlike a look at the type
                key = enclosing_id.int
            except AttributeError:
                key = run_key(enclosing_id)
            enclosing = table.open.get(key)
            if enclosing_id is parent_run_id:  # as nearly always
                return enclosing or table.ended(key)
    if parent_run_id is None:
        return enclosing
    key = run_key(parent_run_id)
    # A step whose inputs are deferred shares one context with its siblings, so its body proves nothing.
    if enclosing is not None and enclosing.parent_key() == key and not enclosing.deferred_inputs:
        return enclosing
    return table.open.get(key) or table.ended(key) or enclosing


def _unstated_parent(table: RunTable, current: Context) -> OpenRun | None:
    """Return the model, tool or retriever whose body makes calls that state no parent.

    Runs of one batch are excluded: they do not run in each other's body.
    """
    body = executing_body(current, table.context_key)
    run = table.open.get(body.key) if body is not None else None
    if run is None or run.body is not body or run.run_type not in _CALL_WITHOUT_PARENT or not run.single:
        return None
    return run
