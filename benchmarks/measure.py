"""One scenario in one process, its modes taking turns. Prints what it found as JSON.

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
"""Ends the labels of blocks that ran the short form of a program."""
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
    """Its own, so that no mode sees what another has left current."""

    def block(self, form: str, calls: int) -> None:
        """Run the program so often, what it does in the background included."""
        self.context.run(self._run, self.programs[form], calls)
        self.mode.providers.flush()

    def _run(self, program: Program, calls: int) -> None:
        for _ in range(calls):
            program()


def contenders(scenario: Scenario, names: list[str], warm_up: int) -> list[Contender]:
    """Set up every mode and run its programs so often."""
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
    """Counts what costs are divided by."""

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
    """Events or tokens of one call, those of the short form subtracted."""
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
    """Spans, attributes and measurements of one call."""
    contender.mode.activate(True)
    with contender.mode.providers.counting() as found:
        contender.context.run(contender.programs[""])
    contender.mode.activate(False)
    return list(found[0])


def cpu_time(taking_turns: list[Contender], rounds: int) -> dict[str, list[float]]:
    """Label -> CPU seconds of all threads per call, one entry per round."""
    calls = {form: _calls_per_block(taking_turns[0], form) for form in taking_turns[0].programs}
    seconds = defaultdict(list)

    def measure(contender: Contender, form: str) -> None:
        started = process_time()
        contender.block(form, calls[form])
        seconds[contender.mode.name + form].append((process_time() - started) / calls[form])

    _take_turns(taking_turns, measure, rounds)
    return seconds


def _calls_per_block(contender: Contender, form: str) -> int:
    started = process_time()
    contender.block(form, _WARM_UP)
    return max(1, math.ceil(_BLOCK_S / ((process_time() - started) / _WARM_UP)))


def instructions(taking_turns: list[Contender], calls: int, rounds: int) -> None:
    """Have valgrind count blocks of so many calls; it knows them by their labels."""
    marks = Marks()

    def measure(contender: Contender, form: str) -> None:
        marks.mark("between blocks")
        contender.block(form, calls)
        marks.mark(contender.mode.name + form)

    marks.start()
    _take_turns(taking_turns, measure, rounds)
    marks.stop()


def _take_turns(taking_turns: list[Contender], do: Callable[[Contender, str], None], rounds: int) -> None:
    for _ in range(rounds):
        for contender in taking_turns:
            contender.mode.activate(True)
            for form in contender.programs:
                gc.collect()
                do(contender, form)
            contender.mode.activate(False)


def main(kind: str, name: str, modes: str, rounds: str) -> None:
    """Measure and print."""
    sys.setrecursionlimit(10_000)
    scenario = SCENARIOS[name]
    taking_turns = contenders(scenario, modes.split(","), min(scenario.calls, _WARM_UP))
    gc.collect()
    gc.freeze()  # so that the size of what is loaded does not decide what a collection costs
    found: dict[str, Any] = {
        "units": units(scenario),
        "emitted": {contender.mode.name: emitted(contender) for contender in taking_turns},
    }
    if kind == "time":
        found["seconds"] = cpu_time(taking_turns, int(rounds))
    else:
        instructions(taking_turns, scenario.calls, int(rounds))
    print(json.dumps(found))
    for contender in taking_turns:
        contender.mode.providers.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
