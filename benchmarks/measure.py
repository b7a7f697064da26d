"""One scenario in one process, its modes taking turns. Prints the figures as JSON.

usage: python -m benchmarks.measure (time|instructions) SCENARIO MODE,MODE,... ROUNDS
"""

import gc
import json
import math
import sys
from collections import defaultdict
from collections.abc import Callable
from contextvars import Context, copy_context
from time import process_time
from typing import Any, NamedTuple

from langchain_core.callbacks import BaseCallbackHandler

from benchmarks.callgrind import Marks
from benchmarks.modes import Mode, open_mode
from benchmarks.providers import Drop, Providers, Serialise
from benchmarks.scenarios import SCENARIOS, Program, Scenario

SHORT = " short"
"""The end of the labels of blocks that ran the short form of a program."""
_WARM_UP = 3
_BLOCK_S = 0.05
TIME_ROUNDS = 11
COUNT_ROUNDS = 2


class Contender(NamedTuple):
    """A mode with its programs."""

    mode: Mode
    programs: dict[str, Program]
    """By the end of the label: "" or `SHORT`."""
    context: Context
    """Its own, so that no mode sees what another left current."""

    def block(self, form: str, calls: int) -> None:
        """Run the program `calls` times, including what it does in the background."""
        self.context.run(self._run, self.programs[form], calls)
        self.mode.providers.flush()

    def _run(self, program: Program, calls: int) -> None:
        for _ in range(calls):
            program()


def set_up(scenario: Scenario, names: list[str], warm_up: int) -> list[Contender]:
    """Set up every mode, and run its programs `warm_up` times."""
    return [_contender(scenario, name, warm_up) for name in names]


def _contender(scenario: Scenario, name: str, warm_up: int) -> Contender:
    providers = Providers(Serialise() if scenario.serialise else Drop(), sampled=scenario.sampled)
    mode = open_mode(name, providers, scenario.options)
    mode.activate(True)
    context = copy_context()
    programs = {"": context.run(scenario.build, mode.handlers)}
    if scenario.short is not None:
        programs[SHORT] = context.run(scenario.short, mode.handlers)
    contender = Contender(mode, programs, context)
    for form in programs:
        contender.block(form, warm_up)
    mode.activate(False)
    return contender


class _Units(BaseCallbackHandler):
    """Counts the units that costs are divided by."""

    run_inline = True

    def __init__(self) -> None:
        self.count = {"event": 0, "token": 0}

    def on_chain_start(self, *_: Any, **__: Any) -> None:
        self.count["event"] += 1

    def on_llm_new_token(self, *_: Any, **__: Any) -> None:
        self.count["token"] += 1

    on_chat_model_start = on_tool_start = on_chain_end = on_llm_end = on_tool_end = on_chain_start
    on_chain_error = on_llm_error = on_tool_error = on_chain_start


def units(scenario: Scenario) -> int:
    """Count the events or tokens of one call, without those of the short form."""
    total = 0
    for build, sign in ((scenario.build, 1), (scenario.short, -1)):
        if build is not None:
            counter = _Units()
            program = build([counter])
            before = counter.count[scenario.unit]
            program()
            total += sign * (counter.count[scenario.unit] - before)
    return total


def emitted(contender: Contender) -> list[int]:
    """Count the spans, attributes and measurements of one call."""
    contender.mode.activate(True)
    with contender.mode.providers.counting() as counts:
        contender.context.run(contender.programs[""])
    contender.mode.activate(False)
    return list(counts[0])


def cpu_time(contenders: list[Contender], rounds: int) -> dict[str, list[float]]:
    """Measure CPU seconds of all threads per call: label -> one entry per round."""
    calls = {form: _calls_per_block(contenders[0], form) for form in contenders[0].programs}
    seconds = defaultdict(list)

    def run(contender: Contender, form: str) -> None:
        started = process_time()
        contender.block(form, calls[form])
        seconds[contender.mode.name + form].append((process_time() - started) / calls[form])

    _take_turns(contenders, run, rounds)
    return seconds


def _calls_per_block(contender: Contender, form: str) -> int:
    started = process_time()
    contender.block(form, _WARM_UP)
    return max(1, math.ceil(_BLOCK_S / ((process_time() - started) / _WARM_UP)))


def instructions(contenders: list[Contender], calls: int, rounds: int) -> None:
    """Have valgrind count blocks of `calls` calls each, which it tells apart by their labels."""
    marks = Marks()

    def run(contender: Contender, form: str) -> None:
        marks.mark("between blocks")
        contender.block(form, calls)
        marks.mark(contender.mode.name + form)

    marks.start()
    _take_turns(contenders, run, rounds)
    marks.stop()


def _take_turns(contenders: list[Contender], run: Callable[[Contender, str], None], rounds: int) -> None:
    for _ in range(rounds):
        for contender in contenders:
            contender.mode.activate(True)
            for form in contender.programs:
                gc.collect()
                run(contender, form)
            contender.mode.activate(False)


def main(kind: str, name: str, modes: str, rounds: str) -> None:
    """Measure, and print the figures."""
    sys.setrecursionlimit(10_000)
    scenario = SCENARIOS[name]
    contenders = set_up(scenario, modes.split(","), min(scenario.calls, _WARM_UP))
    gc.collect()
    gc.freeze()  # otherwise the size of what is loaded would decide what a collection costs
    figures: dict[str, Any] = {
        "units": units(scenario),
        "emitted": {contender.mode.name: emitted(contender) for contender in contenders},
    }
    if kind == "time":
        figures["seconds"] = cpu_time(contenders, int(rounds))
    else:
        instructions(contenders, scenario.calls, int(rounds))
    print(json.dumps(figures))
    for contender in contenders:
        contender.mode.providers.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
