import asyncio
import logging
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda, RunnableParallel
from langchain_core.runnables.config import ContextThreadPoolExecutor
from langsmith import Client, traceable, tracing_context
from opentelemetry.sdk.trace import SpanProcessor

from tests.support.models import ScriptedChat
from tests.support.programs import WAYS, graph, needs_contexts_of_tasks, run, tool_that, weather
from tests.support.recorded_spans import RecordedSpans


def path(telemetry: RecordedSpans, span: Any) -> list[str]:
    """Return the names of the spans from the root down to this one."""
    by_id = {other.context.span_id: other for other in telemetry.spans}
    names = [span.name]
    while span.parent is not None:
        span = by_id[span.parent.span_id]
        names.insert(0, span.name)
    return names


@pytest.mark.parametrize("way", WAYS)
async def test_alternatives_of_a_fallback_stay_in_one_trace(telemetry: RecordedSpans, way):
    """genai#528: failing and answering alternatives are below the fallback, whatever parent LangChain states."""
    broken = ScriptedChat(script=[ValueError("down")])
    retried = broken.with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
    model = retried.with_fallbacks([ScriptedChat(script=["hi"])]).with_config(run_name="careful")
    chain = ChatPromptTemplate.from_template("{q}") | model
    await run(chain, way, {"q": "x"}, {"callbacks": [telemetry.new_handler()]})
    calls = 2 if "batch" in way else 1
    assert len([span for span in telemetry.spans if span.parent is None]) == calls
    chats = [span for span in telemetry.spans if span.name == "chat"]
    assert sum(span.status.is_unset for span in chats) == calls
    assert {tuple(path(telemetry, span)[:2]) for span in chats} == {("invoke_workflow", "chain careful")}


@pytest.mark.parametrize("way", WAYS)
async def test_fallback_as_root_is_one_trace(telemetry: RecordedSpans, way):
    """Each direct call of a fallback is one trace, which contains the alternatives."""
    model = ScriptedChat(script=[ValueError("down")]).with_fallbacks([ScriptedChat(script=["hi"])])
    await run(model, way, "x", {"callbacks": [telemetry.new_handler()]})
    calls = 2 if "batch" in way else 1
    assert telemetry.tree() == "\n".join(["invoke_workflow\n  chat [error] ERROR\n  chat"] * calls)


@pytest.mark.parametrize("way", ["batch", "abatch"])
@pytest.mark.parametrize("is_inside_a_span", [True, False])
async def test_batch_items_are_never_in_one_another(telemetry: RecordedSpans, way, is_inside_a_span):
    """Items of a batch are siblings under the application's span, or traces of their own if there is no such span."""
    chain = RunnableParallel(a=ScriptedChat(script=["a"]), b=ScriptedChat(script=["b"]))
    config = {"callbacks": [telemetry.new_handler()]}
    if is_inside_a_span:
        with telemetry.tracer.start_as_current_span("req"):
            await run(chain, way, "x", config)
        assert telemetry.tree() == "req" + "\n  invoke_workflow\n    chat\n    chat" * 2
    else:
        await run(chain, way, "x", config)
        assert telemetry.tree() == "\n".join(["invoke_workflow\n  chat\n  chat"] * 2)


def test_unknown_parent_means_the_ambient_span(telemetry: RecordedSpans, caplog):
    """A run that states an unknown parent joins the application's span, and nothing is logged."""
    caplog.set_level(logging.DEBUG)
    handler = telemetry.new_handler()
    run_id = uuid.uuid4()
    with telemetry.tracer.start_as_current_span("req"):
        handler.on_chain_start(None, {}, run_id=run_id, parent_run_id=uuid.uuid4(), name="lost")
        handler.on_chain_end({}, run_id=run_id)
    assert telemetry.tree() == "req\n  invoke_workflow lost"
    assert caplog.records == []


class SilentClient(Client):
    """LangSmith's client, which sends nothing."""

    def create_run(self, *args, **kwargs):
        """Send nothing."""

    def update_run(self, *args, **kwargs):
        """Send nothing."""


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_langsmiths_own_tracing_around_is_no_parent(telemetry: RecordedSpans, caplog, way):
    """Below `@traceable`, where LangChain states a LangSmith run as parent, the tree joins the application's span."""

    class ParentRecorder(BaseCallbackHandler):
        def on_chain_start(self, *args, parent_run_id=None, **kwargs):
            parents.append(parent_run_id)

    parents: list[Any] = []
    caplog.set_level(logging.INFO, "otel_callbacks")
    client = SilentClient(api_url="http://127.0.0.1:9", api_key="none", auto_batch_tracing=False, info={})
    chain = RunnableLambda(lambda text: text) | ScriptedChat(script=["hi"])
    config = {"callbacks": [telemetry.new_handler(detail="operations"), ParentRecorder()]}

    @traceable(client=client)
    async def outer() -> None:
        await run(chain, way, "x", config)

    with tracing_context(enabled=True, client=client), telemetry.tracer.start_as_current_span("req"):
        await outer()
    assert parents[0] is not None
    assert telemetry.tree() == "req\n  invoke_workflow\n    chat"
    assert caplog.records == []


