"""What an application notices beside CPU time: a blocked event loop, a collector that is down, a slow exit after that.

usage: python -m benchmarks.outage lag MODE [REPETITIONS]
       python -m benchmarks.outage collector MODE (refusing|silent) [SECONDS]
       python -m benchmarks.outage exit MODE (refusing|silent)
"""

import asyncio
import atexit
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from contextlib import closing
from statistics import quantiles
from typing import TypedDict

from benchmarks import programs
from benchmarks.modes import open_mode
from benchmarks.providers import Drop, Providers

_CALLS = 200
_STATE = "x" * 1_000_000
_TICK_S = 0.002


class _State(TypedDict):
    text: str
    count: int


async def _wait(state: _State) -> dict[str, int]:
    await asyncio.sleep(0.001)
    return {"count": state["count"] + 1}


def lag(mode_name: str, repetitions: str = "5") -> dict[str, float]:
    """Measure by how many milliseconds a timer is late while 200 graphs with 1 MB of state run."""
    providers = Providers(Drop())
    mode = open_mode(mode_name, providers, {})
    mode.activate(True)
    graph = programs.graph(3, _State, _wait)
    delays: list[float] = []

    async def watch() -> None:
        while True:
            started = time.perf_counter()
            await asyncio.sleep(_TICK_S)
            delays.append((time.perf_counter() - started - _TICK_S) * 1000)

    async def run() -> None:
        watcher = asyncio.create_task(watch())
        for _ in range(int(repetitions)):
            state = {"text": _STATE, "count": 0}
            await asyncio.gather(*(graph.ainvoke(state, {"callbacks": mode.handlers}) for _ in range(_CALLS)))
        watcher.cancel()

    asyncio.run(run())
    providers.shutdown()
    return {
        "ms a timer is late, p99": quantiles(delays, n=100, method="inclusive")[98],
        "ms a timer is late, longest": max(delays),
    }


def unreachable(kind: str) -> socket.socket:
    """Open a port on this machine that refuses connections, or accepts them and never answers."""
    listener = socket.create_server(("127.0.0.1", 0))
    if kind == "refusing":
        listener.close()
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))  # bound, so that no other program can listen there, but not listening
    return listener


def _without_answer(kind: str) -> tuple[Providers, socket.socket]:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    listener = unreachable(kind)
    endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}/v1/traces"
    return Providers(OTLPSpanExporter(endpoint=endpoint)), listener


def collector(mode_name: str, kind: str, seconds: str = "8") -> dict[str, float]:
    """Measure the microseconds of wall time that one call of the LCEL chain takes while spans cannot be sent."""
    providers, listener = _without_answer(kind)
    mode = open_mode(mode_name, providers, {})
    mode.activate(True)
    chain = programs.lcel()
    durations = []
    with closing(listener):
        until = time.monotonic() + float(seconds)  # the batch processor first sends after 5 s
        while time.monotonic() < until:
            started = time.perf_counter()
            chain.invoke({"question": "How is it?"}, {"callbacks": mode.handlers})
            durations.append((time.perf_counter() - started) * 1e6)
    percentiles = quantiles(durations, n=100, method="inclusive")
    label = f"µs per call, collector {kind}"
    return {f"{label}, median": percentiles[49], f"{label}, p99": percentiles[98]}


def exit_after_outage(mode_name: str, kind: str) -> dict[str, float]:
    """Make one call and return; whoever reads the output times the exit from the moment printed here."""
    providers, listener = _without_answer(kind)
    atexit.register(listener.close)
    atexit.register(providers.shutdown)
    mode = open_mode(mode_name, providers, {})
    mode.activate(True)
    programs.lcel().invoke({"question": "How is it?"}, {"callbacks": mode.handlers})
    return {"left": time.time()}


_MEASURES: dict[str, Callable[..., dict[str, float]]] = {"lag": lag, "collector": collector, "exit": exit_after_outage}

if __name__ == "__main__":
    print(json.dumps(_MEASURES[sys.argv[1]](*sys.argv[2:])), flush=True)
    if sys.argv[1] == "collector":
        os._exit(0)  # the exit is measured separately
