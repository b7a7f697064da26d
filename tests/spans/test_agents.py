import pytest
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, create_react_agent, tools_condition

from tests.support.models import ScriptedChat, calling
from tests.support.programs import (
    CORE,
    MESSAGES,
    create_agent,
    needs_contexts_of_tasks,
    needs_create_agent,
    tool_that,
    weather,
)
from tests.support.recorded_spans import RecordedSpans
from tests.support.sampling import RecordingSampler

pytestmark = pytest.mark.filterwarnings("ignore:create_react_agent has been moved")


def asking(tool):
    """Make a model that calls a tool once and is done then."""
    return ScriptedChat(script=[calling(tool, city="Oslo"), "done"])


def agents(telemetry: RecordedSpans) -> str:
    """Draw the agent, graph and tool spans as a tree."""
    lines = telemetry.tree("gen_ai.agent.name").split("\n")
    return "\n".join(line for line in lines if line.split()[0] in {"invoke_agent", "graph", "execute_tool"})


def calls(telemetry: RecordedSpans, metric: str) -> dict[str | None, float]:
    """Return the number of model or tool calls that each agent made itself, by the agent's name."""
    points = telemetry.points(f"gen_ai.invoke_agent.{metric}")
    return {point.attributes.get("gen_ai.agent.name"): point.sum for point in points}


def _in_async(way):
    return pytest.param(way, marks=needs_contexts_of_tasks)


async def _run(program, way, config):
    if way == "invoke":
        program.invoke(MESSAGES, config)
    elif way == "ainvoke":
        await program.ainvoke(MESSAGES, config)
    elif way == "stream":
        list(program.stream(MESSAGES, config, stream_mode="messages"))
    else:
        [chunk async for chunk in program.astream(MESSAGES, config)]


@pytest.mark.parametrize("way", ["invoke", _in_async("ainvoke"), "stream", _in_async("astream")])
@pytest.mark.parametrize(("name", "title"), [("helper", "invoke_agent helper"), (None, "invoke_agent")])
async def test_react_agent_is_recognised_by_its_parts(telemetry: RecordedSpans, way, name, title):
    """LangGraph's `create_react_agent` is recognised by its prompt step, as nothing at its start marks it."""
    program = create_react_agent(asking("weather"), [weather], name=name, prompt="Be brief.")
    await _run(program, way, {"callbacks": [telemetry.new_handler()]})
    root = telemetry.span(title)
    assert root.attributes["gen_ai.operation.name"] == "invoke_agent"
    assert root.attributes.get("gen_ai.agent.name") == name
    assert telemetry.span("execute_tool weather").attributes.get("gen_ai.agent.name") == name
    assert calls(telemetry, "inference_calls") == {name: 2}
    assert calls(telemetry, "tool_calls") == {name: 1}
    assert telemetry.count("gen_ai.invoke_agent.duration") == 1
    assert telemetry.count("gen_ai.invoke_workflow.duration") == 0


@needs_create_agent
@pytest.mark.parametrize("way", ["invoke", _in_async("ainvoke")])
@pytest.mark.parametrize(("name", "title"), [("helper", "invoke_agent helper"), (None, "invoke_agent")])
async def test_create_agent_of_every_release(telemetry: RecordedSpans, way, name, title):
    """`create_agent` is an agent with its name and calls, recognised by LangChain's marks or, in 1.0, by its edges."""
    program = create_agent(asking("weather"), [weather], name=name)
    await _run(program, way, {"callbacks": [telemetry.new_handler()]})
    assert telemetry.span(title).attributes["gen_ai.operation.name"] == "invoke_agent"
    assert telemetry.span("execute_tool weather").attributes.get("gen_ai.agent.name") == name
    assert calls(telemetry, "inference_calls") == {name: 2}
    assert calls(telemetry, "tool_calls") == {name: 1}


def lookalike(entry, name=None, body=None):
    """Build a graph by hand that has the nodes of an agent."""
    model = asking("weather")
    builder = StateGraph(MessagesState)
    builder.add_node(entry, body or (lambda state: {"messages": [model.invoke(state["messages"])]}))
    builder.add_node("tools", ToolNode([weather]))
    builder.add_edge(START, entry)
    builder.add_conditional_edges(entry, tools_condition)
    builder.add_edge("tools", entry)
    return builder.compile(name=name)


def named_call_model(entry):
    """Build a lookalike whose node runs a function with the name of a part of LangGraph's agent."""
    model = asking("weather")

    def call_model(state):
        return {"messages": [model.invoke(state["messages"])]}

    return lookalike(entry, "mine", RunnableLambda(call_model))


