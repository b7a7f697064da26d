"""Runs that turn out to be graphs or agents after their start: what runs inside them tells, nothing before.

Their spans are renamed and completed. Samplers have seen them as what they seemed to be.
"""

from dataclasses import replace
from typing import Any

from otel_callbacks import semconv
from otel_callbacks._langchain.run_start import RunStart
from otel_callbacks._mapping import chain
from otel_callbacks._mapping.records import SpanPlan
from otel_callbacks._runs.run import OpenRun

_MAY_BE_GRAPH = frozenset({"chain", "plumbing"})
_MAY_BE_AGENT = frozenset({"graph", semconv.INVOKE_WORKFLOW})
_MAX_DEPTH_IN_NODE = 4


def by_node(node: OpenRun) -> None:
    """Recognise a graph by its first node."""
    graph = node.parent
    if graph is None:
        return
    if graph.operation in _MAY_BE_GRAPH:
        _become(graph, chain.as_graph(graph.name))
    if graph.operation in _MAY_BE_AGENT:
        graph.agent = node.agent = graph


def by_part(part: OpenRun, start: RunStart) -> None:
    """Recognise an agent by a part that nothing else has: a run of one of the names in `chain.PARTS_OF_AGENTS`."""
    between: list[str] = []
    run = part.parent
    while run is not None and run.operation != "node" and len(between) < _MAX_DEPTH_IN_NODE:
        between.append(run.name)
        run = run.parent
    if run is not None and run.operation == "node" and chain.starts_only_in_agents(start, run.name, between):
        _become_agent(run.parent)


def by_result(run: OpenRun, result: Any) -> None:
    """Recognise an agent by how a node of its ended."""
    if chain.ends_only_in_agents(run.name, run.inherit, result):
        _become_agent(run.parent)


def by_agent_event(run: OpenRun) -> None:
    """Recognise a legacy ``AgentExecutor`` by the events only it sends."""
    if run.operation in _MAY_BE_GRAPH | _MAY_BE_AGENT:
        run.agent = run
        _become(run, chain.agent(run.name, run.inherit))


def _become_agent(graph: OpenRun | None) -> None:
    if graph is None or graph.operation not in _MAY_BE_AGENT:
        return
    _become(graph, chain.agent(graph.name, graph.inherit))
    for run in graph.descendants():
        run.inherit = replace(run.inherit, agent_name=graph.inherit.agent_name)


def _become(run: OpenRun, plan: SpanPlan) -> None:
    run.take(plan)
    if run.span is not None:
        run.span.update_name(plan.name)
        run.span.set_attributes(plan.attributes)
