"""Runs that never get an end event: cancelled, abandoned, forgotten. None vanishes, none is kept forever.

No thread does this: runs are closed when a parent ends, by the event loop, at the next event, and at exit.
"""

import asyncio
import atexit
import sys
import weakref
from asyncio import Task, _get_running_loop
from collections import deque
from math import inf
from time import perf_counter_ns
from typing import Any, TypeVar

from otel_callbacks._mapping.records import Ending
from otel_callbacks._runs import end as run_end
from otel_callbacks._runs.destination import Destination, Destinations
from otel_callbacks._runs.end import RunEnd
from otel_callbacks._runs.owner import Owner
from otel_callbacks._runs.run import FailedStep, OpenRun, RunId
from otel_callbacks._spans.body import caller_of, is_executing
from otel_callbacks._spans.current import forget

_T = TypeVar("_T")
MOST_AT_ONCE = 16
"""How many runs a start or a timer ends for others: the application waits for it."""

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
            if run.task is not None and end.ending.outcome == "error":
                self._await_end_of_graph(destination, run, end)
            if run.children:
                self._come_back()

    def close_due_at(self, destination: Destination, most: float = inf) -> int:
        """Close what has waited long enough; called at every start, and next to free when nothing has.

        Args:
            destination: Where.
            most: How many runs to look at. Callbacks leave the rest to later ones, to timers, and to the collection of
                metrics, so that none pays for all.

        Returns:
            How many it has looked at; `most` if there may be more.
        """
        table = destination.table
        now = perf_counter_ns()
        seen = 0
        if table.collected or table.orphans or table.failures or now >= table.next_sweep_ns:
            while seen < most and self._close_one(destination, now):
                seen += 1
        return seen

    def close_due(self) -> None:
        """Close what is due at all destinations: when metrics are collected, and when the application asks."""
        for destination in self._destinations.all():
            self.close_due_at(destination)

    def _on_timer(self) -> None:
        """Close some of what is due, and come back for the rest after the loop has served others."""
        seen = 0
        for destination in self._destinations.all():
            seen += self.close_due_at(destination, MOST_AT_ONCE - seen)
        if seen == MOST_AT_ONCE:
            asyncio.get_running_loop().call_soon(self._on_timer)

    def _come_back(self) -> None:
        """Have the event loop, if there is one, close what is not over after the grace."""
        loop = _get_running_loop()
        if loop is not None:
            delay_s = 1.1 * run_end.GRACE_NS / 1e9  # clocks of loops may be coarse
            loop.call_later(delay_s, self._on_timer)

    def _close_one(self, destination: Destination, now: int) -> bool:
        """Look at one run that may be due, and close it if it is; false if there is none."""
        return (
            self._close_collected(destination)
            or self._close_orphan(destination, now)
            or self._close_failed(destination, now)
            or self._close_idle(destination, now)
        )

    # Orphans: their parent has ended, and their own end is awaited for a moment

    def _close_orphan(self, destination: Destination, now: int) -> bool:
        run = _take_due(destination.table.orphans, now)
        # A parent that succeeded closes nothing: a task that it started may well go on (ADR 2).
        if run is not None and run.parent_end is not None and run.parent_end[1] in {"cancelled", "error"}:
            self._close(destination, run, run.owner.cancelled, run.parent_end[0])
        return run is not None

    # Failed: a step of a graph has failed, and nobody asks the graph's stream for more

    def _await_end_of_graph(self, destination: Destination, step: OpenRun, end: RunEnd) -> None:
        """Check later whether the graph of a failed step has ended, which mostly happens at once.

        A stream is suspended where it has yielded what the step had done. A consumer that has seen enough never has it
        raise the failure.
        """
        # Before Python 3.11 a graph's tasks do not show who waits for them: it might be LangGraph, to try again.
        is_caller_known = sys.version_info >= (3, 11) or step.id.loop is None
        if is_caller_known and step.parent is not None and step.ended_parent is None and step.body is not None:
            now = perf_counter_ns()
            failure = FailedStep(step.parent, end.ending, now, caller_of(step.body))
            destination.table.failures.append((now + run_end.GRACE_NS, failure))
            self._come_back()

    def _close_failed(self, destination: Destination, now: int) -> bool:
        table = destination.table
        failure = _take_due(table.failures, now)
        if failure is None:
            return False
        graph = failure.graph
        goes_on = graph.children or graph.tree.last_start_ns > failure.end_ns
        if goes_on or table.open.get(graph.id.key) is not graph:
            return True
        # LangGraph's ``RetryPolicy`` waits before it tries again, and saving a checkpoint may take a while.
        if failure.is_caller_executing() or graph.body is None or is_executing(graph.body):
            table.failures.append((now + max(run_end.GRACE_NS, 1), failure))
            self._come_back()
        else:
            self._close(destination, graph, failure.ending, failure.end_ns)
        return True

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
                run_id.loop.call_soon_threadsafe(self._on_timer)
            except RuntimeError:  # the loop is closed
                return

    def _close_collected(self, destination: Destination) -> bool:
        table = destination.table
        try:
            key, end_ns = table.collected.popleft()
        except IndexError:
            return False
        run = table.open.get(key)
        # The id is asked again: a new run may have the same one, as applications choose them.
        if run is not None and run.id() is None:
            self._close(destination, run, run.owner.cancelled, end_ns)
        return True

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

    def _close_idle(self, destination: Destination, now: int) -> bool:
        table = destination.table
        if now < table.next_sweep_ns:
            return False
        run = table.idlest()
        if run is None or now - run.tree.idle_since <= self._ttl_ns:
            table.next_sweep_ns = now + self._sweep_interval_ns
            table.await_chunks()
            return False
        self._evict(destination, run)
        return True

    def make_room(self, destination: Destination, newcomer: OpenRun, most: int) -> None:
        """Close what has been idle longest; called when a new run exceeds `max_open_runs`."""
        table = destination.table
        for _ in range(min(most, len(table.open) - self._owner.config.max_open_runs)):
            run = table.idlest(newcomer)
            if run is not None:
                self._evict(destination, run)

    def _evict(self, destination: Destination, run: OpenRun) -> None:
        tree, idle_since = run.tree, run.tree.idle_since
        if self._close(destination, run, _ABANDONED):
            tree.idle_since = idle_since
            destination.instruments.errors["evicted",] += 1
            run.parent = None  # or a chain that grows for ever would keep all its runs

    def close_all(self) -> None:
        """End what this handler has open."""
        for destination in self._destinations.all():
            # Newest first, so that children end before their parents and do not become orphans.
            for run in reversed(list(destination.table.open.values())):
                if run.owner is self._owner:
                    self._close(destination, run, _ABANDONED)
                    destination.table.forget_closed(run.id.key)  # what comes now is ignored, and compared with nothing

    def _close(self, destination: Destination, run: OpenRun, ending: Ending, end_ns: int | None = None) -> bool:
        """End a run without its own end event, so that a late one is recognised; false if it has left already."""
        if not destination.table.leave(run, is_event=ending is not _ABANDONED):
            return False
        if not run.suppressed:
            destination.table.remember_closed(run.id.key, ending.outcome)
            self.finish(destination, run, RunEnd(ending, at_ns=end_ns))
        if run.body is not None and run.body.healing is not None:
            forget(run.body.healing)
        return True


def _take_due(queue: deque[tuple[int, _T]], now: int) -> _T | None:
    """Take the first entry out of a queue if its time has come. Other threads take entries as well."""
    try:
        if queue[0][0] > now:
            return None
        due, entry = queue.popleft()
    except IndexError:
        return None
    if due <= now:
        return entry
    queue.appendleft((due, entry))  # another thread took the one that was due
    return None


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