@pytest.mark.parametrize("entry", ["model", "agent"])
@pytest.mark.parametrize(
    "build", [lambda entry: lookalike(entry, "mine"), named_call_model], ids=["lambda", "call_model"]
)
def test_graph_that_looks_like_an_agent_is_a_workflow(telemetry: RecordedSpans, entry, build):
    """Nodes called "model", "agent" and "tools" do not make a graph an agent."""
    build(entry).invoke(MESSAGES, {"callbacks": [telemetry.new_handler()]})
    assert telemetry.span("invoke_workflow mine").attributes["gen_ai.operation.name"] == "invoke_workflow"
    assert not [span for span in telemetry.spans if span.name.startswith("invoke_agent")]
    assert calls(telemetry, "inference_calls") == {}


def test_name_with_agent_in_it_is_no_agent(telemetry: RecordedSpans):
    """A chain called "reagent_parser" is a chain, and a root called "agent" is a workflow."""
    inner = RunnableLambda(lambda text: text).with_config(run_name="reagent_parser")
    chain = RunnableLambda(lambda text: inner.invoke(text)).with_config(run_name="agent")  # noqa: PLW0108 - keeps config out
    chain.invoke("x", {"callbacks": [telemetry.new_handler()]})
    assert telemetry.tree() == "invoke_workflow agent\n  chain reagent_parser"


@needs_create_agent
@pytest.mark.parametrize("outer", ["boss", None])
@pytest.mark.parametrize(
    ("build", "inner"),
    [
        pytest.param(lambda: create_agent(asking("weather"), [weather], name="aide"), "aide", id="named"),
        pytest.param(lambda: create_agent(asking("weather"), [weather]), None, id="unnamed"),
        pytest.param(lambda: create_agent(asking("weather"), [weather], name="boss"), "boss", id="same name"),
        pytest.param(lambda: create_react_agent(asking("weather"), [weather], name="aide"), "aide", id="react"),
        pytest.param(lambda: create_react_agent(asking("weather"), [weather]), None, id="unnamed react"),
    ],
)
def test_agent_in_a_tool_of_an_agent(telemetry: RecordedSpans, outer, build, inner):
    """An agent inside another one is a separate agent with its own name, if any, and its own calls."""
    program = create_agent(asking("ask"), [tool_that(lambda: build().invoke(MESSAGES))], name=outer)
    program.invoke(MESSAGES, {"callbacks": [telemetry.new_handler()]})

    def line(title, name):
        return f"{title} gen_ai.agent.name={name!r}" if name else title

    def agent_line(name):
        return line(f"invoke_agent {name}", name) if name else "invoke_agent"

    assert agents(telemetry).split("\n") == [
        agent_line(outer),
        "    " + line("execute_tool ask", outer),
        "      " + agent_line(inner),
        "          " + line("execute_tool weather", inner),
    ]
    each = {outer: 2, inner: 2} if outer != inner else {outer: 4}
    assert calls(telemetry, "inference_calls") == each


@needs_create_agent
@pytest.mark.parametrize("name", ["mine", None])
@pytest.mark.parametrize("entry", ["model", "agent", "other"])
def test_graph_in_a_tool_of_an_agent_is_no_agent(telemetry: RecordedSpans, name, entry):
    """A graph that an agent's tool calls is no agent despite the inherited marks, and its calls are the agent's."""
    tool = tool_that(lambda: lookalike(entry, name).invoke(MESSAGES))
    create_agent(asking("ask"), [tool], name="boss").invoke(MESSAGES, {"callbacks": [telemetry.new_handler()]})
    assert agents(telemetry) == (
        "invoke_agent boss gen_ai.agent.name='boss'\n"
        "    execute_tool ask gen_ai.agent.name='boss'\n"
        f"      graph {name or 'LangGraph'}\n"
        "          execute_tool weather gen_ai.agent.name='boss'"
    )
    assert calls(telemetry, "inference_calls") == {"boss": 4}
    assert calls(telemetry, "tool_calls") == {"boss": 2}


@needs_create_agent
def test_chain_in_a_tool_of_an_agent_is_a_chain(telemetry: RecordedSpans):
    """A chain that an unnamed agent's tool calls is no agent despite the inherited marks."""
    chain = RunnableLambda(lambda text: text).with_config(run_name="shorten")
    program = create_agent(asking("ask"), [tool_that(lambda: chain.invoke("x"))])
    program.invoke(MESSAGES, {"callbacks": [telemetry.new_handler()]})
    assert telemetry.parent_name(telemetry.span("chain shorten")) == "execute_tool ask"


