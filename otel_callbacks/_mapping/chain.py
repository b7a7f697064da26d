"""Chain runs: which are agents, workflows, graph nodes, sub-graphs or named chains, and which are plumbing."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal

from otel_callbacks import semconv
from otel_callbacks._langchain.model_classes import is_model_class
from otel_callbacks._langchain.run_start import RunStart
from otel_callbacks._mapping import tags
from otel_callbacks._mapping.bounds import short
from otel_callbacks._mapping.records import Inherited, Presence, SpanPlan
from otel_callbacks.types import RunType

Step = Literal["node", "graph", "chain", "prompt", "parser", "plumbing"]

_AGENT_INTEGRATIONS = frozenset({"langchain_create_agent", "deepagents"})
_AGENT_EXECUTOR = "AgentExecutor"
_REACT_AGENT_PROMPT = "Prompt"
_INPUT = "__start__"
_TRIGGERED_BY_INPUT = ((_INPUT,), [_INPUT])
_PULLED, _PUSHED = "__pregel_pull", "__pregel_push"
"""How LangGraph's path of a task begins: one that its triggers start, and one that code asks for."""
_CREATE_AGENT_NODE = "model"
_COMMAND = ("langgraph.types", "Command")
_CREATE_AGENT_EDGES = frozenset({"model_to_tools", "model_to_model", "tools_to_model"})
PARTS_OF_AGENTS = _CREATE_AGENT_EDGES | {_REACT_AGENT_PROMPT}
"""Names of runs for which `starts_only_in_agents` is worth calling."""
UNNAMED_GRAPH = "LangGraph"

# Names of classes, not of what a user built: no workflow is named after them, and below a root they are plumbing.
_TYPE_NAMES = frozenset(
    {
        "RunnableSequence", "RunnablePassthrough", "RunnableBranch", "RunnableWithFallbacks", "RunnablePick",
        "RunnableGenerator", "RunnableBinding", "RunnableRetry", "RunnableWithMessageHistory", "RunnableCallable",
        "RunnableConfigurableFields", "RunnableConfigurableAlternatives", "RouterRunnable", "DynamicRunnable",
        "ChannelRead", "__start__", "_write", UNNAMED_GRAPH, "Runnable", "StateGraph", "CompiledStateGraph", "Pregel",
        "load_history", "insert_history", "check_sync_or_async", "call_runnable_sync", "call_runnable_async",
        _AGENT_EXECUTOR,
    }
)  # fmt: skip
_LAMBDA_NAMES = frozenset({"RunnableLambda", "<lambda>"})
_PRIVATE_NAMES = frozenset(
    {
        "_ConfigurableModel",
        "_ChatModelBinding",
        "_check_refusal",
        "_acheck_refusal",
        "_raise_if_no_tool_calls",
        "_strip",
    }
)  # fmt: skip
"""What LangChain calls its own helpers. Private functions of an application say more."""
_HOOK_OF_MIDDLEWARE = re.compile(r".+\.(?:before|after)_(?:agent|model)")
_COUNTS_OF_CALLS = "_call_count"
_FIRST_NODES_OF_AGENTS = frozenset({"agent", "model", "pre_model_hook"})
_GENERIC_PREFIXES = (
    "RunnableParallel<", "RunnableAssign<", "RunnableEach<", "ChannelWrite<", "ChannelRead<", "Branch<",
)  # fmt: skip
_NAMES_OF_CODE = _TYPE_NAMES | _LAMBDA_NAMES


def plan(start: RunStart, inherited: Inherited, dialect: semconv.Dialect, is_root: bool) -> SpanPlan:  # noqa: FBT001
    """Decide what a chain run is (``on_chain_start``)."""
    run_tags = tags.read(start.tags)
    # First, because LangGraph puts this tag on the runs of nodes only, whatever they are called or marked with.
    if run_tags.graph_step is not None:
        return _node(start.run_type, start.name, run_tags.graph_step)
    task = _task_of_function(start, inherited)
    if task is not None:
        step = start.metadata.get("langgraph_step")
        step_plan = _node(start.run_type, start.name, step if isinstance(step, int) else 0)
        return replace(step_plan, inherit=replace(inherited, task=task))
    marker = _agent_marker(start.metadata)
    if marker is not None and marker != inherited.agent_marker:
        # The metadata has the agent's name; the run's name may be one that the caller chose for this call.
        name = _text(start.metadata.get("lc_agent_name")) or start.name
        return agent(name, replace(inherited, agent_marker=marker))
    # Legacy agents carry no mark. One under another name is recognised later, by the events that only it sends.
    if start.name == _AGENT_EXECUTOR:
        return agent(start.name, inherited)
    if is_root:
        return _workflow(start.name, dialect.workflow_name)
    return _step(start.run_type, start.name, run_tags.hidden)


