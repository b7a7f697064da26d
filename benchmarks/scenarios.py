"""The scenarios that are measured: one row of the tables each.

A new one is a function that makes its program from handlers, and a line in `SCENARIOS`.
"""

import asyncio
import atexit
import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, Literal, NamedTuple

from langchain_core.callbacks import BaseCallbackHandler, CallbackManager
from langchain_core.messages import HumanMessage
from langchain_core.runnables import Runnable

from benchmarks import programs
from benchmarks.modes import BASE, OURS

Handlers = list[BaseCallbackHandler]
Program = Callable[[], object]
Build = Callable[[Handlers], Program]
"""Makes a program that reports to the handlers; calling it runs it once."""


class Scenario(NamedTuple):
    """One row of the tables."""

    title: str
    build: Build
    calls: int
    """Runs of the program in one block of counted instructions."""
    unit: Literal["event", "token"] = "event"
    """What the cost is divided by. An event is a start, end or error callback."""
    short: Build | None = None
    """The same program with fewer units: the difference between the two is what the units alone cost."""
    modes: Sequence[str] = BASE
    options: Mapping[str, Any] = {}
    """Options of `Config` for all modes of this package."""
    sampled: bool = True
    serialise: bool = False
    """Turn the spans into OTLP's bytes."""
    curve: tuple[str, int] | None = None
    """The quantity that grows, and its value here."""


def _invoke(make: Callable[[], Runnable[Any, Any]], value: Any) -> Build:
    def build(handlers: Handlers) -> Program:
        runnable = make()
        return lambda: runnable.invoke(value, {"callbacks": handlers})

    return build


def _failing(handlers: Handlers) -> Program:
    chain = programs.lcel(programs.OfflineChat(fails=True))

    def run() -> None:
        with contextlib.suppress(ConnectionError):
            chain.invoke(_QUESTION, {"callbacks": handlers})

    return run


def _stream(tokens: int) -> Build:
    def build(handlers: Handlers) -> Program:
        model = programs.StreamingChat(tokens=tokens)

        def run() -> None:
            for _ in model.stream("How is it?", {"callbacks": handlers}):
                pass

        return run

    return build


def _astream(tokens: int) -> Build:
    def build(handlers: Handlers) -> Program:
        model = programs.StreamingChat(tokens=tokens)

        async def stream() -> None:
            async for _ in model.astream("How is it?", {"callbacks": handlers}):
                pass

        return _in_loop(stream)

    return build


def _concurrent(handlers: Handlers) -> Program:
    chain = programs.lcel()

    async def run() -> None:
        await asyncio.gather(*(chain.ainvoke(_QUESTION, {"callbacks": handlers}) for _ in range(200)))

    return _in_loop(run)


def _in_loop(run: Callable[[], Any]) -> Program:
    loop = asyncio.new_event_loop()
    atexit.register(loop.close)
    return lambda: loop.run_until_complete(run())


def _threads(handlers: Handlers) -> Program:
    chain = programs.lcel()
    pool = ThreadPoolExecutor(16)
    return lambda: list(pool.map(lambda _: chain.invoke(_QUESTION, {"callbacks": handlers}), range(64)))


def _beside_open_runs(number: int) -> Build:
    def build(handlers: Handlers) -> Program:
        manager = CallbackManager.configure(handlers)
        # Each in its own context, like the runs of other requests.
        open_runs = [copy_context().run(manager.on_chain_start, {}, {}, name="waiting") for _ in range(number)]
        chain = programs.lcel()
        return lambda: (chain.invoke(_QUESTION, {"callbacks": handlers}), open_runs)

    return build


def _after_lost_runs(number: int) -> Build:
    def build(handlers: Handlers) -> Program:
        manager = CallbackManager.configure(handlers)
        lost_runs = [manager.on_chain_start({}, {}, name="lost") for _ in range(number)]
        chain = programs.lcel()
        return lambda: (chain.invoke(_QUESTION, {"callbacks": handlers}), lost_runs)

    return build


_QUESTION = {"question": "How is it?"}
_MESSAGES = {"messages": [("human", "How is it?")]}
_CAPTURED = {"capture": "span_only"}
_NO_BOUND = {"max_open_runs": 100_000}
_LCEL = _invoke(programs.lcel, _QUESTION)
_WITH_FLOOR = (*BASE, "floor")
_WITH_OPTIONS = tuple(mode for mode in OURS if mode != "ours")


def _prompt(size: int) -> Build:
    return _invoke(programs.lcel, {"question": programs.text_of(size)})


def _nested(depth: int) -> Build:
    return _invoke(lambda: programs.nested(depth), "deep")


def _messages(number: int) -> Build:
    return _invoke(programs.OfflineChat, [HumanMessage(programs.text_of(100))] * number)


SCENARIOS: Mapping[str, Scenario] = {
    "lcel": Scenario("LCEL chain, 5 runs", _LCEL, 20, modes=(*BASE, "floor", "floor-all", *_WITH_OPTIONS)),
    "agent": Scenario(
        "create_agent, 3 tool calls, 15 runs", _invoke(programs.agent, _MESSAGES), 6,
        modes=(*BASE, "floor", "floor-all", *_WITH_OPTIONS),
    ),
    "stream": Scenario("streamed token", _stream(520), 2, "token", _stream(20)),
    "astream": Scenario("streamed token, async", _astream(520), 2, "token", _astream(20)),
    "async-200": Scenario("200 concurrent ainvoke", _concurrent, 1),
    "threads-16": Scenario("16 threads", _threads, 1),
    "graph-20": Scenario("LangGraph of 20 nodes", _invoke(programs.graph, {"count": 0}), 4, modes=_WITH_FLOOR),
    "depth-50": Scenario("50 runs inside each other", _nested(50), 2),
    "error": Scenario("error path, 3 runs", _failing, 20, modes=_WITH_FLOOR),
    "unsampled": Scenario("LCEL chain, not sampled", _LCEL, 20, modes=_WITH_FLOOR, sampled=False),
    "unsampled-agent": Scenario(
        "create_agent, not sampled", _invoke(programs.agent, _MESSAGES), 6, modes=_WITH_FLOOR, sampled=False
    ),
    "prompt-10k": Scenario("LCEL chain, 10 kB prompt, captured", _prompt(10_000), 20, options=_CAPTURED),
    "prompt-1M": Scenario("LCEL chain, 1 MB prompt, captured", _prompt(1_000_000), 2, options=_CAPTURED),
    "otlp": Scenario("LCEL chain with OTLP serialisation", _LCEL, 20, serialise=True),
    **{
        f"open-{n}": Scenario(
            f"LCEL chain beside {n} open runs", _beside_open_runs(n), 10, options=_NO_BOUND, curve=("open runs", n)
        )
        for n in (10, 100, 1000, 10_000)
    },
    **{
        f"lost-{n}": Scenario(
            f"LCEL chain after {n} runs lost in the same context", _after_lost_runs(n), 2,
            curve=("runs lost in the same context", n),
        )
        for n in (1, 10, 100, 1000)
    },
    **{
        f"depth-{n}": Scenario(f"{n} runs inside each other", _nested(n), max(1, 100 // n), curve=("depth", n))
        for n in (1, 10, 100)
    },
    **{
        f"messages-{n}": Scenario(f"{n} messages", _messages(n), 10, curve=("messages", n))
        for n in (1, 10, 100, 1000)
    },
    **{
        f"tokens-{n}": Scenario(f"{n} streamed tokens", _stream(n), 1, "token", curve=("tokens", n))
        for n in (10, 100, 1000, 10_000)
    },
}  # fmt: skip
"""By name, in the order of the tables."""
