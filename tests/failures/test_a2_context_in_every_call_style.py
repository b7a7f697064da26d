import asyncio
import logging

import pytest
from langchain_core.runnables import RunnableLambda
from langchain_core.runnables.config import ContextThreadPoolExecutor
from opentelemetry import propagate, trace

from tests.support.models import ScriptedChat, calling
from tests.support.programs import MESSAGES, graph, needs_create_agent, run, tool_that, weather
from tests.support.recorded_spans import RecordedSpans


def _chain():
    return RunnableLambda(str.upper) | ScriptedChat(script=["a b c"]) | RunnableLambda(lambda message: message.content)


async def _call(way, config, *, is_broken_off):
    chain = _chain()
    if way in STREAMS:
        await _stream(chain, way, config, is_broken_off=is_broken_off)
    else:
        await run(chain, way, "x", config)


async def _stream(chain, way, config, *, is_broken_off):
    if way == "stream":
        for _ in chain.stream("x", config):
            if is_broken_off:
                return
        return
    options = {"version": "v2"} if way == "astream_events" else {}
    stream = getattr(chain, way)("x", config, **options)
    async for _ in stream:
        if is_broken_off:
            break
    await stream.aclose()


STREAMS = ["stream", "astream", "astream_events"]
CALLS = [(way, False) for way in ["invoke", "ainvoke", "batch", "abatch", *STREAMS]] + [(way, True) for way in STREAMS]


@pytest.mark.parametrize(("way", "is_broken_off"), CALLS)
async def test_no_call_fails_to_detach_its_context(telemetry: RecordedSpans, caplog, way, is_broken_off):
    """lf#8780, genai#677: no call logs to `opentelemetry.context`, and the application's span is current afterwards."""
    caplog.set_level(logging.DEBUG, "opentelemetry.context")
    with telemetry.tracer.start_as_current_span("req") as request:
        await _call(way, {"callbacks": [telemetry.new_handler()]}, is_broken_off=is_broken_off)
        assert trace.get_current_span().get_span_context() == request.get_span_context()
        telemetry.tracer.start_span("after").end()
    assert telemetry.parent_name(telemetry.span("after")) == "req"
    assert [record for record in caplog.records if record.name == "opentelemetry.context"] == []


@pytest.mark.parametrize("is_inside_a_span", [True, False])
def test_items_of_a_batch_are_siblings_or_traces_of_their_own(telemetry: RecordedSpans, is_inside_a_span):
    """lf#10163: eight items are eight siblings under the application's span, or eight traces without one."""
    config = {"callbacks": [telemetry.new_handler(detail="operations")]}
    if is_inside_a_span:
        with telemetry.tracer.start_as_current_span("req"):
            _chain().batch(["x"] * 8, config)
        assert telemetry.tree() == "req" + "\n  invoke_workflow\n    chat" * 8
    else:
        _chain().batch(["x"] * 8, config)
        assert telemetry.tree() == "\n".join(["invoke_workflow\n  chat"] * 8)
    assert len({span.context.trace_id for span in telemetry.spans}) == (1 if is_inside_a_span else 8)


def test_sub_agent_called_in_a_thread_pool_nests_under_the_tool(telemetry: RecordedSpans):
    """deepagents#2315: a sub-agent that a tool runs in LangChain's executor without a config nests under the tool."""
    helper = graph("helper", look=lambda state: {"seen": [weather.invoke({"city": "Oslo"})]})

    def ask():
        with ContextThreadPoolExecutor(max_workers=1) as pool:
            return pool.submit(helper.invoke, {"seen": []}).result()

    tool_that(ask).invoke({"city": "Oslo"}, {"callbacks": [telemetry.new_handler(detail="operations")]})
    assert telemetry.tree() == "execute_tool ask\n  execute_tool weather"


