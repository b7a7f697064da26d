import subprocess
import sys
import textwrap
from collections import OrderedDict
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send, interrupt

from otel_callbacks._runs import pauses as _links
from tests.support.pauses import approval, in_graph, in_tool
from tests.support.programs import State, graph, needs_contexts_of_tasks
from tests.support.recorded_spans import RecordedSpans

try:
    import langgraph.callbacks  # noqa: F401

    reports_pauses = True
except ImportError:
    reports_pauses = False

needs_graph_callbacks = pytest.mark.skipif(
    not reports_pauses, reason="on_interrupt and on_resume came with LangGraph 1.2"
)


def on(telemetry: RecordedSpans, thread: str = "t", **options: Any) -> dict[str, Any]:
    """Return a configuration with a new handler, on that LangGraph thread."""
    return {"callbacks": [telemetry.new_handler(**options)], "configurable": {"thread_id": thread}}


def links(telemetry: RecordedSpans) -> list[tuple[str, str]]:
    """Return the names of the linking and the linked span of each link, in the order of the linking spans' starts."""
    names = {span.context.span_id: span.name for span in telemetry.spans}
    by_start = sorted(telemetry.spans, key=lambda span: span.start_time)
    assert all(
        dict(link.attributes) == {"otel_callbacks.link.kind": "resume"} for span in by_start for link in span.links
    )
    return [(span.name, names[link.context.span_id]) for span in by_start for link in span.links]


def interrupted(telemetry: RecordedSpans) -> list[str]:
    """Return the names of the spans that ended as interrupted."""
    return [s.name for s in telemetry.spans if s.attributes["otel_callbacks.outcome"] == "interrupted"]


@pytest.mark.parametrize("build", [approval, in_tool, in_graph])
def test_pause_carries_the_ids_langgraph_gives(telemetry: RecordedSpans, build):
    """Every span that pauses names the interrupt that a resume will answer."""
    program = build()
    config = on(telemetry)
    program.invoke({"seen": []}, config)
    pending = [entry for task in program.get_state(config).tasks for entry in task.interrupts]
    ids = tuple(getattr(entry, "id", None) or entry.interrupt_id for entry in pending)
    recorded_ids = {
        span.attributes.get("langgraph.interrupt.ids")
        for span in telemetry.spans
        if span.name != "invoke_workflow approval"
    }
    assert recorded_ids == {ids}
    assert len(ids) == 1


@pytest.mark.parametrize("build", [in_graph, in_tool])
@pytest.mark.parametrize("capture", ["no_content", "span_only"])
def test_pause_is_an_event_without_payload(telemetry: RecordedSpans, build, capture):
    """Every span that ends as interrupted, and no other, has one event that says so and carries nothing."""
    build().invoke({"seen": []}, on(telemetry, capture=capture))
    paused = interrupted(telemetry)
    assert len(paused) >= 2
    events = [(span.name, dict(event.attributes)) for span in telemetry.spans for event in span.events]
    assert sorted(events) == sorted((name, {}) for name in paused)


@needs_graph_callbacks
def test_pausing_graph_names_its_checkpoint(telemetry: RecordedSpans):
    """A paused graph ends as interrupted, with the interrupt's id and the checkpoint to continue from."""
    program = approval()
    config = on(telemetry)
    program.invoke({"seen": []}, config)
    root = telemetry.span("invoke_workflow approval")
    assert root.attributes["otel_callbacks.outcome"] == "interrupted"
    assert (
        root.attributes["langgraph.checkpoint.id"] == program.get_state(config).config["configurable"]["checkpoint_id"]
    )
    assert len(root.attributes["langgraph.interrupt.ids"]) == 1


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (approval, []),
        (in_tool, []),
        (in_graph, [("node deep", "node deep")]),
    ],
)
def test_resumed_run_links_to_what_was_interrupted(telemetry: RecordedSpans, build, expected):
    """The resumed graph and node link to the paused node, even with another handler, in the same conversation."""
    program = build()
    program.invoke({"seen": []}, on(telemetry))
    paused = set(interrupted(telemetry))
    program.invoke(Command(resume="yes"), on(telemetry))
    assert links(telemetry) == [
        ("invoke_workflow approval", "node pausing"),
        ("node pausing", "node pausing"),
        *expected,
    ]
    assert "node pausing" in paused
    assert {span.attributes["gen_ai.conversation.id"] for span in telemetry.spans} == {"t"}
    assert len({span.context.trace_id for span in telemetry.spans}) == 2


