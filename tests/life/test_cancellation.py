import asyncio
import gc
import sys

import pytest
from langchain_core.runnables import RunnableLambda

from tests.life.waiting import Hanging, exported
from tests.support.programs import graph, needs_contexts_of_tasks
from tests.support.recorded_spans import RecordedSpans

NAMES = {"chat": "chat", "retriever": "retrieval", "tool": "execute_tool ask"}
INPUTS = {"chat": "x", "retriever": "x", "tool": {"city": "Oslo"}}
needs_311 = pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio got timeout and TaskGroup in Python 3.11")


@pytest.fixture
async def hanging() -> Hanging:
    """Runnables that hang in this test's event loop."""
    return Hanging()


def call(hanging: Hanging, kind: str, telemetry: RecordedSpans, **options):
    """Call a hanging runnable outside any other run, and return the coroutine."""
    return getattr(hanging, kind)().ainvoke(INPUTS[kind], {"callbacks": [telemetry.new_handler(**options)]})


async def when_begun(hanging: Hanging, action) -> None:
    """Call `action` as soon as the body hangs."""
    await hanging.begun.wait()
    action()


async def by_timeout(hanging, work):
    """Let an `asyncio.timeout` around the call expire."""
    async with asyncio.timeout(None) as scope:
        reaper = asyncio.ensure_future(when_begun(hanging, lambda: scope.reschedule(0)))
        await work
    await reaper


async def by_wait_for(hanging, work):
    """Cancel a `wait_for` around the call."""
    task = asyncio.ensure_future(work)
    waiter = asyncio.ensure_future(asyncio.wait_for(task, 60))
    await when_begun(hanging, waiter.cancel)
    await waiter


async def by_group(hanging, work):
    """Fail another task of the same task group."""

    async def fail():
        await hanging.begun.wait()
        raise OSError("a sibling fails")

    async with asyncio.TaskGroup() as group:
        group.create_task(work)
        group.create_task(fail())


async def by_task(hanging, work):
    """Cancel the task that makes the call."""
    task = asyncio.ensure_future(work)
    await when_begun(hanging, task.cancel)
    await task


HOW = [
    pytest.param(by_timeout, TimeoutError, id="asyncio.timeout", marks=needs_311),
    pytest.param(by_wait_for, asyncio.CancelledError, id="wait_for"),
    pytest.param(by_group, BaseException, id="task group", marks=needs_311),
    pytest.param(by_task, asyncio.CancelledError, id="task.cancel"),
]


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize(("how", "raised"), HOW)
async def test_bare_call_that_is_cancelled(telemetry: RecordedSpans, hanging, kind, how, raised):
    """A cancelled call's span and duration say cancelled, not error, and nothing stays open or current."""
    with telemetry.tracer.start_as_current_span("req"):
        with pytest.raises(raised):
            await how(hanging, call(hanging, kind, telemetry))
        await exported(telemetry, 1)
        telemetry.tracer.start_span("next").end()
    assert telemetry.tree() == f"req\n  {NAMES[kind]} [cancelled]\n  next"
    metric = "gen_ai.execute_tool.duration" if kind == "tool" else "gen_ai.client.operation.duration"
    assert telemetry.count(metric, otel_callbacks__outcome="cancelled") == 1
    assert telemetry.points("otel_callbacks.runs.open")[0].value == 0


@needs_311
async def test_calls_after_a_timeout_in_the_same_task(telemetry: RecordedSpans, hanging):
    """When a task goes on after a call timed out, each further call is a sibling of that call."""
    handler = telemetry.new_handler()
    with telemetry.tracer.start_as_current_span("req"):
        for _ in range(3):
            hanging.begun.clear()
            with pytest.raises(TimeoutError):
                await by_timeout(hanging, hanging.chat().ainvoke("x", {"callbacks": [handler]}))
    await exported(telemetry, 4)
    assert telemetry.tree() == "req" + "\n  chat [cancelled]" * 3
    assert handler.open_runs == 0


