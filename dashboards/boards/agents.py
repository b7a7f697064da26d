"""Agents, workflows, tools, graph nodes and retrieval."""

import queries as q
from panels import Column, Panel, Query, Row, board, graph, table

from boards.shared import (
    AGENT,
    AGENT_ENDED,
    AGENT_RUNS,
    AGENT_VARIABLE,
    JOB,
    JOB_ENDED,
    NO_ERROR,
    WORKFLOW_RUNS,
    jaeger_search,
    variables,
)
from otel_callbacks import semconv

_TOOL_CALLS = q.TOOL_DURATION.part("count")
_PER_AGENT = (q.SERVICE, q.AGENT)


def _breakdown(
    title: str, runs: str, key: str, duration: q.Quantity, matchers: str, *more: Column, noun: str = ""
) -> Panel:
    """Lay out a table with one row per value of `key`: how many runs, which share failed, how long they take."""
    name = title.removesuffix("s")
    per, count = (q.SERVICE, q.label(key)), duration.part("count")
    return table(
        title,
        f"One row per {noun or name.lower()}; a click searches its spans in Jaeger.",
        dict(zip(per, ("Service", name), strict=True)),
        Column(runs, "short", q.increase(count, matchers, *per)),
        Column("Failed", "percentunit", q.share(count, q.FAILED, matchers, *per, window=q.RANGE)),
        Column("p95", "s", q.quantile(0.95, duration, f"{matchers},{q.ENDED}", *per, window=q.RANGE)),
        *more,
        link=jaeger_search(key),
    )


_RUNS = Row(
    "Agents and workflows",
    [
        graph(
            "Agent latency",
            "p95 by agent; dots lead to traces.",
            "s",
            Query(q.quantile(0.95, q.AGENT_DURATION, AGENT_ENDED, q.AGENT)),
            exemplars=True,
            empty="No finished agent run in this range",
        ),
        graph(
            "Workflow latency",
            "p95 by workflow: graphs and chains whose steps the application decides.",
            "s",
            Query(q.quantile(0.95, q.WORKFLOW_DURATION, JOB_ENDED, q.WORKFLOW)),
            exemplars=True,
            empty="No finished workflow in this range",
        ),
        graph(
            "Model calls per agent run",
            "A rising mean points to an agent that loops.",
            "short",
            Query(q.mean(q.AGENT_MODEL_CALLS, AGENT, q.AGENT)),
            width=8,
        ),
        graph(
            "Tool calls per agent run",
            "Mean per run, without the calls of sub-agents.",
            "short",
            Query(q.mean(q.AGENT_TOOL_CALLS, AGENT, q.AGENT)),
            width=8,
        ),
        graph(
            "Failed runs",
            "Share of agent runs and of workflows that ended in an error.",
            "percentunit",
            Query(q.share(AGENT_RUNS, q.FAILED, AGENT, q.AGENT)),
            Query(q.share(WORKFLOW_RUNS, q.FAILED, JOB, q.WORKFLOW)),
            width=8,
        ),
        _breakdown(
            "Agents",
            "Runs",
            semconv.AGENT_NAME,
            q.AGENT_DURATION,
            AGENT,
            Column("Model calls per run", "short", q.mean(q.AGENT_MODEL_CALLS, AGENT, *_PER_AGENT, window=q.RANGE)),
        ),
    ],
)

_TOOLS = Row(
    "Tools",
    [
        graph(
            "Tool latency",
            "p95 by tool; dots lead to traces.",
            "s",
            Query(q.quantile(0.95, q.TOOL_DURATION, AGENT_ENDED, q.TOOL)),
            exemplars=True,
            empty="No finished tool call in this range",
        ),
        graph(
            "Tool errors per second",
            "By tool and type; tool_error: the tool answered with an error message.",
            "reqps",
            Query(q.rate(_TOOL_CALLS, f"{AGENT},{q.FAILED}", q.TOOL, q.ERROR_TYPE)),
            stacked=True,
            empty=NO_ERROR,
        ),
        graph(
            "Tool calls without an answer per second",
            "The model asked for a tool that does not exist; by agent.",
            "reqps",
            Query(q.rate(q.UNANSWERED_TOOL_CALLS, AGENT, q.AGENT, q.ERROR_TYPE)),
            stacked=True,
            empty="No tool call without an answer in this range",
        ),
        _breakdown("Tools", "Calls", semconv.TOOL_NAME, q.TOOL_DURATION, AGENT),
    ],
)

_STEPS = Row(
    "Graph nodes and retrieval",
    [
        graph(
            "Node latency",
            "p95 by LangGraph node and its agent or workflow; dots lead to traces.",
            "s",
            Query(q.quantile(0.95, q.NODE_DURATION, JOB_ENDED, q.NODE, q.AGENT, q.NODES_WORKFLOW)),
            exemplars=True,
            empty="No finished graph node in this range",
        ),
        graph(
            "Retrieval latency",
            "p95 by retriever, without retrievals inside another one; dots lead to traces.",
            "s",
            Query(q.quantile(0.95, q.RETRIEVAL_DURATION, JOB_ENDED, q.RETRIEVER)),
            exemplars=True,
            empty="No finished retrieval in this range",
        ),
        _breakdown("Nodes", "Runs", semconv.GRAPH_NODE, q.NODE_DURATION, JOB, noun="LangGraph node"),
    ],
)

BOARD = board(
    "otel-callbacks-agents",
    "GenAI agents, tools and nodes",
    "What agents do, and which tool or node is slow or fails.",
    variables(AGENT_VARIABLE),
    [_RUNS, _TOOLS, _STEPS],
)
