"""A mixed load for minutes, with cancellations and abandonment: nothing stays open, no run gets lost, memory is flat.

usage: python -m benchmarks.soak [SECONDS]      default 180; exit code 1 if any of that does not hold
"""

import asyncio
import contextlib
import gc
import logging
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from langchain_core.runnables import RunnableConfig, RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from benchmarks import programs
from otel_callbacks import Config, OTelCallbackHandler
from otel_callbacks._runs.run import OpenRun, RunId
from otel_callbacks._spans.body import Body
from otel_callbacks._spans.current import SelfHealingSpan

TASKS = 8
THREADS = 4
ROWS = 12
"""Lines of figures that a soak prints."""
MEMORY_NEEDS_S = 60.0
"""Shorter soaks prove nothing about memory: caches are still being filled."""
ALLOWED_GROWTH = 1.1
_OWN = (OpenRun, SelfHealingSpan, RunId, Body)

QUESTION = {"question": "How is it?"}


class Tally(SpanExporter):
    """Counts spans by outcome."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Keep only the numbers."""
        for span in spans:
            self.outcomes[str((span.attributes or {}).get("otel_callbacks.outcome", "-"))] += 1
        return SpanExportResult.SUCCESS


class Row(NamedTuple):
    """The figures at one moment of the load."""

    seconds: float
    spans: int
    open_runs: int
    own_objects: int
    """Objects of the package that are alive: those of open runs, and a few per thread and task that contexts keep."""
    resident_mib: float


MODEL = programs.OfflineChat()
STREAMING = programs.StreamingChat(tokens=20)
CHAIN = programs.lcel()
STREAMING_CHAIN = programs.lcel(STREAMING)
CAREFUL = programs.OfflineChat(fails=True).with_fallbacks([MODEL])
PATIENT = programs.OfflineChat(fails=True).with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
AGENT = programs.agent()
GRAPH = programs.graph(5)
SILENT = programs.SilentChat()
SILENT_CHAIN = programs.lcel(SILENT)


# What tasks do


async def finish(call: RunnableConfig) -> None:
    """Run a chain, an agent and a graph to their end."""
    await CHAIN.ainvoke(QUESTION, call)
    await AGENT.ainvoke({"messages": [("user", "weather?")]}, call)
    await GRAPH.ainvoke({"count": 0}, call)


async def fan_out(call: RunnableConfig) -> None:
    """Run several at once, in a batch and in tasks."""
    await CHAIN.abatch([QUESTION] * 4, call)
    await asyncio.gather(*(CAREFUL.ainvoke("x", call) for _ in range(4)))


async def read_all(call: RunnableConfig) -> None:
    """Read a stream to its end."""
    async for _ in STREAMING_CHAIN.astream(QUESTION, call):
        pass


async def break_off(call: RunnableConfig) -> None:
    """Close a stream after its first chunk, and a stream of events."""
    streams: tuple[Any, ...] = (
        STREAMING.astream("x", call),
        STREAMING_CHAIN.astream_events(QUESTION, call, version="v2"),
    )
    for stream in streams:
        async for _ in stream:
            break
        await stream.aclose()


async def drop(call: RunnableConfig) -> None:
    """Drop a stream after its first chunk, without closing it."""
    async for _ in STREAMING_CHAIN.astream(QUESTION, call):
        return


async def cancel(call: RunnableConfig) -> None:
    """Cancel a call in its own task, early or late."""
    task = asyncio.ensure_future(random.choice([SILENT_CHAIN, AGENT]).ainvoke(QUESTION | {"messages": []}, call))  # noqa: S311
    for _ in range(random.randrange(40)):  # noqa: S311
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def time_out(call: RunnableConfig) -> None:
    """Time out a bare model call, in a task that goes on."""
    with contextlib.suppress(TimeoutError, asyncio.TimeoutError):
        await asyncio.wait_for(SILENT.ainvoke("x", call), 0.001)


# What threads do


def finish_in_thread(call: RunnableConfig) -> None:
    """Run a chain, an agent and a batch to their end."""
    CHAIN.invoke(QUESTION, call)
    AGENT.invoke({"messages": [("user", "weather?")]}, call)
    CHAIN.batch([QUESTION] * 4, call)


def fail(call: RunnableConfig) -> None:
    """Make runs that fail, fall back and are tried again."""
    CAREFUL.invoke("x", call)
    with contextlib.suppress(ConnectionError):
        PATIENT.invoke("x", call)


def leave_stream(call: RunnableConfig) -> None:
    """Read one stream, close one, and drop one."""
    list(STREAMING_CHAIN.stream(QUESTION, call))
    for _ in STREAMING.stream("x", call):
        break
    dropped = STREAMING_CHAIN.stream(QUESTION, call)
    next(dropped)


def pause_and_resume(call: RunnableConfig) -> None:
    """Run a graph that waits for a person, and resume it."""
    builder = StateGraph(programs.Count).add_node("ask", lambda _: {"count": interrupt("how many?")})
    program = builder.add_edge(START, "ask").compile(checkpointer=InMemorySaver(), name="approval")
    thread = {"thread_id": str(random.random())}  # noqa: S311
    call = RunnableConfig(callbacks=call["callbacks"], configurable=thread)
    program.invoke({"count": 0}, call)
    program.invoke(Command(resume=3), call)


def call_in_calls(call: RunnableConfig) -> None:
    """Run functions that call each other."""
    RunnableLambda(lambda text: CHAIN.invoke({"question": text})).invoke("x", call)
    programs.nested(10).invoke("x", call)


