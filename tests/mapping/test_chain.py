from dataclasses import replace

import pytest

from otel_callbacks._mapping import chain
from otel_callbacks._mapping.records import Inherited
from otel_callbacks.semconv import DIALECTS
from tests.mapping.records import start

CREATE_AGENT = {"ls_integration": "langchain_create_agent"}
NAMED_AGENT = {**CREATE_AGENT, "lc_agent_name": "weather"}


def plan(name, inherited=None, *, is_root=False, run_type="chain", **fields):
    """Return the plan of a chain's run, inside another run unless it is a root."""
    record = start(run_type, name, **fields)
    return chain.plan(record, inherited or Inherited(), DIALECTS["py-1.3"], is_root)


@pytest.mark.parametrize("name", ["qa", "fanout", "My chain", "weather_agent", "reagent_parser"])
def test_root_with_a_chosen_name_is_a_workflow_of_that_name(name):
    """A root chain or graph with a chosen name is a workflow of that name."""
    workflow = plan(name, is_root=True)
    assert (workflow.operation, workflow.name) == ("invoke_workflow", f"invoke_workflow {name}")
    assert workflow.attributes["gen_ai.workflow.name"] == name


@pytest.mark.parametrize(
    "name",
    ["RunnableSequence", "RunnableLambda", "<lambda>", "LangGraph", "RunnableParallel<a,b>", "RunnableAssign<x>", ""],
)
def test_root_named_after_a_class_is_a_workflow_without_name(name):
    """A root named after a class is a workflow without a name, as the class says nothing about it."""
    workflow = plan(name, is_root=True)
    assert (workflow.operation, workflow.name) == ("invoke_workflow", "invoke_workflow")
    assert "gen_ai.workflow.name" not in workflow.attributes


def test_graph_node():
    """A run with LangGraph's step tag is a node, even with an agent's inherited marks."""
    node = plan("model", tags=["graph:step:3"], metadata=NAMED_AGENT)
    assert (node.operation, node.name) == ("node", "node model")
    assert node.attributes["langgraph.node"] == "model"
    assert node.attributes["langgraph.step"] == 3


@pytest.mark.parametrize(
    ("name", "run_type", "tags", "operation"),
    [
        ("qa", "chain", (), "chain"),
        ("RunnableLambda", "chain", (), "chain"),
        ("reagent_parser", "chain", (), "chain"),
        ("agent", "chain", (), "chain"),
        ("LangGraph", "chain", (), "graph"),
        ("ChatPromptTemplate", "prompt", (), "prompt"),
        ("StrOutputParser", "parser", (), "parser"),
        ("RunnableSequence", "chain", (), "plumbing"),
        ("RunnableParallel<a,b>", "chain", (), "plumbing"),
        ("ChannelWrite<x>", "chain", (), "plumbing"),
        ("_write", "chain", (), "plumbing"),
        ("", "chain", (), "plumbing"),
        ("qa", "chain", ("langsmith:hidden",), "plumbing"),
    ],
)
def test_inner_chain(name, run_type, tags, operation):
    """Inner chains are steps of their kind, or plumbing if only LangChain needs them, whatever "agent" in a name."""
    assert plan(name, run_type=run_type, tags=tags).operation == operation


@pytest.mark.parametrize("is_root", [True, False])
@pytest.mark.parametrize("tags", [(), ("seq:step:2",)])
def test_mark_of_create_agent_makes_an_agent(is_root, tags):
    """A run that carries an agent's mark is that agent, at the root or not, in a sequence or not."""
    agent = plan("run name", is_root=is_root, tags=tags, metadata=NAMED_AGENT)
    assert (agent.operation, agent.name) == ("invoke_agent", "invoke_agent weather")
    assert agent.attributes["gen_ai.agent.name"] == "weather"
    assert agent.inherit.agent_name == "weather"


def test_deep_agent_is_an_agent():
    """A run with the mark of deep agents is an agent."""
    metadata = {"ls_integration": "deepagents", "lc_agent_name": "researcher", "lc_versions": {"deepagents": "0.7.32"}}
    assert plan("researcher", is_root=True, metadata=metadata).name == "invoke_agent researcher"


@pytest.mark.parametrize(("run_name", "title"), [("LangGraph", "invoke_agent"), ("helpdesk", "invoke_agent helpdesk")])
def test_agent_without_a_name_takes_the_runs_if_that_was_chosen(run_name, title):
    """An agent without a name takes the run's name if that is not a class's; else it has none."""
    assert plan(run_name, is_root=True, metadata=CREATE_AGENT).name == title


