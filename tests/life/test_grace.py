import asyncio
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import LLMResult
from langchain_core.runnables import RunnableLambda

from otel_callbacks._runs import end as _end
from tests.life.test_generators import chain
from tests.life.waiting import Hanging, exported
from tests.support.models import ScriptedChat
from tests.support.recorded_spans import RecordedSpans


@pytest.fixture
def no_grace(monkeypatch):
    """Let the grace period be over as soon as it has begun."""
    monkeypatch.setattr(_end, "GRACE_NS", 0)


def test_streams_end_with_their_parent(telemetry: RecordedSpans):
    """LangChain ends a closed chain before its model; within the grace period their spans end at the same time."""
    stream = chain().stream({"q": "x"}, {"callbacks": [telemetry.new_handler()]})
    next(stream)
    stream.close()
    assert telemetry.tree() == "invoke_workflow\n  chat"
    assert telemetry.span("chat").end_time == telemetry.span("invoke_workflow").end_time


async def test_work_that_goes_on_after_its_parent_keeps_its_own_duration(telemetry: RecordedSpans, no_grace):
    """Runs of a task that a successful step did not await end when the task ends them, with their own outcome."""
    answered = asyncio.Event()
    tasks = []

    class Slow(ScriptedChat):
        async def _agenerate(self, *args, **kwargs):
            await answered.wait()
            return self._generate(*args, **kwargs)

    async def body(text):
        tasks.append(asyncio.ensure_future(Slow(script=["hi"]).ainvoke(text)))
        await asyncio.sleep(0)  # so that the model starts while its parent runs
        return text

    handler = telemetry.new_handler()
    config = {"callbacks": [handler]}
    await RunnableLambda(body).with_config(run_name="careless").ainvoke("x", config)
    await ScriptedChat(script=["hi"]).ainvoke("x", config)  # the next event, by which the grace period is over
    assert handler.open_runs == 1
    answered.set()
    await asyncio.gather(*tasks)
    assert telemetry.tree() == "invoke_workflow careless\n  chat\nchat"
    late = next(span for span in telemetry.spans if telemetry.parent_name(span))
    assert late.end_time > telemetry.span("invoke_workflow careless").end_time
    assert handler.open_runs == 0


async def test_work_that_begins_after_its_parent_ends_no_sooner_than_it_began(telemetry: RecordedSpans, caplog):
    """When tasks that are not awaited start one another, no run ends before its start, not even within the grace."""
    over, begun, answered = asyncio.Event(), asyncio.Event(), asyncio.Event()
    tasks = []

    class Slow(ScriptedChat):
        async def _agenerate(self, *args, **kwargs):
            begun.set()
            await answered.wait()
            return self._generate(*args, **kwargs)

    async def inner(text):
        await over.wait()
        tasks.append(asyncio.ensure_future(Slow(script=["hi"]).ainvoke(text)))
        await begun.wait()

    async def outer(text):
        tasks.append(asyncio.ensure_future(RunnableLambda(inner).ainvoke(text)))
        await asyncio.sleep(0)  # so that the step starts while its parent runs

    await RunnableLambda(outer).with_config(run_name="careless").ainvoke("x", {"callbacks": [telemetry.new_handler()]})
    over.set()
    await tasks[0]
    answered.set()
    await tasks[1]
    assert telemetry.tree() == "invoke_workflow careless\n  chain inner\n    chat"
    assert all(span.start_time <= span.end_time for span in telemetry.spans)
    assert len(telemetry.points("gen_ai.client.operation.duration")) == 1
    assert not caplog.records


async def test_orphans_of_a_cancelled_run_end_without_another_event(telemetry: RecordedSpans, no_grace):
    """The event loop closes a model whose end never comes when the grace period after its parent's end is over."""
    hanging = Hanging()
    kept = []

    async def body(text):
        kept.append(asyncio.ensure_future(hanging.chat().ainvoke(text)))
        await asyncio.Event().wait()

    task = asyncio.ensure_future(
        RunnableLambda(body).with_config(run_name="r").ainvoke("x", {"callbacks": [telemetry.new_handler()]})
    )
    await hanging.begun.wait()
    task.cancel()
    await exported(telemetry, 2)
    assert telemetry.tree() == "invoke_workflow r [cancelled]\n  chat [cancelled]"
    assert telemetry.span("chat").end_time == telemetry.span("invoke_workflow r").end_time
    kept[0].cancel()
    assert telemetry.total("otel_callbacks.runs", otel_callbacks__outcome="cancelled") == 2


def test_orphans_of_a_failed_run_end_at_the_next_event(telemetry: RecordedSpans, no_grace):
    """Without an event loop, the next event cancels a stream that a failed step has kept, together with the step."""
    kept = []

    def body(text):
        kept.append(ScriptedChat(script=[[AIMessageChunk("a"), AIMessageChunk("b")]]).stream(text))
        next(kept[0])
        raise ValueError("no")

    handler = telemetry.new_handler()
    with pytest.raises(ValueError, match="no"):
        RunnableLambda(body).with_config(run_name="r").invoke("x", {"callbacks": [handler]})
    assert handler.open_runs == 0  # reading it is an event as well
    assert telemetry.tree() == "invoke_workflow r [error] ERROR\n  chat [cancelled]"
    kept[0].close()
    assert telemetry.total("otel_callbacks.errors") == telemetry.total("otel_callbacks.discrepancies") == 0
    assert len(telemetry.spans) == 2


@pytest.mark.parametrize("how", ["fails", "ends", "is closed"])
def test_first_chunk_is_never_after_the_end(telemetry: RecordedSpans, monkeypatch, how):
    """A model that streams after its cancelled parent ends with it, and its first chunk comes no later than that."""
    if how == "is closed":
        monkeypatch.setattr(_end, "GRACE_NS", 0)
    handler, parent, child = telemetry.new_handler(), uuid4(), uuid4()
    handler.on_chain_start({}, "x", run_id=parent, name="r")
    handler.on_chat_model_start({}, [[]], run_id=child, parent_run_id=parent, name="m")
    handler.on_chain_error(asyncio.CancelledError(), run_id=parent)
    handler.on_llm_new_token("a", run_id=child)
    if how == "fails":
        handler.on_llm_error(asyncio.CancelledError(), run_id=child)
    elif how == "ends":
        handler.on_llm_end(LLMResult(generations=[[]]), run_id=child)
    assert handler.open_runs == 0
    span = telemetry.span("chat")
    seconds = (span.end_time - span.start_time) / 1e9
    assert 0 < span.attributes["gen_ai.response.time_to_first_chunk"] <= seconds
    (first,) = telemetry.points("gen_ai.client.operation.time_to_first_chunk")
    (duration,) = telemetry.points("gen_ai.client.operation.duration")
    assert first.sum <= duration.sum