def test_resumed_run_links_where_nodes_are_hidden(telemetry: RecordedSpans):
    """With `detail="operations"`, the resumed graph links to the graph that paused."""
    program = approval()
    program.invoke({"seen": []}, on(telemetry, detail="operations"))
    program.invoke(Command(resume="yes"), on(telemetry, detail="operations"))
    assert links(telemetry) == [("invoke_workflow approval", "invoke_workflow approval")]


@needs_contexts_of_tasks
async def test_resume_in_async_code_inside_a_chain(telemetry: RecordedSpans):
    """When a chain resumes a graph, the graph's span has the link, not the chain's."""
    program = approval()

    async def call(value):
        return await program.ainvoke(value, {"configurable": {"thread_id": "t"}})

    chain = RunnableLambda(call).with_config(run_name="app")
    await chain.ainvoke({"seen": []}, {"callbacks": [telemetry.new_handler()]})
    await chain.ainvoke(Command(resume="yes"), {"callbacks": [telemetry.new_handler()]})
    assert links(telemetry) == [("graph approval", "node pausing"), ("node pausing", "node pausing")]


def test_new_input_on_a_paused_thread_is_no_resume(telemetry: RecordedSpans):
    """New input on a paused thread starts from scratch and links to nothing."""
    program = approval()
    program.invoke({"seen": []}, on(telemetry))
    program.invoke({"seen": []}, on(telemetry))
    assert links(telemetry) == []


def test_other_threads_and_other_graphs_are_not_linked(telemetry: RecordedSpans):
    """Each thread's resume links to its own pause, and so does another graph's on a thread of the same name."""
    first, second = approval(), approval()
    for program, thread in ((first, "a"), (first, "b"), (second, "a")):
        program.invoke({"seen": [f"{id(program)} {thread}"]}, on(telemetry, thread))
    paused = {span.context.span_id: span.context.trace_id for span in telemetry.spans if span.name == "node pausing"}
    traces = [span.context.trace_id for span in telemetry.spans if span.parent is None]
    telemetry.clear()
    for program, thread in ((second, "a"), (first, "b"), (first, "a")):
        program.invoke(Command(resume="yes"), on(telemetry, thread))
    roots = [span for span in telemetry.spans if span.parent is None]
    assert [[paused[link.context.span_id] for link in root.links] for root in roots] == [
        [trace] for trace in traces[::-1]
    ]


def test_resume_that_pauses_again(telemetry: RecordedSpans):
    """When a node asks twice, each resumed run links to the one before it."""
    program = approval(lambda state: {"seen": [interrupt("first?"), interrupt("second?")]})
    program.invoke({"seen": []}, on(telemetry))
    for _ in range(2):
        program.invoke(Command(resume="yes"), on(telemetry))
    nodes = sorted((span for span in telemetry.spans if span.name == "node pausing"), key=lambda span: span.start_time)
    assert [[link.context for link in node.links] for node in nodes] == [[], [nodes[0].context], [nodes[1].context]]
    assert interrupted(telemetry).count("node pausing") == 2


def test_parallel_pauses_are_linked_one_by_one(telemetry: RecordedSpans):
    """Answering one of two paused branches resumes that one, pauses the other again, and links each to its pause."""
    builder = StateGraph(State).add_node("branch", lambda state: {"seen": [interrupt(str(state["seen"]))]})
    builder.add_conditional_edges(START, lambda state: [Send("branch", {"seen": [number]}) for number in range(2)])
    program = builder.compile(checkpointer=InMemorySaver(), name="approval")
    config = on(telemetry)
    program.invoke({"seen": []}, config)
    before = [span.context for span in telemetry.spans if span.name == "node branch"]
    entry = program.get_state(config).tasks[0].interrupts[0]
    telemetry.clear()
    program.invoke(Command(resume={getattr(entry, "id", None) or entry.interrupt_id: "yes"}), config)
    after = [span for span in telemetry.spans if span.name == "node branch"]
    linked = [link.context for span in after for link in span.links]
    assert {context.span_id for context in linked} == {context.span_id for context in before}
    assert sorted(span.attributes["otel_callbacks.outcome"] for span in after) == ["interrupted", "ok"]


