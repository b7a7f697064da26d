"""Runs that turn out to be graphs or agents after their start: only what runs inside them shows it.

Their spans are renamed and completed. Samplers have seen them as what they seemed to be.
"""

from dataclasses import replace
from typing import Any

from otel_callbacks import semconv
from otel_callbacks._langchain.run_start import RunStart
from otel_callbacks._mapping import chain
from otel_callbacks._mapping.records import SpanPlan
from otel_callbacks._runs import late
from otel_callbacks._runs.pauses import RESUME_LINK, paused_span
from otel_callbacks._runs.run import CallCounts, GraphTask, OpenRun

_MAY_BE_GRAPH = frozenset({"chain", "plumbing"})
_MAY_BE_AGENT = frozenset({"graph", semconv.INVOKE_WORKFLOW})
_MAX_DEPTH_IN_NODE = 4
_SUB_GRAPH = "|"
"""Separates the levels in LangGraph's name for a node's task."""


def by_start(run: OpenRun, start: RunStart, dialect: semconv.Dialect) -> None:
    """Recognise graphs, agents and resumed tasks by the start of a run that has its plan."""
    if run.operation == semconv.INVOKE_AGENT:
        _start_counting_calls(run)
    if run.operation == "node":
        if chain.is_node_of_graph(start):
            _by_node(run, start, dialect)
        _recognise_task(run, start)
    elif run.name in chain.PARTS_OF_AGENTS:
        _by_part(run, start)


def _start_counting_calls(run: OpenRun) -> None:
    """Have an agent or graph run count the calls made below it."""
    run.agent = run
    if run.calls is None:
        run.calls = CallCounts()


def _by_node(node: OpenRun, start: RunStart, dialect: semconv.Dialect) -> None:
    """Recognise a graph by its first node."""
    graph = node.parent
    if graph is None or node.ended_parent is not None:  # then the parent is another run than the node's graph
        return
    if graph.operation in _MAY_BE_GRAPH:
        _become(graph, chain.as_graph(graph.name))
    if graph.span is graph.late is not None and not chain.may_be_first_in_agent(node.name):
        late.hide(graph)
    if graph.name == chain.UNNAMED_GRAPH and graph.operation in _MAY_BE_AGENT and chain.is_entrypoint(start):
        _become(graph, chain.as_entrypoint(node.name, dialect, is_root=graph.operation != "graph"))
    if graph.operation in _MAY_BE_AGENT:
        _start_counting_calls(graph)
        node.agent = graph


def _recognise_task(node: OpenRun, start: RunStart) -> None:
    """Find out whether a node goes on where it had paused; if so, the graph its caller resumed links there as well."""
    name = start.metadata.get("langgraph_checkpoint_ns")
    if not isinstance(name, str):
        return
    node.task = GraphTask(name, paused_span(name))
    graph = node.visible.span if node.visible is not None else None
    if node.task.resumes is not None and graph is not None and _SUB_GRAPH not in name:
        graph.add_link(node.task.resumes, RESUME_LINK)


def _by_part(part: OpenRun, start: RunStart) -> None:
    """Recognise an agent by a part that nothing else has: a run of one of the names in `chain.PARTS_OF_AGENTS`."""
    between: list[str] = []
    run = part.parent
    while run is not None and run.operation != "node" and len(between) < _MAX_DEPTH_IN_NODE:
        between.append(run.name)
        run = run.parent
    if run is not None and run.operation == "node" and chain.starts_only_in_agents(start, run.name, between):
        _become_agent(run.parent)


def by_result(node: OpenRun, result: Any) -> None:
    """Recognise an agent by how one of its nodes ended."""
    if node.ended_parent is None and chain.ends_only_in_agents(node.name, node.inherited, result):
        _become_agent(node.parent)


def by_agent_event(run: OpenRun) -> None:
    """Recognise a legacy ``AgentExecutor`` by the events only it sends."""
    if run.operation in _MAY_BE_GRAPH | _MAY_BE_AGENT:
        _start_counting_calls(run)
        _become(run, chain.agent(run.name, run.inherited))


def _become_agent(graph: OpenRun | None) -> None:
    if graph is None or graph.operation not in _MAY_BE_AGENT:
        return
    _become(graph, chain.agent(graph.name, graph.inherited))
    # Runs that are open below it started before it was known to be an agent.
    for run in graph.descendants():
        run.inherited = replace(run.inherited, agent_name=graph.inherited.agent_name)


def _become(run: OpenRun, plan: SpanPlan) -> None:
    for key in run.dimensions:  # what waits for the end belongs to what it seemed to be
        run.end_attributes.pop(key, None)
    run.adopt(plan)
    if run.span is not None:
        run.span.update_name(run.span_name)
        run.span.set_attributes(run.dimensions)