async def test_current_span_in_an_async_node_is_the_nodes_own(telemetry: RecordedSpans):
    """oinf#1304: under `astream_events`, an attribute set on the current span inside a node is on the node's span."""

    async def only(state):
        await asyncio.sleep(0)
        span = trace.get_current_span()
        assert span.is_recording()
        span.set_attribute("mine", "yes")
        return {"seen": [1]}

    config = {"callbacks": [telemetry.new_handler()]}
    _ = [event async for event in graph("g", only=only).astream_events({"seen": []}, config, version="v2")]
    assert [span.name for span in telemetry.spans if "mine" in span.attributes] == ["node only"]


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_what_a_tool_injects_names_the_tools_span(telemetry: RecordedSpans, way):
    """aws-otel-python#826, mcp-grafana#1084: headers injected in a tool carry the tool's span."""
    headers: dict[str, str] = {}
    ask = tool_that(lambda: propagate.inject(headers))
    config = {"callbacks": [telemetry.new_handler()]}
    await run(ask, way, {"city": "Oslo"}, config)
    span = telemetry.span("execute_tool ask").context
    assert headers["traceparent"].split("-")[1:3] == [f"{span.trace_id:032x}", f"{span.span_id:016x}"]


def test_root_joins_a_trace_of_another_process(telemetry: RecordedSpans):
    """contrib#4451: with the option on, a root joins the trace of headers that its metadata carries."""
    headers: dict[str, str] = {}
    tool_that(lambda: propagate.inject(headers)).invoke({"city": "Oslo"}, {"callbacks": [telemetry.new_handler()]})
    config = {"callbacks": [telemetry.new_handler(remote_parent=True)], "metadata": dict(headers)}
    ScriptedChat(script=["hi"]).invoke("x", config)
    assert telemetry.tree() == "execute_tool ask\n  chat"


def _audit(seen, *, fails=False):
    from langchain.agents.middleware import AgentMiddleware

    class Audit(AgentMiddleware):
        def before_agent(self, state, runtime):
            seen.append("before_agent")

        def before_model(self, state, runtime):
            seen.append("before_model")

        def wrap_model_call(self, request, handler):
            seen.append("wrap_model_call")
            if fails:
                raise PermissionError("not allowed")
            return handler(request)

        def wrap_tool_call(self, request, handler):
            seen.append("wrap_tool_call")
            return handler(request)

        def after_model(self, state, runtime):
            seen.append("after_model")

    return Audit()


def _run_agent(callbacks, *, fails):
    from langchain.agents import create_agent

    seen: list[str] = []
    model = ScriptedChat(script=[calling("weather", city="Oslo"), "sunny"])
    program = create_agent(model, [weather], middleware=[_audit(seen, fails=fails)], name="clerk")
    try:
        messages = program.invoke(MESSAGES, {"callbacks": callbacks})["messages"]
    except PermissionError as error:
        return seen, repr(error)
    return seen, [(message.type, message.content) for message in messages]


@needs_create_agent
@pytest.mark.parametrize("fails", [False, True])
def test_middleware_behaves_as_without_tracing(telemetry: RecordedSpans, fails):
    """ollm#4009, genai#44: agent middleware runs its hooks in the same order, with the same result or exception."""
    assert _run_agent([telemetry.new_handler()], fails=fails) == _run_agent([], fails=fails)
    assert "clerk" in telemetry.tree()


@needs_create_agent
def test_nothing_in_langchain_is_replaced(telemetry: RecordedSpans):
    """ollm#541: making and using a handler changes no attribute of LangChain's or LangGraph's classes."""
    from langchain.agents.middleware import AgentMiddleware
    from langchain_core.callbacks import BaseCallbackHandler, CallbackManager
    from langchain_core.language_models import BaseChatModel
    from langgraph.pregel import Pregel

    classes = (AgentMiddleware, BaseCallbackHandler, CallbackManager, BaseChatModel, Pregel)
    before = [dict(vars(kind)) for kind in classes]
    _run_agent([telemetry.new_handler()], fails=False)
    assert [dict(vars(kind)) for kind in classes] == before