def as_graph(run_name: str) -> SpanPlan:
    """Return the plan of an inner chain that turns out to be a graph when its first node starts."""
    return _shape("graph", "chain", run_name)


def as_entrypoint(function: str, dialect: semconv.Dialect, *, is_root: bool) -> SpanPlan:
    """Return the plan of a graph that turns out to be an ``@entrypoint``: LangGraph gives all of them one name."""
    if is_root:
        return _workflow(function, dialect.workflow_name)
    return replace(as_graph(UNNAMED_GRAPH), name=f"graph {function}")


def is_node_of_graph(start: RunStart) -> bool:
    """Tell whether the run is a node, rather than a ``@task`` that a node calls."""
    return tags.read(start.tags).graph_step is not None


def _task_of_function(start: RunStart, inherited: Inherited) -> str | None:
    """Return LangGraph's name for the task if the run is a ``@task`` of the functional API.

    LangGraph pushes tasks: the path of one that code calls leads through the caller's path, unlike that of a ``Send``.
    All runs below inherit the metadata, so a run is the task only if no run around it has that name.
    """
    path = start.metadata.get("langgraph_path")
    if type(path) is not tuple or len(path) <= 1 or path[0] != _PUSHED or type(path[1]) is not tuple:
        return None
    task = start.metadata.get("langgraph_checkpoint_ns")
    if type(task) is not str or task == inherited.task or start.name != start.metadata.get("langgraph_node"):
        return None
    return task


def is_entrypoint(node: RunStart) -> bool:
    """Tell whether a graph's node is the function of an ``@entrypoint``.

    The graph's input triggers it; nodes of a state graph are triggered by a channel of their own.
    """
    metadata = node.metadata
    return (
        metadata.get("langgraph_triggers") in _TRIGGERED_BY_INPUT
        and metadata.get("langgraph_path") == (_PULLED, node.name)
        and node.name != _INPUT
    )


def starts_only_in_agents(part: RunStart, node: str, between: Sequence[str]) -> bool:
    """Tell whether a run exists only inside agents that LangChain or LangGraph built and that show no other sign.

    LangGraph's ``create_react_agent``: the step "Prompt" of the model's chain, in `call_model` of the node "agent".
    ``create_agent`` of LangChain 1.0: the functions on its edges; later releases mark their agents.

    Args:
        part: The run's start.
        node: Name of the graph node in which it runs.
        between: Names of the runs between the two, innermost first.
    """
    if part.run_type != "chain" or not tags.read(part.tags).in_sequence:
        return False
    if part.name == _REACT_AGENT_PROMPT:
        return node == "agent" and "call_model" in between
    return part.name in _CREATE_AGENT_EDGES and not between and "ls_integration" not in part.metadata


def ends_only_in_agents(node: str, inherited: Inherited, result: Any) -> bool:
    """Tell whether a graph node ended as only the model node of ``create_agent`` does: with a list of commands.

    This reveals an agent without a name of its own inside another agent; a graph that a tool calls looks the same
    until then.
    """
    if node != _CREATE_AGENT_NODE or inherited.agent_marker is None or not isinstance(result, list):
        return False
    return bool(result) and all((type(entry).__module__, type(entry).__name__) == _COMMAND for entry in result)


def _agent_marker(metadata: Mapping[str, Any]) -> str | None:
    """Return the mark LangChain leaves on an agent's run, or ``None``.

    All descendants inherit the mark, so a run is an agent only if its mark differs from its parent's.
    """
    integration = metadata.get("ls_integration")
    if integration not in _AGENT_INTEGRATIONS:
        return None
    return f"{integration} {_text(metadata.get('lc_agent_name')) or ''}"


