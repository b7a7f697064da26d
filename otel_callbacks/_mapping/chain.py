"""Chain runs: which are agents, workflows, graph nodes, sub-graphs or named chains, and which are plumbing."""

from collections.abc import Sequence
from typing import Any, Literal

from otel_callbacks import semconv
from otel_callbacks._records import Inherited, RunStart, SpanPlan

Step = Literal["node", "graph", "chain", "prompt", "parser", "plumbing"]

GRAPH_STEP_TAG = "graph:step:"
_SEQUENCE_STEP_TAG = "seq:step:"
_RETRY_TAG = "retry:attempt:"
_HIDDEN_TAG = "langsmith:hidden"
_AGENT_INTEGRATIONS = frozenset({"langchain_create_agent", "deepagents"})
_AGENT_EXECUTOR = "AgentExecutor"
UNNAMED_GRAPH = "LangGraph"

# Names of classes, not of what a user built: no workflow is named after them, and inside a tree they are plumbing.
_TYPE_NAMES = frozenset(
    {
        "RunnableSequence", "RunnablePassthrough", "RunnableBranch", "RunnableWithFallbacks", "RunnablePick",
        "RunnableGenerator", "RunnableBinding", "RunnableRetry", "RunnableWithMessageHistory", "RunnableCallable",
        "RunnableConfigurableFields", "RunnableConfigurableAlternatives", "RouterRunnable", "DynamicRunnable",
        "ChannelRead", "__start__", "_write", UNNAMED_GRAPH, "Runnable", "StateGraph", "CompiledStateGraph", "Pregel",
        "load_history", "insert_history", "check_sync_or_async", "call_runnable_sync", "call_runnable_async",
    }
)  # fmt: skip
_LAMBDA_NAMES = frozenset({"RunnableLambda", "<lambda>"})
_GENERIC_PREFIXES = (
    "RunnableParallel<", "RunnableAssign<", "RunnableEach<", "ChannelWrite<", "ChannelRead<", "Branch<",
)  # fmt: skip


def plan(start: RunStart, inherited: Inherited, workflow_name: str, *, is_root: bool) -> SpanPlan:
    """Decide what a chain run is (``on_chain_start``). `workflow_name`: the dialect's key for a workflow's name."""
    if _number(start.tags, GRAPH_STEP_TAG) is not None:
        return _step("node", start, inherited)
    marker = _agent_marker(start, inherited)
    if marker is not None:
        return agent(start.name, start.metadata.get("lc_agent_name"), marker, inherited)
    if is_root:
        return _workflow(start.name, inherited, workflow_name)
    return _step(_step_of(start), start, inherited)


def as_graph(known: str, run_name: str, inherited: Inherited, node: RunStart) -> SpanPlan | None:
    """What a run turns out to be when its first node starts, or ``None`` where it stays what it is.

    Covers agents that nothing tells at their own start: unnamed ones inside another agent, and those of LangChain 1.0
    and LangGraph's ``create_react_agent``, known by the names of their nodes' parts only.
    """
    metadata = node.metadata
    integration = metadata.get("ls_integration")
    if integration in _AGENT_INTEGRATIONS:
        return agent(run_name, metadata.get("lc_agent_name"), None, inherited)
    if known in {semconv.INVOKE_WORKFLOW, "graph"}:
        return None
    attributes = {semconv.RUN_TYPE: "chain", semconv.RUN_NAME: run_name}
    return SpanPlan("graph", f"graph {run_name}", attributes, inherited)


def _agent_marker(start: RunStart, inherited: Inherited) -> str | None:
    """The mark by which a run is known as an agent's root, or ``None``.

    All descendants inherit the metadata, so only a mark that the parent does not have makes an agent.
    """
    if start.name == _AGENT_EXECUTOR:
        return _AGENT_EXECUTOR
    metadata = start.metadata
    integration = metadata.get("ls_integration")
    if integration not in _AGENT_INTEGRATIONS or _number(start.tags, _SEQUENCE_STEP_TAG) is not None:
        return None
    marker = _text(metadata.get("lc_agent_name")) or str(integration)
    return marker if marker != inherited.agent_marker else None


def agent(run_name: str, agent_name: Any, marker: str | None, inherited: Inherited) -> SpanPlan:
    """An `invoke_agent` span; its name is the agent's, or the run's where that is not a class name."""
    name = _text(agent_name) or (run_name if is_meaningful(run_name) and run_name != _AGENT_EXECUTOR else None)
    attributes: dict[str, Any] = {semconv.OPERATION_NAME: semconv.INVOKE_AGENT}
    if name:
        attributes[semconv.AGENT_NAME] = name
    title = f"{semconv.INVOKE_AGENT} {name}" if name else semconv.INVOKE_AGENT
    child = inherited._replace(agent_name=name, agent_marker=marker or name)
    return SpanPlan(semconv.INVOKE_AGENT, title, attributes, child)


def _workflow(run_name: str, inherited: Inherited, workflow_name: str) -> SpanPlan:
    attributes: dict[str, Any] = {semconv.OPERATION_NAME: semconv.INVOKE_WORKFLOW}
    title = semconv.INVOKE_WORKFLOW
    if is_meaningful(run_name):
        attributes[workflow_name] = run_name
        title = f"{title} {run_name}"
    return SpanPlan(semconv.INVOKE_WORKFLOW, title, attributes, inherited)


def _step(step: Step, start: RunStart, inherited: Inherited) -> SpanPlan:
    attributes: dict[str, Any] = {semconv.RUN_TYPE: start.run_type, semconv.RUN_NAME: start.name}
    if step == "node":
        attributes[semconv.GRAPH_NODE] = start.name
        attributes[semconv.GRAPH_STEP] = _number(start.tags, GRAPH_STEP_TAG)
    word = "chain" if step == "plumbing" else step
    return SpanPlan(step, f"{word} {start.name}" if start.name else word, attributes, inherited)


def _step_of(start: RunStart) -> Step:
    name = start.name
    if start.run_type == "prompt" or start.run_type == "parser":
        return start.run_type
    if _HIDDEN_TAG in start.tags or name.startswith(_GENERIC_PREFIXES):
        return "plumbing"
    if name == UNNAMED_GRAPH:
        return "graph"
    return "plumbing" if name in _TYPE_NAMES else "chain"


def is_meaningful(name: str) -> bool:
    """Whether a run's name was chosen by a person rather than by a class."""
    return bool(name) and name not in _TYPE_NAMES and name not in _LAMBDA_NAMES and not name.startswith(_GENERIC_PREFIXES)


def retry_attempt(tags: Sequence[str]) -> int | None:
    """The attempt's number where ``with_retry`` tagged the run (from the second on)."""
    return _number(tags, _RETRY_TAG)


def _number(tags: Sequence[str], prefix: str) -> int | None:
    for tag in tags:
        if tag.startswith(prefix):
            digits = tag[len(prefix) :]
            return int(digits) if digits.isdecimal() else None
    return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