IN_TASKS: tuple[Callable[[RunnableConfig], Awaitable[None]], ...] = (
    finish, fan_out, read_all, break_off, drop, cancel, time_out
)  # fmt: skip
IN_THREADS: tuple[Callable[[RunnableConfig], None], ...] = (
    finish_in_thread, fail, leave_stream, pause_and_resume, call_in_calls
)  # fmt: skip


class Soak:
    """One soak. `seconds`: how long the load runs."""

    def __init__(self, seconds: float) -> None:
        self.tally = Tally()
        self.rows: list[Row] = []
        self.complaints: list[str] = []
        self._seconds = seconds
        self._tracer_provider = TracerProvider(shutdown_on_exit=False)
        self._tracer_provider.add_span_processor(SimpleSpanProcessor(self.tally))
        self._reader = InMemoryMetricReader()
        self._meter_provider = MeterProvider([self._reader], shutdown_on_exit=False)
        self.handler = self._new_handler()
        self._own_before = _own_objects()
        self._started = time.monotonic()

    def _new_handler(self) -> OTelCallbackHandler:
        return OTelCallbackHandler(
            tracer_provider=self._tracer_provider, meter_provider=self._meter_provider, config=Config(detail="all")
        )

    def run(self, show: Callable[[str], object] = print) -> list[str]:
        """Apply the load; return what did not hold, in words."""
        show("seconds      spans   open  objects  resident MiB")
        threads = [threading.Thread(target=self._in_thread) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        with self._no_log_of_contexts():
            asyncio.run(self._in_tasks(show))
            for thread in threads:
                thread.join()
        self._settle()
        self._note(show)
        self._judge()
        return self.complaints

    @property
    def _is_over(self) -> bool:
        return time.monotonic() - self._started > self._seconds

    def _call(self) -> RunnableConfig:
        return {"callbacks": [self.handler if random.random() < 0.9 else self._new_handler()]}  # noqa: PLR2004, S311

    def _in_thread(self) -> None:
        while not self._is_over:
            random.choice(IN_THREADS)(self._call())  # noqa: S311

    async def _in_tasks(self, show: Callable[[str], object]) -> None:
        async def work() -> None:
            while not self._is_over:
                await random.choice(IN_TASKS)(self._call())  # noqa: S311

        workers = [asyncio.ensure_future(work()) for _ in range(TASKS)]
        while not self._is_over:
            await asyncio.wait(workers, timeout=self._seconds / ROWS)
            self._note(show)
        await asyncio.gather(*workers)

    def _settle(self) -> None:
        """End what only the garbage collector or the next event ends; one may set free the other."""
        alive = -1
        while alive != (alive := _own_objects()):
            gc.collect()
            self.handler.flush()
            gc.collect()

    def _note(self, show: Callable[[str], object]) -> None:
        own = _own_objects() - self._own_before
        row = Row(
            time.monotonic() - self._started, self.tally.outcomes.total(), self.handler.open_runs, own, _resident_mib()
        )
        self.rows.append(row)
        show(f"{row.seconds:7.0f} {row.spans:10} {row.open_runs:6} {row.own_objects:8} {row.resident_mib:13.1f}")

    @contextlib.contextmanager
    def _no_log_of_contexts(self) -> Iterator[None]:
        catcher = logging.Handler()
        catcher.emit = lambda record: self.complaints.append(f"logged: {record.getMessage()}")  # type: ignore[method-assign]
        logging.getLogger("opentelemetry.context").addHandler(catcher)
        try:
            yield
        finally:
            logging.getLogger("opentelemetry.context").removeHandler(catcher)

    def _judge(self) -> None:
        last = self.rows[-1]
        counted = sum(point.value for point in self._points("otel_callbacks.runs"))
        failures = self._failures()
        self._require(last.open_runs == 0, f"{last.open_runs} runs are open at the end")
        self._require(counted == last.spans, f"{counted} runs were counted and {last.spans} exported")
        self._require("abandoned" not in self.tally.outcomes, f"{self.tally.outcomes['abandoned']} runs were abandoned")
        self._require(not failures, f"otel_callbacks.errors: {failures}")
        self._require(last.own_objects < 2 * (TASKS + THREADS), f"{last.own_objects} objects are left")
        if self._seconds >= MEMORY_NEEDS_S:
            early = self.rows[len(self.rows) // 3].resident_mib
            grown = f"memory grew from {early:.0f} to {last.resident_mib:.0f} MiB"
            self._require(last.resident_mib < ALLOWED_GROWTH * early, grown)

    def _require(self, holds: bool, complaint: str) -> None:  # noqa: FBT001 - reads as a sentence
        if not holds:
            self.complaints.append(complaint)

    def _failures(self) -> dict[str, int]:
        """Count failures by kind."""
        points = self._points("otel_callbacks.errors")
        return {point.attributes["otel_callbacks.error.kind"]: point.value for point in points}

    def _points(self, name: str) -> list[Any]:
        data: Any = self._reader.get_metrics_data()
        metrics = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics if m.name == name]
        return [point for metric in metrics for point in metric.data.data_points]


def _own_objects() -> int:
    return sum(type(each) is own for each in gc.get_objects() for own in _OWN)


def _resident_mib() -> float:
    """Return the memory of this process now, or its peak on systems that report no other figure."""
    import resource

    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def main() -> int:
    """Soak for the time on the command line, and print the verdict."""
    soak = Soak(float(sys.argv[1]) if len(sys.argv) > 1 else 180.0)
    complaints = soak.run()
    print("outcomes:", ", ".join(f"{outcome} {count}" for outcome, count in sorted(soak.tally.outcomes.items())))
    print("\n".join(complaints) or "nothing stayed open, no run got lost, memory is flat")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