@needs_311
async def test_kept_exception_does_not_keep_the_span_current(telemetry: RecordedSpans, hanging):
    """While an exception keeps a timed-out call's frames, later spans are its siblings; it ends with the frames."""
    handler = telemetry.new_handler()
    with telemetry.tracer.start_as_current_span("req"):
        with pytest.raises(TimeoutError) as error:
            await by_timeout(hanging, hanging.chat().ainvoke("x", {"callbacks": [handler]}))
        assert handler.open_runs == 1
        telemetry.tracer.start_span("next").end()
        await RunnableLambda(str.upper).with_config(run_name="call").ainvoke("x", {"callbacks": [handler]})
    del error
    gc.collect()
    await exported(telemetry, 4)
    assert telemetry.tree() == "req\n  chat [cancelled]\n  next\n  invoke_workflow call"


async def test_cancelled_task_that_is_never_awaited(telemetry: RecordedSpans, hanging):
    """The end of a cancelled task is enough to end its run, even if its exception is never retrieved."""
    task = asyncio.ensure_future(call(hanging, "chat", telemetry))
    await when_begun(hanging, task.cancel)
    await exported(telemetry, 1)
    assert telemetry.tree() == "chat [cancelled]"
    assert task.cancelled()


@needs_contexts_of_tasks
@pytest.mark.parametrize("kind", NAMES)
async def test_call_cancelled_deep_inside_a_graph(telemetry: RecordedSpans, hanging, kind):
    """The whole tree is exported as cancelled, including the run for which LangChain sends no end."""

    async def node(state):
        return {"seen": [await getattr(hanging, kind)().ainvoke(INPUTS[kind])]}

    handler = telemetry.new_handler()
    work = graph("g", only=node).ainvoke({"seen": []}, {"callbacks": [handler]})
    await hanging.cancel(work)
    await exported(telemetry, 3)
    assert telemetry.tree() == (
        f"invoke_workflow g [cancelled]\n  node only [cancelled]\n    {NAMES[kind]} [cancelled]"
    )
    inner = telemetry.span(NAMES[kind])
    assert inner.end_time <= telemetry.span("invoke_workflow g").end_time
    assert handler.open_runs == 0


async def test_timeout_inside_a_step_that_goes_on(telemetry: RecordedSpans, hanging):
    """When a step gives up on its model and answers without it, only the model's run is cancelled."""

    async def body(text):
        try:
            await by_wait_for(hanging, hanging.chat().ainvoke("x"))
        except asyncio.CancelledError:
            return "without"

    chain = RunnableLambda(body).with_config(run_name="patient")
    assert await chain.ainvoke("x", {"callbacks": [telemetry.new_handler()]}) == "without"
    await exported(telemetry, 2)
    assert telemetry.tree() == "invoke_workflow patient\n  chat [cancelled]"


async def test_cancelled_stream_reports_its_partial_answer(telemetry: RecordedSpans, hanging):
    """A cancelled stream's span has the outcome, the time to the first chunk and the partial answer's length."""
    model = hanging.chat()

    async def consume():
        async for _ in model.astream("x", {"callbacks": [telemetry.new_handler()]}):
            pass

    await hanging.cancel(consume())
    await exported(telemetry, 1)
    span = telemetry.span("chat")
    assert span.attributes["otel_callbacks.outcome"] == "cancelled"
    assert span.attributes["otel_callbacks.stream.partial_length"] == len("hi")
    assert span.attributes["gen_ai.response.time_to_first_chunk"] > 0
    assert telemetry.count("gen_ai.client.operation.time_to_first_chunk") == 1


async def test_cancel_is_error(telemetry: RecordedSpans, hanging):
    """With `cancel_is_error`, cancelled runs have status ERROR and a type, on spans and metrics, however they end."""
    model = hanging.chat()

    async def body(text):
        return await model.ainvoke(text)

    chain = RunnableLambda(body).with_config(run_name="strict")
    work = chain.ainvoke("x", {"callbacks": [telemetry.new_handler(cancel_is_error=True)]})
    await hanging.cancel(work)
    await exported(telemetry, 2)
    cancelled = "asyncio.exceptions.CancelledError"
    assert telemetry.tree("error.type") == (
        f"invoke_workflow strict [cancelled] ERROR error.type={cancelled!r}\n"
        f"  chat [cancelled] ERROR error.type={cancelled!r}"
    )
    assert telemetry.count("gen_ai.client.operation.duration", error__type=cancelled) == 1