def _program(telemetry: RecordedSpans) -> Callable[[str, Any], Any]:
    ask = tool_that(lambda: ScriptedChat(script=["hi"]).invoke("x").content)

    async def talk(state):
        await asyncio.sleep(0)
        return {"seen": [await ask.ainvoke({"city": "Oslo"})]}

    return graph(
        "g",
        look=lambda state: {"seen": [weather.invoke({"city": "Oslo"})]},
        talk=RunnableLambda(lambda state: {"seen": [ask.invoke({"city": "Oslo"})]}, talk).with_config(run_name="talk"),
    )


@needs_contexts_of_tasks
async def test_200_tasks_and_64_threads_share_a_handler_without_mixing(telemetry: RecordedSpans):
    """Every request gets one complete trace that carries only its own marker, and no run stays open."""
    program = _program(telemetry)
    handler = telemetry.new_handler(metadata_keys=("marker",), detail="operations")

    def config(marker):
        return {"callbacks": [handler], "metadata": {"marker": marker}}

    with ThreadPoolExecutor(64) as pool:
        threads = [pool.submit(program.invoke, {"seen": []}, config(f"thread {n}")) for n in range(64)]
        await asyncio.gather(*(program.ainvoke({"seen": []}, config(f"task {n}")) for n in range(200)))
        for thread in threads:
            thread.result()
    traces: dict[int, list[Any]] = {}
    for span in telemetry.spans:
        traces.setdefault(span.context.trace_id, []).append(span)
    markers = [{span.attributes["langchain.metadata.marker"] for span in spans} for spans in traces.values()]
    assert len(traces) == 264
    assert {len(own) for own in markers} == {1}
    assert len(set.union(*markers)) == 264
    names = [
        sorted((span.name, telemetry.parent_name(span)) for span in spans if span.parent) for spans in traces.values()
    ]
    expected = [
        ("chat", "execute_tool ask"),
        ("execute_tool ask", "invoke_workflow g"),
        ("execute_tool weather", "invoke_workflow g"),
    ]
    assert names == [expected] * 264
    assert handler.open_runs == 0


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("twice", ["same instance", "two instances"])
async def test_attached_twice_is_recorded_once(telemetry: RecordedSpans, way, twice):
    """One handler in two places, or two handlers on one provider, record one span and one measurement per run."""
    started = SpanProcessor()
    started.on_start = lambda span, parent_context=None: names.append(span.name)
    telemetry.tracer_provider.add_span_processor(started)
    names: list[str] = []
    first = telemetry.new_handler(detail="operations")
    second = first if twice == "same instance" else telemetry.new_handler(detail="operations")
    chain = (RunnableLambda(lambda text: text) | ScriptedChat(script=["hi"])).with_config(callbacks=[first])
    await run(chain, way, "x", {"callbacks": [second]})
    calls = 2 if "batch" in way else 1
    assert telemetry.tree() == "\n".join(["invoke_workflow\n  chat"] * calls)
    assert sorted(names) == sorted(span.name for span in telemetry.spans)
    assert telemetry.count("gen_ai.client.operation.duration") == calls
    assert telemetry.total("otel_callbacks.runs", langchain__run_type="chat") == calls
    assert first.open_runs == 0


def test_two_handlers_where_the_first_records_a_failed_run(telemetry: RecordedSpans):
    """An error that reaches two handlers on one provider is recorded once."""
    model = ScriptedChat(script=[ValueError("no")], callbacks=[telemetry.new_handler()])
    with pytest.raises(ValueError, match="no"):
        model.invoke("x", {"callbacks": [telemetry.new_handler()]})
    assert [event.name for event in telemetry.span("chat").events] == ["exception"]
    assert telemetry.count("gen_ai.client.operation.duration", error__type="ValueError") == 1
    assert telemetry.total("otel_callbacks.errors") == 0


def test_threads_of_langchains_executor_carry_the_run(telemetry: RecordedSpans):
    """Inside a tool, runs and own spans in a `ContextThreadPoolExecutor` nest under the tool."""

    def work(number):
        with telemetry.tracer.start_as_current_span("own"):
            return ScriptedChat(script=["hi"]).invoke(str(number)).content

    def fan_out():
        with ContextThreadPoolExecutor(max_workers=2) as pool:
            return list(pool.map(work, range(3)))

    tool_that(fan_out).invoke({"city": "Oslo"}, {"callbacks": [telemetry.new_handler()]})
    assert telemetry.tree() == "execute_tool ask" + "\n  own\n    chat" * 3
