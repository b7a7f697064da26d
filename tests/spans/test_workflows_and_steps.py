from contextlib import suppress
from uuid import uuid4

import pytest
from langchain_core.runnables import RunnableLambda, RunnableParallel, RunnablePassthrough
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph

from tests.support.models import ScriptedChat
from tests.support.programs import MESSAGES, agent, create_agent, graph, needs_contexts_of_tasks, weather
from tests.support.recorded_spans import RecordedSpans
from tests.support.sampling import RecordingSampler


def double(value):
    """Double the value, in a step with a name of its own."""
    return value * 2


@pytest.mark.parametrize(
    ("program", "value", "title"),
    [
        pytest.param(RunnableLambda(lambda x: x) | RunnableLambda(lambda x: x), 1, "invoke_workflow", id="sequence"),
        pytest.param(RunnableLambda(lambda x: x), 1, "invoke_workflow", id="lambda"),
        pytest.param(RunnableLambda(double), 1, "invoke_workflow double", id="function"),
        pytest.param(RunnableParallel(a=double, b=double), 1, "invoke_workflow", id="parallel"),
        pytest.param(RunnablePassthrough.assign(a=lambda x: 1), {}, "invoke_workflow", id="assign"),
        pytest.param(
            (RunnableLambda(double) | double).with_config(run_name="twice"),
            1,
            "invoke_workflow twice",
            id="named sequence",
        ),
    ],
)
def test_root_chain_has_a_name_only_if_one_was_chosen(telemetry: RecordedSpans, program, value, title):
    """Root chains are workflows, and names of LangChain's classes are not workflow names."""
    program.invoke(value, {"callbacks": [telemetry.new_handler()]})
    (root,) = [span for span in telemetry.spans if span.parent is None]
    assert root.name == title
    assert root.attributes.get("gen_ai.workflow.name") == (title.removeprefix("invoke_workflow").strip() or None)


@pytest.mark.parametrize(("name", "title"), [("trip", "invoke_workflow trip"), (None, "invoke_workflow")])
def test_root_graph_has_a_name_only_if_one_was_chosen(telemetry: RecordedSpans, name, title):
    """A root graph is a workflow, and without a name if it was compiled without one."""
    graph(name, only=lambda state: {"seen": [1]}).invoke({"seen": []}, {"callbacks": [telemetry.new_handler()]})
    assert telemetry.tree() == f"{title}\n  node only"


