import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda

from tests.support.models import ScriptedChat
from tests.support.programs import graph, needs_contexts_of_tasks, run, weather
from tests.support.recorded_spans import RecordedSpans


@needs_contexts_of_tasks
async def test_async_graph_is_one_trace_with_every_run_under_its_parent(telemetry: RecordedSpans):
    """genai#513: an async graph is one trace, with each run below the one that LangChain states as its parent."""
    chain = ChatPromptTemplate.from_template("{seen}") | ScriptedChat(script=["hello"])

    async def talk(state):
        return {"seen": [await chain.ainvoke(state)]}

    async def look(state):
        return {"seen": [await weather.ainvoke({"city": "Oslo"})]}

    await graph("trip", talk=talk, look=look).ainvoke(
        {"seen": []}, {"callbacks": [telemetry.new_handler(detail="all")]}
    )
    assert telemetry.tree() == (
        "invoke_workflow trip\n"
        "  node talk\n"
        "    chain RunnableSequence\n"
        "      prompt ChatPromptTemplate\n"
        "      chat\n"
        "  node look\n"
        "    execute_tool weather"
    )
    assert len({span.context.trace_id for span in telemetry.spans}) == 1


async def test_own_spans_of_nodes_lie_under_the_node(telemetry: RecordedSpans):
    """ollm#3203, ls#1725: spans opened in sync and async nodes are the nodes' children; later ones are not."""
    tracer = telemetry.tracer

    def sync_node(state):
        with tracer.start_as_current_span("own in sync"):
            return {"seen": [1]}

    async def async_node(state):
        with tracer.start_as_current_span("own in async"):
            return {"seen": [2]}

    with tracer.start_as_current_span("req"):
        program = graph("g", first=async_node, second=sync_node)
        await program.ainvoke({"seen": []}, {"callbacks": [telemetry.new_handler()]})
        tracer.start_span("afterwards").end()
    assert telemetry.tree() == (
        "req\n  invoke_workflow g\n    node first\n      own in async\n    node second\n      own in sync\n  afterwards"
    )


@pytest.mark.parametrize(("way", "roots"), [("invoke", 1), ("ainvoke", 1), ("batch", 2), ("astream", 1)])
async def test_root_runs_join_the_applications_span(telemetry: RecordedSpans, way, roots):
    """lf#10721, ls#1682: however a chain is run, its root is a child of the application's current span."""
    chain = ScriptedChat(script=["hello"]) | RunnableLambda(lambda message: message.content)
    with telemetry.tracer.start_as_current_span("req"):
        await run(chain, way, "x", {"callbacks": [telemetry.new_handler()]})
    workflows = [span for span in telemetry.spans if span.name == "invoke_workflow"]
    assert [telemetry.parent_name(span) for span in workflows] == ["req"] * roots
    assert telemetry.parent_name(telemetry.span("req")) is None


def _markers_by_trace(telemetry: RecordedSpans) -> dict[int, tuple[set[str], int]]:
    """Return the markers that each trace's spans carry, and the number of spans, by trace id."""
    traces: dict[int, tuple[set[str], int]] = {}
    for span in telemetry.spans:
        markers, count = traces.get(span.context.trace_id, (set(), 0))
        traces[span.context.trace_id] = markers | {span.attributes["langchain.metadata.marker"]}, count + 1
    return traces


@needs_contexts_of_tasks
async def test_parallel_requests_on_one_handler_do_not_mix(telemetry: RecordedSpans):
    """lf#3491: one handler serves 50 tasks and 16 threads at once, and each request has its own complete trace."""
    handler = telemetry.new_handler(metadata_keys=("marker",))

    async def talk(state):
        await asyncio.sleep(0)
        return {"seen": [(await ScriptedChat(script=["hello"]).ainvoke("x")).content]}

    def look(state):
        return {"seen": [weather.invoke({"city": "Oslo"})]}

    def answer(state):
        return ScriptedChat(script=["hello"]).invoke("x")

    program = graph("g", talk=talk, look=look)
    chain = RunnableLambda(look) | RunnableLambda(answer)

    def config(marker):
        return {"callbacks": [handler], "metadata": {"marker": marker}}

    with ThreadPoolExecutor(16) as pool:
        threads = [pool.submit(chain.invoke, {"seen": []}, config(f"thread {n}")) for n in range(16)]
        await asyncio.gather(*(program.ainvoke({"seen": []}, config(f"task {n}")) for n in range(50)))
        for thread in threads:
            thread.result()
    traces = _markers_by_trace(telemetry)
    assert all(len(markers) == 1 for markers, _ in traces.values())
    assert sorted(count for _, count in traces.values()) == [5] * 66
    assert handler.open_runs == 0


class _OneDocument(BaseRetriever):
    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return [Document("cats purr")]


@pytest.mark.parametrize("is_inside_a_span", [True, False])
@pytest.mark.parametrize("inner", ["chat", "retrieval"])
def test_handler_on_the_inner_part_only(telemetry: RecordedSpans, caplog, inner, is_inside_a_span):
    """lf#1658, phx#1471: runs whose parents the handler never saw join the current span or are roots, without a log."""
    caplog.set_level(logging.DEBUG)
    handler = telemetry.new_handler()
    model = ScriptedChat(script=["hi"], callbacks=[handler])
    part = model if inner == "chat" else _OneDocument().with_config(callbacks=[handler])
    chain = RunnableLambda(lambda text: text) | part
    if is_inside_a_span:
        with telemetry.tracer.start_as_current_span("req"):
            chain.invoke("x")
    else:
        chain.invoke("x")
    assert telemetry.parent_name(telemetry.span(inner)) == ("req" if is_inside_a_span else None)
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []
    assert handler.open_runs == 0
