import contextlib
import gc
import weakref
from collections import Counter

import pytest
from langchain_core.runnables import RunnableLambda

from otel_callbacks._runs.run import OpenRun, RunId, Tree
from otel_callbacks._spans.body import Body
from otel_callbacks._spans.current import SelfHealingSpan
from tests.life.test_generators import model
from tests.support.models import ScriptedChat
from tests.support.programs import graph, weather
from tests.support.recorded_spans import RecordedSpans

OWN = (OpenRun, RunId, Body, SelfHealingSpan, Tree)


def own_objects() -> Counter[str]:
    """Count the package's live objects by class, including unreachable ones."""
    # By identity: other tests leave classes that cannot be compared.
    return Counter(own.__name__ for one in gc.get_objects() for own in OWN if type(one) is own)


@pytest.fixture
def no_collector():
    """Keep garbage in cycles uncollected."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "failing"])
async def test_ended_runs_are_freed_at_once(telemetry: RecordedSpans, no_collector, way):
    """Ended runs are freed without the garbage collector, so what a busy process keeps does not depend on it."""
    config = {"callbacks": [telemetry.new_handler()]}
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


def test_a_dropped_handler_is_freed_at_once(telemetry: RecordedSpans, no_collector):
    """A handler that nobody holds needs no garbage collector either: applications make one for each request."""
    handler = telemetry.new_handler()
    weather.invoke({"city": "Oslo"}, {"callbacks": [handler]})
    recorder = weakref.ref(handler._recorder)
    del handler
    assert recorder() is None