@pytest.mark.parametrize("asks", ["the entrypoint", "a task"])
def test_functional_api(telemetry: RecordedSpans, asks):
    """An entrypoint and its tasks pause, resume and link like graphs and nodes."""

    @task
    def ask(question):
        return interrupt(question)

    @entrypoint(checkpointer=InMemorySaver())
    def flow(question):
        return interrupt(question) if asks == "the entrypoint" else ask(question).result()

    flow.invoke("go on?", on(telemetry))
    assert flow.invoke(Command(resume="yes"), on(telemetry)) == "yes"
    assert [span.status.is_unset for span in telemetry.spans] == [True] * len(telemetry.spans)
    assert ("node flow", "node flow") in links(telemetry)


@needs_graph_callbacks
@pytest.mark.parametrize("where", [{"interrupt_before": ["second"]}, {"interrupt_after": ["first"]}])
def test_breakpoints_between_nodes(telemetry: RecordedSpans, where):
    """A graph that stops before or after a node ends as interrupted, and the run that continues it links to it."""
    builder = (
        StateGraph(State).add_node("first", lambda state: {"seen": [1]}).add_node("second", lambda state: {"seen": [2]})
    )
    builder.add_edge(START, "first").add_edge("first", "second")
    program = builder.compile(checkpointer=InMemorySaver(), name="stepwise", **where)
    program.invoke({"seen": []}, on(telemetry))
    assert telemetry.tree() == "invoke_workflow stepwise [interrupted]\n  node first"
    program.invoke(None, on(telemetry))
    assert links(telemetry) == [("invoke_workflow stepwise", "invoke_workflow stepwise")]


def test_resume_in_another_process_is_named_by_the_caller(telemetry: RecordedSpans):
    """`metadata={"otel_callbacks.resume": traceparent}` links a root to where the caller says it paused."""
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    config = on(telemetry) | {"metadata": {"otel_callbacks.resume": traceparent}}
    graph("g", only=lambda state: {"seen": [1]}).invoke({"seen": []}, config)
    root = telemetry.span("invoke_workflow g")
    assert [f"{link.context.trace_id:032x} {link.context.span_id:016x}" for link in root.links] == [
        "0af7651916cd43dd8448eb211c80319c b7ad6b7169203331"
    ]
    assert root.parent is None
    assert telemetry.span("node only").links == ()


def test_value_that_is_not_a_traceparent_is_ignored(telemetry: RecordedSpans):
    """A run whose resume value is not a traceparent is recorded without a link."""
    config = on(telemetry) | {"metadata": {"otel_callbacks.resume": {"not": "text"}}}
    graph("g", only=lambda state: {"seen": [1]}).invoke({"seen": []}, config)
    assert links(telemetry) == []
    assert telemetry.total("otel_callbacks.errors") == 0


def test_memory_of_pauses_is_bounded(telemetry: RecordedSpans, monkeypatch):
    """Threads that are never resumed are forgotten, the oldest first."""
    monkeypatch.setattr(_links, "_MAX_PAUSES", 3)
    monkeypatch.setattr(_links, "_pauses", OrderedDict())
    program = approval()
    for thread in range(5):
        program.invoke({"seen": []}, on(telemetry, str(thread)))
    assert len(_links._pauses) == 3
    telemetry.clear()
    for thread in (0, 4):
        program.invoke(Command(resume="yes"), on(telemetry, str(thread)))
    assert [len(span.links) for span in telemetry.spans if span.parent is None] == [0, 1]


LATE = """
    from tests.support.recorded_spans import RecordedSpans
    telemetry = RecordedSpans()
    handler = telemetry.new_handler()
    import sys
    assert "langgraph" not in sys.modules
    from tests.life.test_interrupts import approval, links
    from langgraph.types import Command
    config = {"callbacks": [handler], "configurable": {"thread_id": "t"}}
    program = approval(interrupt_before=["pausing"])
    program.invoke({"seen": []}, config)
    program.invoke(None, config)
    assert telemetry.spans[0].attributes["otel_callbacks.outcome"] == "interrupted", telemetry.tree()
    assert links(telemetry) == [("invoke_workflow approval", "invoke_workflow approval")]
"""


@needs_graph_callbacks
def test_handler_made_before_langgraph_was_imported():
    """A handler made before LangGraph is imported still records pauses and resumes."""
    process = subprocess.run([sys.executable, "-c", textwrap.dedent(LATE)], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