@needs_create_agent
@pytest.mark.parametrize("name", ["helper", None])
def test_agent_as_a_node_and_in_a_sequence(telemetry: RecordedSpans, name):
    """An agent that is a graph's node or a sequence's step is still an agent."""
    config = {"callbacks": [telemetry.new_handler()]}
    builder = StateGraph(MessagesState).add_node("desk", create_agent(asking("weather"), [weather], name=name))
    builder.add_edge(START, "desk").compile(name="office").invoke(MESSAGES, config)
    (RunnableLambda(lambda state: state) | create_agent(asking("weather"), [weather], name=name)).invoke(
        MESSAGES, config
    )
    title = f"invoke_agent {name}" if name else "invoke_agent"
    parents = [telemetry.parent_name(span) for span in telemetry.spans if span.name == title]
    assert parents == ["node desk", "invoke_workflow"]


def test_deep_agent_and_its_sub_agent(telemetry: RecordedSpans):
    """Deep agents, which have a mark of their own, and their sub-agents are agents; a step of theirs is not."""
    root = RunnableLambda(lambda x: sub.invoke(x)).with_config(run_name="LangGraph")  # noqa: PLW0108
    sub = RunnableLambda(lambda x: step.invoke(x)).with_config(  # noqa: PLW0108
        run_name="researcher",
        metadata={"ls_integration": "langchain_create_agent", "lc_agent_name": "researcher"},
    )
    step = RunnableLambda(lambda x: x).with_config(run_name="think")
    metadata = {"ls_integration": "deepagents", "lc_agent_name": "planner", "lc_versions": {"deepagents": "0.7.32"}}
    root.invoke("x", {"callbacks": [telemetry.new_handler()], "metadata": metadata})
    assert telemetry.tree() == "invoke_agent planner\n  invoke_agent researcher\n    chain think"


def run_executor(config):
    """Run a legacy executor whose agent asks for the weather."""
    module = "langchain_classic.agents" if CORE >= (1, 0) else "langchain.agents"
    legacy = pytest.importorskip(module, reason="langchain-classic is not installed")
    prompt = ChatPromptTemplate.from_messages([("human", "{input}"), ("placeholder", "{agent_scratchpad}")])
    runnable = legacy.create_tool_calling_agent(asking("weather"), [weather], prompt)
    legacy.AgentExecutor(agent=runnable, tools=[weather]).invoke({"input": "hi"}, config)


def test_legacy_executor_is_an_agent(telemetry: RecordedSpans):
    """The legacy `AgentExecutor` is an agent without a name, as its class's name is not one."""
    run_executor({"callbacks": [telemetry.new_handler(detail="operations")]})
    assert telemetry.tree("gen_ai.agent.name") == "invoke_agent\n  chat\n  execute_tool weather\n  chat"
    assert calls(telemetry, "inference_calls") == {None: 2}


def test_executor_with_a_run_name_is_an_agent_of_that_name(telemetry: RecordedSpans):
    """An executor has no name of its own, so its run's name is the agent's."""
    run_executor({"callbacks": [telemetry.new_handler(detail="operations")], "run_name": "support"})
    assert telemetry.tree() == "invoke_agent support\n  chat\n  execute_tool weather\n  chat"


def test_sampler_sees_an_agent_that_is_recognised_late_as_a_workflow():
    """A sampler decides on `create_react_agent` as a workflow, as it is recognised after its span was sampled."""
    sampler = RecordingSampler()
    telemetry = RecordedSpans(sampler)
    program = create_react_agent(asking("weather"), [weather], name="helper")
    program.invoke(MESSAGES, {"callbacks": [telemetry.new_handler()]})
    assert "invoke_workflow helper" in sampler.attributes
    assert "invoke_agent helper" not in sampler.attributes
    assert telemetry.span("invoke_agent helper")


def test_runs_that_are_open_when_an_agent_is_recognised_belong_to_it(telemetry: RecordedSpans):
    """Runs inside the node by which an agent is recognised belong to the agent."""

    class Curious(ScriptedChat):
        def _generate(self, messages, **kwargs):
            return super()._generate(weather.invoke({"city": "Oslo"}), **kwargs)

    program = create_react_agent(Curious(script=["done"]), [weather], name="helper")
    program.invoke(MESSAGES, {"callbacks": [telemetry.new_handler()]})
    assert telemetry.span("execute_tool weather").attributes["gen_ai.agent.name"] == "helper"
    assert calls(telemetry, "tool_calls") == {"helper": 1}
