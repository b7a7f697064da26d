import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from uuid import uuid4

import pytest
from langchain_core.runnables import RunnableLambda, RunnableParallel

from otel_callbacks import suppress
from tests.support.models import ScriptedChat
from tests.support.recorded_spans import RecordedSpans


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "batch"])
async def test_trees_that_start_inside_the_block_are_dropped(telemetry: RecordedSpans, way):
    """Suppressed trees leave no span and no measurement, also in LangChain's threads and tasks; later ones do."""
    handler = telemetry.new_handler()
    config = {"callbacks": [handler]}
    chain = RunnableParallel(a=ScriptedChat(script=["hi"]), b=ScriptedChat(script=["hi"]))
    with suppress():
        if way == "ainvoke":
            await asyncio.gather(chain.ainvoke("x", config), chain.ainvoke("x", config))
        elif way == "batch":
            chain.batch(["x", "y"], config)
        else:
            chain.invoke("x", config)
    assert telemetry.spans == ()
    assert telemetry.points("otel_callbacks.runs") == []
    chain.invoke("x", config)
    assert telemetry.tree() == "invoke_workflow\n  chat\n  chat"
    assert handler.open_runs == 0


def test_block_inside_a_tree_drops_what_starts_in_it(telemetry: RecordedSpans):
    """Runs that start in the block are dropped even below a root outside it; the rest of the tree is recorded."""

    def body(text):
        with suppress():
            ScriptedChat(script=["hi"]).invoke(text)
        return ScriptedChat(script=["hi"]).invoke(text).content

    RunnableLambda(body).with_config(run_name="half").invoke("x", {"callbacks": [telemetry.new_handler()]})
    assert telemetry.tree() == "invoke_workflow half\n  chat"


def test_the_block_may_be_left_in_another_context():
    """A block entered in one context may be left in another, as frameworks do with generators."""
    block = suppress()
    Context().run(block.__enter__)
    copy_context().run(block.__exit__, None, None, None)


def test_other_threads_are_not_suppressed(telemetry: RecordedSpans):
    """A plain thread does not inherit the block's context, so what it runs is recorded."""
    model = ScriptedChat(script=["hi"])
    with suppress(), ThreadPoolExecutor(1) as pool:
        pool.submit(model.invoke, "x", {"callbacks": [telemetry.new_handler()]}).result()
    assert telemetry.tree() == "chat"


def test_a_dropped_run_is_nowhere(telemetry: RecordedSpans):
    """A run that starts in a block below a visible one has no place among the traces, not even its parent's."""
    handler, outer, inner = telemetry.new_handler(), uuid4(), uuid4()
    handler.on_chain_start({}, {}, run_id=outer, name="outer")
    with suppress():
        handler.on_chain_start({}, {}, run_id=inner, parent_run_id=outer, name="inner")
    assert handler.trace_ref(outer) is not None
    assert handler.trace_ref(inner) is None
