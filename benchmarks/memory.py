"""What stays in memory: per finished run, per streamed token, per run that never ends, over a million runs.

usage: python -m benchmarks.memory MODE
"""

import gc
import json
import resource
import sys
import tracemalloc
from collections.abc import Callable, Iterator

from langchain_core.callbacks import CallbackManager

from benchmarks import programs
from benchmarks.modes import Mode, open_mode
from benchmarks.providers import Drop, Providers

_RUNS = 1_000_000
_RUNS_PER_CALL = 5
_TOKENS = 2000


def _grown(mode: Mode, work: Callable[[], object]) -> int:
    """Return the bytes that are allocated after the work and were not before."""
    before = _allocated(mode)
    work()
    return _allocated(mode) - before


def _allocated(mode: Mode) -> int:
    mode.providers.flush()
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def per_finished_run(mode: Mode, calls: int = 2048) -> float:
    """Measure the bytes that stay of a run that has ended.

    The default of `calls` leaves a bounded table of ended runs, emptied in turns, as full as before.
    """
    chain = programs.lcel()

    def work() -> None:
        for _ in range(calls):
            chain.invoke({"question": "How is it?"}, {"callbacks": mode.handlers})

    work()
    return _grown(mode, work) / (calls * _RUNS_PER_CALL)


def per_token(mode: Mode) -> dict[str, float]:
    """Measure the bytes of a streamed token while the run is open, including LangChain's own, and afterwards."""
    model = programs.StreamingChat(tokens=2 * _TOKENS)
    kept: dict[str, float] = {}
    open_label, after_label = "B per streamed token, while open", "B per streamed token, afterwards"

    def stream() -> Iterator[object]:
        return model.stream("How is it?", {"callbacks": mode.handlers})

    def work() -> None:
        half = 0
        for number, _ in enumerate(stream()):
            if number == _TOKENS:
                half = _allocated(mode)
            if number == 2 * _TOKENS - 1:
                kept[open_label] = (_allocated(mode) - half) / _TOKENS

    work()
    kept[after_label] = _grown(mode, work) / (2 * _TOKENS)
    return kept


def per_lost_run(mode: Mode, first: int = 1000, more: int = 12_000) -> dict[str, float]:
    """Measure the bytes of a run whose end never comes: of the `first` runs, and of the last `more`.

    The latter exceed what `Config.max_open_runs` lets this package's handler keep.
    """
    manager = CallbackManager.configure(mode.handlers)

    def lose(number: int) -> None:
        for _ in range(number):
            manager.on_chain_start({}, {}, name="lost")

    early = _grown(mode, lambda: lose(first)) / first
    lose(more)
    late = _grown(mode, lambda: lose(more)) / more
    return {f"B per run that never ends, first {first:,}": early, f"B per run that never ends, last {more:,}": late}


def over_many_runs(mode: Mode) -> int:
    """Measure by how many kB the process grows from the first tenth of a million runs to the last."""
    manager = CallbackManager.configure(mode.handlers)
    sizes = []
    for _ in range(10):
        for _ in range(_RUNS // 10):
            manager.on_chain_start({}, {}, name="run").on_chain_end({})
        mode.providers.flush()
        sizes.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return sizes[-1] - sizes[0]


def main(name: str) -> None:
    """Measure one mode, and print labels and numbers as JSON."""
    providers = Providers(Drop())
    mode = open_mode(name, providers, {})
    mode.activate(True)
    figures: dict[str, float] = {f"kB grown over {_RUNS:,} runs": over_many_runs(mode)}
    tracemalloc.start()
    figures["B per finished run"] = per_finished_run(mode)
    figures |= per_token(mode) | per_lost_run(mode)
    print(json.dumps(figures))
    providers.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
