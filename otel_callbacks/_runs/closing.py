"""Runs that never get an end event: cancelled, abandoned, forgotten. None vanishes, none is kept forever.

No thread does this: runs are closed when a parent ends, by the event loop, at the next event, and at exit.
"""

import asyncio
import atexit
import weakref
from asyncio import Task, _get_running_loop
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from otel_callbacks._mapping.records import Ending
from otel_callbacks._runs import end as run_end
from otel_callbacks._runs.destination import Destination, Destinations
from otel_callbacks._runs.end import RunEnd
from otel_callbacks._runs.owner import Owner
from otel_callbacks._runs.run import OpenRun, RunId

if TYPE_CHECKING:
    from collections.abc import Iterable

_ABANDONED = Ending("abandoned")
_SWEEPS_PER_TTL = 8
_MAX_SWEEP_INTERVAL_NS = 60_000_000_000


class Closing:
    """Finishes the runs of one handler, and closes those that get no end event of their own."""

    def __init__(self, destinations: Destinations, owner: Owner) -> None:
        self._destinations = destinations
        self._owner = owner
        self._ttl_ns = int(owner.config.run_ttl_s * 1e9)
        self._sweep_interval_ns = min(self._ttl_ns // _SWEEPS_PER_TTL, _MAX_SWEEP_INTERVAL_NS)

    def finish(self, destination: Destination, run: OpenRun, end: RunEnd) -> None:
        """Finish a run that has left the table, and check later for descendants that outlive it."""
        try:
            run_end.finish(destination, run, end)
        finally:  # Ctrl-C may strike in a subscriber
            if run.watched_task is not None:
                _unwatch_task(run)
            loop = _get_running_loop() if run.children else None
            if loop is not None:
                delay_s = 1.1 * run_end.GRACE_NS / 1e9  # clocks of loops may be coarse
                loop.call_later(delay_s, self._close_orphans, destination)

    def close_due_at(self, destination: Destination) -> None:
        """Close what has waited long enough; called at every start, and next to free when nothing has."""
        table = destination.table
        if table.collected:
            self._close_collected(destination)
        now = perf_counter_ns()
        if table.orphans and table.orphans[0][0] <= now:
            self._close_orphans(destination, now)
        if now >= table.next_sweep_ns:
            self._close_idle(destination, now)

    def close_due(self) -> None:
        """Close what is due at all destinations: when metrics are collected, and when the application asks."""
        for destination in self._destinations.all():
            self.close_due_at(destination)

    # Orphans: their parent has ended, and their own end is awaited for a moment

    def _close_orphans(self, destination: Destination, now: int | None = None) -> None:
        now = perf_counter_ns() if now is None else now
        orphans = destination.table.orphans
        while orphans and orphans[0][0] <= now:
            _, run = orphans.popleft()
            # A parent that succeeded closes nothing: a task that it started may well go on (ADR 2).
            if run.parent_end is not None and run.parent_end[1] in {"cancelled", "error"}:
                self._close(destination, run, run.owner.cancelled, run.parent_end[0])

    # Collected: LangChain has dropped the id of the run

    def on_collected(self, run_id: "RunId | Any") -> None:
        """Note that a run's body is over: LangChain has dropped the run's id, so there will be no end event.

        Called by the garbage collector at an arbitrary point. So it only retires the span in the context, and leaves
        the rest to the loop, or to the next occasion.
        """
        run = run_id.table.open.get(run_id.key)
        if run is None:
            return
        if run.body is not None and run.body.healing is not None:
            run.body.healing.retire()
        run_id.table.collected.append((run_id.key, perf_counter_ns()))
        if run_id.loop is not None:
            try:
                run_id.loop.call_soon_threadsafe(self.close_due)
            except RuntimeError:  # the loop is closed
                return

    def _close_collected(self, destination: Destination) -> None:
        table = destination.table
        while table.collected:
            key, end_ns = table.collected.popleft()
            run = table.open.get(key)
            # The id is asked again: a new run may have the same one, as applications choose them.
            if run is not None and run.id() is None:
                self._close(destination, run, run.owner.cancelled, end_ns)

    # Cancelled: the task in which a root started is over

    def watch_task(self, run: OpenRun) -> None:
        """Have a root run closed when its task is cancelled: there may be no other sign of it."""
        if run.id.loop is None:
            return
        task = asyncio.current_task(run.id.loop)
        if task is not None:
            key = run.id.key

            def on_done(task: "Task[Any]") -> None:
                self._on_task_done(key, task)

            task.add_done_callback(on_done)
            run.watched_task = weakref.ref(task), on_done  # weakly: a task's result may be what owns the run's id

    def _on_task_done(self, key: int, task: "Task[Any]") -> None:
        """Close the run if the task was cancelled; a task that ended otherwise says nothing about it."""
        if task.cancelled():
            entry = self._destinations.find(key)
            if entry is not None:
                self._close(*entry, self._owner.cancelled)

    # Abandoned: idle for too long, or too many

    def _close_idle(self, destination: Destination, now: int) -> None:
        table = destination.table
        table.next_sweep_ns = now + self._sweep_interval_ns
        runs = list(table.open.values())
        for run in runs:
            if run.active:
                run.active = False
                run.tree.idle_since = now
            if run.stream is not None:  # its next chunk will be a sign of life
                table.awaiting[run.id.key] = run
        self._evict(destination, [run for run in reversed(runs) if now - run.tree.idle_since > self._ttl_ns])

    def make_room(self, destination: Destination, newcomer: OpenRun) -> None:
        """Close leaves of the trees that were idle longest; called when a new run exceeds `max_open_runs`.

        Down to nine tenths of the bound, so that many starts share the cost.
        """
        table = destination.table
        bound = self._owner.config.max_open_runs
        leaves = [run for run in list(table.open.values()) if not run.children and run is not newcomer]
        leaves.sort(key=lambda run: run.tree.idle_since)
        self._evict(destination, leaves[: len(table.open) - bound + bound // 10])

    def _evict(self, destination: Destination, runs: "Iterable[OpenRun]") -> None:
        for run in runs:
            destination.instruments.errors["evicted",] += 1
            self._close(destination, run, _ABANDONED)

    def close_all(self) -> None:
        """End what this handler has open."""
        for destination in self._destinations.all():
            # Newest first, so that children end before their parents and do not become orphans.
            for run in reversed(list(destination.table.open.values())):
                if run.owner is self._owner:
                    self._close(destination, run, _ABANDONED)

    def _close(self, destination: Destination, run: OpenRun, ending: Ending, end_ns: int | None = None) -> None:
        """End a run without its own end event; a late one is then recognised."""
        if destination.table.leave(run) and not run.suppressed:
            destination.table.remember_closed(run.id.key, ending.outcome)
            self.finish(destination, run, RunEnd(ending, at_ns=end_ns))


def _unwatch_task(run: OpenRun) -> None:
    task, on_done = run.watched_task[0](), run.watched_task[1]
    if task is not None:
        task.remove_done_callback(on_done)


_at_exit: "weakref.WeakSet[Closing]" = weakref.WeakSet()


def close_at_exit(closing: Closing) -> None:
    """End open runs when the interpreter exits.

    Registered again for each destination, so that it runs before the shutdown of providers that were made earlier.
    """
    _at_exit.add(closing)
    atexit.unregister(_close_everything)
    atexit.register(_close_everything)


def _close_everything() -> None:
    for closing in list(_at_exit):
        closing.close_all()