def agent(name: str, inherited: Inherited) -> SpanPlan:
    """Return the plan of an agent; it is not named after a class."""
    attributes: dict[str, Any] = {semconv.OPERATION_NAME: semconv.INVOKE_AGENT}
    span_name = semconv.INVOKE_AGENT
    agent_name = name if is_meaningful(name) else None
    if agent_name:
        attributes[semconv.AGENT_NAME] = agent_name
        span_name = f"{span_name} {agent_name}"
    return SpanPlan(semconv.INVOKE_AGENT, span_name, attributes, replace(inherited, agent_name=agent_name))


# Runs of the same names share one plan: a program has few, and looking one up costs a tenth of building it.


@lru_cache(maxsize=1024)
def _workflow(run_name: str, name_key: str) -> SpanPlan:
    attributes: dict[str, Any] = {semconv.OPERATION_NAME: semconv.INVOKE_WORKFLOW}
    span_name = semconv.INVOKE_WORKFLOW
    if is_meaningful(run_name):
        attributes[name_key] = run_name
        span_name = f"{span_name} {run_name}"
    return SpanPlan(semconv.INVOKE_WORKFLOW, span_name, attributes)


@lru_cache(maxsize=1024)
def _node(run_type: RunType, name: str, graph_step: int) -> SpanPlan:
    plan = _shape("node", run_type, name, _presence_of_node(name))
    place = {semconv.GRAPH_NODE: name, semconv.GRAPH_STEP: graph_step}
    return replace(plan, attributes={**plan.attributes, **place})


@lru_cache(maxsize=1024)
def _step(run_type: RunType, name: str, hidden: bool) -> SpanPlan:  # noqa: FBT001 - keyword arguments slow the cache
    step = _step_of(run_type, name, hidden=hidden)
    return _shape(step, run_type, name, _presence_of_step(step, name))


def _presence_of_node(name: str) -> Presence:
    if _HOOK_OF_MIDDLEWARE.fullmatch(name):
        return "late"
    return "on_failure" if name == _INPUT else "always"


def _presence_of_step(step: Step, name: str) -> Presence:
    if step == "graph":
        return "late"
    is_noise = step == "chain" and (name in _LAMBDA_NAMES or name in _PRIVATE_NAMES or is_model_class(name))
    return "on_failure" if is_noise else "always"


def may_be_first_in_agent(node: str) -> bool:
    """Tell whether an unnamed graph whose first node has that name may turn out to be an agent."""
    return node in _FIRST_NODES_OF_AGENTS or _HOOK_OF_MIDDLEWARE.fullmatch(node) is not None


def changes_state(result: Any) -> bool:
    """Tell whether a node's result changes what the graph knows, apart from the calls that middleware counts."""
    if result is None:
        return False
    if type(result) is not dict:
        return True
    return any(
        not (value is None or (type(value) in (list, tuple, dict) and not value))
        and not str(key).endswith(_COUNTS_OF_CALLS)
        for key, value in result.items()
    )


def _shape(step: Step, run_type: RunType, name: str, presence: Presence = "always") -> SpanPlan:
    word = "chain" if step == "plumbing" else step
    span_name = f"{word} {name}" if name else word
    attributes = {semconv.RUN_TYPE: run_type, semconv.RUN_NAME: name}
    return SpanPlan(step, span_name, attributes, presence=presence)


def _step_of(run_type: RunType, name: str, *, hidden: bool) -> Step:
    if run_type == "prompt" or run_type == "parser":  # noqa: PLR1714 - mypy narrows these
        return run_type
    if hidden or name.startswith(_GENERIC_PREFIXES):
        return "plumbing"
    if name == UNNAMED_GRAPH:  # before the names of types, as this one is among them
        return "graph"
    return "plumbing" if not name or name in _TYPE_NAMES else "chain"


def is_meaningful(name: str) -> bool:
    """Tell whether a run's name was chosen by a person rather than taken from a class."""
    return bool(name) and name not in _NAMES_OF_CODE and not name.startswith(_GENERIC_PREFIXES)


def _text(value: Any) -> str | None:
    return short(value) if isinstance(value, str) and value else None
