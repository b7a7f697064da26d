"""Runs whose end event never comes: cancelled, abandoned, forgotten. None vanishes, none is kept for ever.

No thread of our own: the end of a parent, the event loop, the next event and the interpreter's exit are the occasions.
"""

import atexit
import weakref
from asyncio import Task, _get_running_loop
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from otel_callbacks._mapping.records import Ending
from otel_callbacks._runs import end as _end
from otel_callbacks._runs.destination import Destination, Pipeline
from otel_callbacks._runs.owner import Owner
from otel_callbacks._runs.run import OpenRun, RunId
from otel_callbacks.config import Config

if TYPE_CHECKING:
    from collections.abc import Iterable

_ABANDONED = Ending("abandoned")
_SWEEPS_PER_TTL = 8
_MAX_SWEEP_INTERVAL_NS = 60_000_000_000


class Closing:
    """Closes runs of one handler's destinations without an end event of their own."""

    def __init__(self, config: Config, destination: Destination, owner: Owner) -> None:
        self._config = config
        self._owner = owner
        self._destination = destination
        self._ttl_ns = int(config.run_ttl_s * 1e9)
        self._sweep_interval_ns = min(self._ttl_ns // _SWEEPS_PER_TTL, _MAX_SWEEP_INTERVAL_NS)

    def when_due(self, pipeline: Pipeline) -> None:
        """Called at every start: close what has waited long enough. Next to free when nothing has."""
        table = pipeline.table
        if table.collected:
            self._close_collected(pipeline)
        now = perf_counter_ns()
        if table.orphans and table.orphans[0][0] <= now:
            self._close_orphans(pipeline, now)
        if now >= table.next_sweep_ns:
            self._close_idle(pipeline, now)

    def tend(self) -> None:
        """Close what is due on all destinations: when metrics are collected, and when the application asks."""
        for pipeline in self._destination.all():
            self.when_due(pipeline)

    def when_grace_is_over(self, pipeline: Pipeline) -> None:
        """Come back once the grace of orphans has passed, where there is a loop to ask."""
        loop = _get_running_loop()
        if loop is not None:
            loop.call_later(1.1 * _end.GRACE_NS / 1e9, self._close_orphans, pipeline)  # clocks of loops may be coarse

    def _close_orphans(self, pipeline: Pipeline, now: int | None = None) -> None:
        now = perf_counter_ns() if now is None else now
        orphans = pipeline.table.orphans
        while orphans and orphans[0][0] <= now:
            _, run = orphans.popleft()
            if run.parent_end is not None and run.parent_end[1] in {"cancelled", "error"}:
                self._close(pipeline, run, run.owner.cancelled, run.parent_end[0])

    def on_collected(self, run_id: "RunId | Any") -> None:
        """LangChain dropped the run's id, so the body is over without an end event.

        Runs inside the garbage collector, wherever that struck: it may only retire the span in the context and leave
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
                run_id.loop.call_soon_threadsafe(self.tend)
            except RuntimeError:  # the loop is closed
                return

    def _close_collected(self, pipeline: Pipeline) -> None:
        table = pipeline.table
        while table.collected:
            key, end_ns = table.collected.popleft()
            run = table.open.get(key)
            if run is not None and run.id() is None:
                self._close(pipeline, run, run.owner.cancelled, end_ns)

    def on_task_done(self, key: int, task: "Task[Any]") -> None:
        """The task a root run started in is over; only a cancelled one says that the run is over too."""
        if task.cancelled():
            found = self._destination.find(key)
            if found is not None:
                self._close(*found, self._owner.cancelled)

    def _close_idle(self, pipeline: Pipeline, now: int) -> None:
        table = pipeline.table
        table.next_sweep_ns = now + self._sweep_interval_ns
        runs = list(table.open.values())
        for run in runs:
            if run.active:
                run.active = False
                run.tree.idle_since = now
            if run.streamed:
                table.awaiting[run.id.key] = run
        self._evict(pipeline, [run for run in reversed(runs) if now - run.tree.idle_since > self._ttl_ns])

    def make_room(self, pipeline: Pipeline, newcomer: OpenRun) -> None:
        """Called with a run just opened over the bound: give up leaves of the trees that were idle longest.

        Down to nine tenths of the bound, so that the cost is shared by many starts.
        """
        table = pipeline.table
        bound = self._config.max_open_runs
        leaves = [run for run in list(table.open.values()) if not run.children and run is not newcomer]
        leaves.sort(key=lambda run: run.tree.idle_since)
        self._evict(pipeline, leaves[: len(table.open) - bound + bound // 10])

    def _evict(self, pipeline: Pipeline, runs: "Iterable[OpenRun]") -> None:
        for run in runs:
            pipeline.instruments.errors["evicted",] += 1
            self._close(pipeline, run, _ABANDONED)

    def close_all(self) -> None:
        """End what this handler has open."""
        for pipeline in self._destination.all():
            for run in reversed(list(pipeline.table.open.values())):
                if run.owner is self._owner:
                    self._close(pipeline, run, _ABANDONED)

    def _close(self, pipeline: Pipeline, run: OpenRun, ending: Ending, end_ns: int | None = None) -> None:
        """End a run without its own end event; a late one is then known as such."""
        if pipeline.table.leave(run):
            pipeline.table.remember_closed(run.id.key)
            if not run.dropped:
                self.finish(pipeline, run, ending, end_ns=end_ns)

    def finish(
        self,
        pipeline: Pipeline,
        run: OpenRun,
        ending: Ending,
        result: Any = None,
        error: BaseException | None = None,
        end_ns: int | None = None,
    ) -> None:
        """End a run that has left the table, and come back for what outlives it."""
        try:
            _end.finish(pipeline, run, ending, result, error, end_ns)
        finally:
            if run.children:
                self.when_grace_is_over(pipeline)


_at_exit: "weakref.WeakSet[Closing]" = weakref.WeakSet()


def close_at_exit(closing: Closing) -> None:
    """End open runs when the interpreter exits.

    Registered anew with each destination, so that it runs before the shutdown of the providers that were made earlier.
    """
    _at_exit.add(closing)
    atexit.unregister(_close_everything)
    atexit.register(_close_everything)


def _close_everything() -> None:
    for closing in list(_at_exit):
        closing.close_all()
