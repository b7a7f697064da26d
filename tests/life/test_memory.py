import contextlib
import gc
from collections import Counter

import pytest
from langchain_core.runnables import RunnableLambda

from otel_callbacks._runs.run import OpenRun, RunId, Tree
from otel_callbacks._spans.body import Body
from otel_callbacks._spans.current import SelfHealingSpan
from tests.life.test_generators import model
from tests.support.models import ScriptedChat
from tests.support.programs import graph, weather
from tests.support.telemetry import Telemetry

OWN = (OpenRun, RunId, Body, SelfHealingSpan, Tree)


def own_objects() -> Counter[str]:
    """The package's objects that are alive, whether or not anybody can reach them."""
    kinds = (own.__name__ for found in gc.get_objects() for own in OWN if type(found) is own)
    return Counter(kinds)


@pytest.fixture
def no_collector():
    """Garbage in cycles stays."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "failing"])
async def test_ended_runs_are_freed_at_once(telemetry: Telemetry, no_collector, way):
    """A run that has ended needs no garbage collector: what a busy process keeps does not depend on its passes."""
    config = {"callbacks": [telemetry.handler()]}
    program = graph("g", look=lambda state: {"seen": [weather.invoke({"city": "Oslo"})]})
    chain = RunnableLambda(str.upper) | ScriptedChat(script=["hi"])
    failing = RunnableLambda(str.upper) | RunnableLambda(lambda text: 1 // 0)
    before = own_objects()
    for _ in range(20):
        if way == "invoke":
            chain.invoke("x", config)
            program.invoke({"seen": []}, config)
        elif way == "ainvoke":
            await chain.ainvoke("x", config)
        elif way == "stream":
            list(model().stream("x", config))
        else:
            with contextlib.suppress(ZeroDivisionError):
                failing.invoke("x", config)
    left = own_objects() - before
    assert sum(left.values()) <= 5, left
