"""Runs whose span starts late: whether it is needed shows at their first node, or at their end."""

from typing import Any

from otel_callbacks._mapping import chain
from otel_callbacks._runs.run import OpenRun
from otel_callbacks._spans.late import LateSpan
from otel_callbacks.types import OutcomeName


def settle(run: OpenRun, late: LateSpan, outcome: OutcomeName, result: Any, *, is_own_failure: bool) -> None:
    """Start the span of a run that ends, or give it up for good.

    Args:
        run: The run.
        late: Its span.
        outcome: How it ended.
        result: What it gave back.
        is_own_failure: Whether it ended with an exception that no run below has shown.
    """
    if late.is_started or _is_worth_showing(run, outcome, result, is_own_failure=is_own_failure):
        run.span = late.started()
        run.visible = run
    elif run.span is not None:
        hide(run)
    run.late = None


def _is_worth_showing(run: OpenRun, outcome: OutcomeName, result: Any, *, is_own_failure: bool) -> bool:
    if run.span is None:
        return outcome == "interrupted" or (is_own_failure and outcome in ("error", "cancelled"))
    # Runs that outlive it need its place in the tree.
    return outcome != "ok" or bool(run.children) or chain.changes_state(result)


def hide(run: OpenRun) -> None:
    """Let the next span above stand for the run, for those below it and where its own is current. It may still fail."""
    above = run.parent.visible if run.parent is not None else None
    start = run.late.replace(above.span if above is not None else None) if run.late is not None else None
    if start is None:
        return
    run.late = LateSpan(start)
    run.span, run.content, run.visible = None, None, above
    for below in run.descendants():
        if below.visible is run:
            below.visible = above