def test_descendants_with_the_inherited_mark_are_not_agents():
    """Below an agent, where LangChain repeats its mark on all runs, only a new mark makes an agent."""
    agent = plan("weather", is_root=True, metadata=NAMED_AGENT)
    assert plan("helper", agent.inherit, metadata=NAMED_AGENT).operation == "chain"
    assert plan("helper", agent.inherit, metadata={**NAMED_AGENT, "lc_agent_name": "inner"}).operation == "invoke_agent"


def test_unnamed_agent_passes_on_its_mark():
    """Below an agent without a name, its repeated mark makes no agent either."""
    agent = plan("LangGraph", is_root=True, metadata=CREATE_AGENT)
    assert plan("helper", agent.inherit, metadata=CREATE_AGENT).operation == "chain"


def test_unnamed_agent_inside_a_deep_agent_has_a_mark_of_its_own():
    """The kind of agent is part of the mark, so an agent of another kind inside is recognised without a name."""
    deep = plan("LangGraph", is_root=True, metadata={"ls_integration": "deepagents"})
    assert plan("LangGraph", deep.inherit, metadata=CREATE_AGENT).operation == "invoke_agent"


def test_plain_graph_is_not_an_agent():
    """LangGraph's own mark does not make an agent."""
    assert plan("mine", is_root=True, metadata={"ls_integration": "langgraph"}).operation == "invoke_workflow"


def test_agent_executor_is_an_agent_without_name():
    """The legacy executor is an agent, named neither after its class nor after an agent around it."""
    executor = plan("AgentExecutor", is_root=True)
    assert (executor.operation, executor.name) == ("invoke_agent", "invoke_agent")
    inside = plan("AgentExecutor", Inherited(agent_marker="langchain_create_agent weather"), metadata=NAMED_AGENT)
    assert inside.name == "invoke_agent"
    assert plan("helper", inside.inherit, metadata=NAMED_AGENT).operation == "chain"


def test_chain_with_a_node_is_a_graph():
    """A chain that turns out to have nodes is a graph with the run's name."""
    assert chain.as_graph("sub").name == "graph sub"


PROMPT = start("chain", "Prompt", tags=["seq:step:1"])


@pytest.mark.parametrize(
    ("part", "node", "between", "expected"),
    [
        (PROMPT, "agent", ["RunnableSequence", "call_model"], True),
        (PROMPT, "agent", ["RunnableSequence"], False),
        (PROMPT, "model", ["RunnableSequence", "call_model"], False),
        (replace(PROMPT, run_type="prompt"), "agent", ["RunnableSequence", "call_model"], False),
        (replace(PROMPT, tags=()), "agent", ["RunnableSequence", "call_model"], False),
        (replace(PROMPT, name="model_to_tools"), "model", [], True),
        (replace(PROMPT, name="tools_to_model"), "tools", [], True),
        (replace(PROMPT, name="model_to_tools"), "model", ["RunnableSequence"], False),
        (replace(PROMPT, name="model_to_tools", metadata={"ls_integration": "langgraph"}), "model", [], False),
        (replace(PROMPT, name="should_continue"), "agent", [], False),
    ],
)
def test_parts_that_only_agents_have(part, node, between, expected):
    """Only agents have a prompt step in `call_model` of a node "agent", or the edges of the first `create_agent`."""
    assert chain.starts_only_in_agents(part, node, between) is expected


class Command:
    """Stands in for LangGraph's class of that name."""


def test_model_node_of_an_agent_in_an_agent_ends_with_commands():
    """Inside an agent, only another agent has a node "model" that ends with a list of LangGraph's commands."""
    inside = Inherited(agent_marker="langchain_create_agent ")
    lookalike = Command()
    assert not chain.ends_only_in_agents("model", inside, [lookalike])
    Command.__module__ = "langgraph.types"
    assert chain.ends_only_in_agents("model", inside, [Command()])
    assert not chain.ends_only_in_agents("model", inside, [])
    assert not chain.ends_only_in_agents("model", inside, [Command(), {}])
    assert not chain.ends_only_in_agents("model", inside, {"messages": []})
    assert not chain.ends_only_in_agents("agent", inside, [Command()])
    assert not chain.ends_only_in_agents("model", Inherited(), [Command()])
