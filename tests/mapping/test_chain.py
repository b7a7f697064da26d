from dataclasses import replace

import pytest

from otel_callbacks._mapping import chain
from otel_callbacks._mapping.records import Inherited
from otel_callbacks.semconv import DIALECTS
from tests.mapping.records import start

CREATE_AGENT = {"ls_integration": "langchain_create_agent"}
NAMED_AGENT = {**CREATE_AGENT, "lc_agent_name": "weather"}


def plan(name, inherited=None, *, is_root=False, run_type="chain", **fields):
    """The plan of a chain run, inside another run unless it is a root."""
    record = start(run_type, name, **fields)
    return chain.plan(record, inherited or Inherited(), DIALECTS["py-1.3"], is_root)


@pytest.mark.parametrize("name", ["qa", "fanout", "My chain", "weather_agent", "reagent_parser"])
def test_root_with_a_chosen_name_is_a_workflow_of_that_name(name):
    """A root chain or graph is a workflow, named where somebody chose a name."""
    found = plan(name, is_root=True)
    assert (found.operation, found.name) == ("invoke_workflow", f"invoke_workflow {name}")
    assert found.attributes["gen_ai.workflow.name"] == name


@pytest.mark.parametrize(
    "name",
    ["RunnableSequence", "RunnableLambda", "<lambda>", "LangGraph", "RunnableParallel<a,b>", "RunnableAssign<x>", ""],
)
def test_root_named_after_a_class_is_a_workflow_without_name(name):
    """A class's name says nothing about the workflow, so it has none."""
    found = plan(name, is_root=True)
    assert (found.operation, found.name) == ("invoke_workflow", "invoke_workflow")
    assert "gen_ai.workflow.name" not in found.attributes


def test_graph_node():
    """LangGraph's step tag makes a node, also where an agent's marks are inherited."""
    found = plan("model", tags=["graph:step:3"], metadata=NAMED_AGENT)
    assert (found.operation, found.name) == ("node", "node model")
    assert found.attributes["langgraph.node"] == "model"
    assert found.attributes["langgraph.step"] == 3


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
    """Inner chains are steps of their kind; what only LangChain needs is plumbing; "agent" in a name means nothing."""
    assert plan(name, run_type=run_type, tags=tags).operation == operation


@pytest.mark.parametrize("is_root", [True, False])
@pytest.mark.parametrize("tags", [(), ("seq:step:2",)])
def test_mark_of_create_agent_makes_an_agent(is_root, tags):
    """A run that carries an agent's mark is that agent, at the root, in a sequence and in another agent."""
    found = plan("run name", is_root=is_root, tags=tags, metadata=NAMED_AGENT)
    assert (found.operation, found.name) == ("invoke_agent", "invoke_agent weather")
    assert found.attributes["gen_ai.agent.name"] == "weather"
    assert found.inherit.agent_name == "weather"


def test_deep_agent_is_an_agent():
    """Deep agents have a mark of their own."""
    metadata = {"ls_integration": "deepagents", "lc_agent_name": "researcher", "lc_versions": {"deepagents": "0.7.32"}}
    assert plan("researcher", is_root=True, metadata=metadata).name == "invoke_agent researcher"


@pytest.mark.parametrize(("run_name", "title"), [("LangGraph", "invoke_agent"), ("helpdesk", "invoke_agent helpdesk")])
def test_agent_without_a_name_takes_the_runs_where_that_was_chosen(run_name, title):
    """An agent nobody named has the run's name if a person chose that, else none."""
    assert plan(run_name, is_root=True, metadata=CREATE_AGENT).name == title


def test_descendants_with_the_inherited_mark_are_not_agents():
    """LangChain repeats the mark on all runs below; only a new mark makes an agent."""
    agent = plan("weather", is_root=True, metadata=NAMED_AGENT)
    assert plan("helper", agent.inherit, metadata=NAMED_AGENT).operation == "chain"
    assert plan("helper", agent.inherit, metadata={**NAMED_AGENT, "lc_agent_name": "inner"}).operation == "invoke_agent"


def test_unnamed_agent_passes_its_mark_on():
    """Below an agent without a name its mark is known too."""
    agent = plan("LangGraph", is_root=True, metadata=CREATE_AGENT)
    assert plan("helper", agent.inherit, metadata=CREATE_AGENT).operation == "chain"


def test_unnamed_agent_inside_a_deep_agent_has_a_mark_of_its_own():
    """The kind of agent is part of the mark, so an inherited name does not hide an agent of another kind."""
    deep = plan("LangGraph", is_root=True, metadata={"ls_integration": "deepagents"})
    assert plan("LangGraph", deep.inherit, metadata=CREATE_AGENT).operation == "invoke_agent"


def test_plain_graph_is_not_an_agent():
    """LangGraph's own mark is no agent's."""
    assert plan("mine", is_root=True, metadata={"ls_integration": "langgraph"}).operation == "invoke_workflow"


def test_agent_executor_is_an_agent_without_name():
    """The legacy executor is an agent; its class name is not the agent's, nor is that of an agent around it."""
    found = plan("AgentExecutor", is_root=True)
    assert (found.operation, found.name) == ("invoke_agent", "invoke_agent")
    inside = plan("AgentExecutor", Inherited(agent_marker="langchain_create_agent weather"), metadata=NAMED_AGENT)
    assert inside.name == "invoke_agent"
    assert plan("helper", inside.inherit, metadata=NAMED_AGENT).operation == "chain"


def test_chain_with_a_node_is_a_graph():
    """What has nodes is a graph, named like the run."""
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
    """A prompt step in `call_model` of "agent", and edges of old `create_agent`, are agents'; lookalikes are not."""
    assert chain.starts_only_in_agents(part, node, between) is expected


class Command:
    """Stands for LangGraph's class of that name."""


def test_model_node_of_an_agent_in_an_agent_ends_with_commands():
    """Inside an agent, a node "model" that ends with a list of LangGraph's commands is another agent's."""
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