@pytest.mark.parametrize(("semconv", "key"), [("py-1.3", "gen_ai.workflow.name"), ("0.1.0", "gen_ai.agent.name")])
@pytest.mark.parametrize("is_ending_well", [True, False])
def test_name_of_a_root_is_in_the_spans_name_first(semconv, key, is_ending_well):
    """Samplers see a root's name in the name of its span; the attribute comes at the end, and is the metric's label."""
    sampler = RecordingSampler()
    telemetry = RecordedSpans(sampler)
    chain = RunnableLambda(lambda x: 1 // x, name="trip")
    with suppress(ZeroDivisionError):
        chain.invoke(1 if is_ending_well else 0, {"callbacks": [telemetry.new_handler(semconv=semconv)]})
    assert sampler.attributes == {"invoke_workflow trip": {"gen_ai.operation.name": "invoke_workflow"}}
    assert telemetry.span("invoke_workflow trip").attributes[key] == "trip"
    durations = "gen_ai.invoke_workflow.duration" if semconv == "py-1.3" else "gen_ai.invoke_agent.duration"
    assert [point.attributes[key] for point in telemetry.points(durations)] == ["trip"]
    telemetry.shutdown()


def test_node_has_its_name_and_step(telemetry: RecordedSpans):
    """A node's span has LangGraph's step and name and LangChain's run type and name under keys of our own."""
    program = graph("trip", start=lambda state: {"seen": [1]}, stop=lambda state: {"seen": [2]})
    program.invoke({"seen": []}, {"callbacks": [telemetry.new_handler()]})
    span = telemetry.span("node stop")
    assert span.kind.name == "INTERNAL"
    assert dict(span.attributes) == {
        "langchain.run_type": "chain",
        "langchain.run.name": "stop",
        "langgraph.node": "stop",
        "langgraph.step": 2,
        "otel_callbacks.outcome": "ok",
    }


def test_graph_in_a_chain_is_a_graph(telemetry: RecordedSpans):
    """A named graph that a step calls is recognised by its first node."""
    inner = graph("inner", only=lambda state: {"seen": [1]})
    chain = RunnableLambda(lambda x: inner.invoke({"seen": []})).with_config(run_name="outer")
    chain.invoke(1, {"callbacks": [telemetry.new_handler()]})
    assert telemetry.tree() == "invoke_workflow outer\n  graph inner\n    node only"


async def test_edge_without_a_name_is_no_step(telemetry: RecordedSpans):
    """A nameless function on an edge is no step; LangGraph reports it with a class's name, or in async code without."""
    program = StateGraph(dict)
    program.add_node("first", lambda state: {})
    program.add_node("last", lambda state: {})
    program.add_edge(START, "first")
    program.add_conditional_edges("first", lambda state: "last", ["last"])
    edges = program.compile()
    edges.invoke({}, {"callbacks": [telemetry.new_handler()]})
    await edges.ainvoke({}, {"callbacks": [telemetry.new_handler()]})
    assert telemetry.tree() == "\n".join(["invoke_workflow\n  node first\n  node last"] * 2)


def test_steps_carry_no_key_of_the_convention(telemetry: RecordedSpans):
    """Spans of steps, which the convention does not define, have only keys of our own."""
    inner = graph("inner", only=lambda state: {"seen": [1]})
    chain = RunnableLambda(lambda x: inner.invoke({"seen": []})) | RunnableLambda(list)
    chain.invoke(1, {"callbacks": [telemetry.new_handler(detail="all")]})
    steps = [span for span in telemetry.spans if span.parent is not None]
    assert len(steps) >= 4
    assert [key for span in steps for key in span.attributes if key.startswith("gen_ai.")] == []


def test_node_whose_graph_the_handler_did_not_see(telemetry: RecordedSpans):
    """A node is a node even if the handler is attached only inside the graph."""
    run_id = uuid4()
    handler = telemetry.new_handler()
    handler.on_chain_start(None, {}, run_id=run_id, parent_run_id=uuid4(), name="talk", tags=["graph:step:1"])
    handler.on_chain_end({}, run_id=run_id)
    assert telemetry.tree() == "node talk"


@task
def draft(text):
    """Return the text."""
    return text


@task(name="polish")
async def polish_slowly(text):
    """Return the text."""
    return text


@entrypoint()
def essay(text):
    """Have one task work."""
    return draft(text).result()


@entrypoint()
async def poem(text):
    """Have two tasks work."""
    return await polish_slowly(await draft_slowly(text))


@task
async def draft_slowly(text):
    """Return the text."""
    return text


def test_entrypoint_is_a_workflow_named_after_its_function(telemetry: RecordedSpans):
    """The root of an entrypoint has its function's name, and its tasks are steps with a duration each."""
    handler = telemetry.new_handler()
    essay.invoke("a", {"callbacks": [handler]})
    assert telemetry.tree() == "invoke_workflow essay\n  node essay\n    node draft"
    steps = telemetry.points("otel_callbacks.step.duration")
    assert {(step.attributes["langgraph.node"], step.attributes["otel_callbacks.workflow"]) for step in steps} == {
        ("essay", "essay"),
        ("draft", "essay"),
    }
    (workflow,) = telemetry.points("gen_ai.invoke_workflow.duration")
    assert workflow.attributes["gen_ai.workflow.name"] == "essay"


@needs_contexts_of_tasks
async def test_asynchronous_entrypoint(telemetry: RecordedSpans):
    """An asynchronous entrypoint and its tasks give the same spans."""
    await poem.ainvoke("a", {"callbacks": [telemetry.new_handler()]})
    assert telemetry.tree() == "invoke_workflow poem\n  node poem\n    node draft_slowly\n    node polish"


def test_entrypoint_inside_another(telemetry: RecordedSpans):
    """An entrypoint that another calls is a node in the caller's, and what its tasks call is no task."""
    inner = RunnableLambda(lambda text: text).with_config(run_name="draft")

    @task
    def draft(text):
        return inner.invoke(text)

    @entrypoint()
    def inside(text):
        return draft(text).result()

    @entrypoint()
    def outside(text):
        return inside.invoke(text)

    outside.invoke("a", {"callbacks": [telemetry.new_handler()]})
    assert telemetry.tree() == (
        "invoke_workflow outside\n  node outside\n    node inside\n      node draft\n        chain draft"
    )
    assert telemetry.count("otel_callbacks.step.duration") == 3


@pytest.mark.parametrize("entry", [True, False])
def test_names_of_graphs_that_look_like_entrypoints(telemetry: RecordedSpans, entry):
    """A chosen run name stays, and a state graph of one node gets no name from it."""
    if entry:
        essay.with_config(run_name="trip").invoke("a", {"callbacks": [telemetry.new_handler()]})
        assert telemetry.tree().startswith("invoke_workflow trip\n  node essay")
    else:
        graph(essay=lambda state: {"seen": [1]}).invoke({"seen": []}, {"callbacks": [telemetry.new_handler()]})
        assert telemetry.tree() == "invoke_workflow\n  node essay"


def test_task_in_a_node_makes_no_graph_of_what_calls_it(telemetry: RecordedSpans):
    """A task that a chain inside a node calls leaves the chain a chain."""
    caller = RunnableLambda(lambda text: draft(text).result()).with_config(run_name="caller")
    program = graph("trip", only=lambda state: {"seen": [caller.invoke("a")]})
    program.invoke({"seen": []}, {"callbacks": [telemetry.new_handler()]})
    assert telemetry.tree() == "invoke_workflow trip\n  node only\n    chain caller\n      node draft"


def test_step_duration_says_whose_node_it_is(telemetry: RecordedSpans):
    """Nodes of the same name are told apart by their agent, else by their workflow."""
    handler = telemetry.new_handler()
    only = graph("inner", model=lambda state: {"seen": [1]})
    graph("trip", model=lambda state: {"seen": [1]}, inner=only).invoke({"seen": []}, {"callbacks": [handler]})
    agent(ScriptedChat(script=["done"]), [weather], name="guide").invoke(MESSAGES, {"callbacks": [handler]})
    nodes = {
        (
            point.attributes["langgraph.node"],
            point.attributes.get("gen_ai.agent.name"),
            point.attributes.get("otel_callbacks.workflow"),
        )
        for point in telemetry.points("otel_callbacks.step.duration")
    }
    agents_node = "model" if create_agent else "agent"
    assert nodes == {("model", None, "trip"), ("inner", None, "trip"), (agents_node, "guide", None)}
