"""Agents, workflows, tools, graph nodes and retrieval."""

import queries as q
from panels import Column, Query, Row, board, graph, table

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
_NODE_RUNS = q.NODE_DURATION.part("count")
_PER_AGENT, _PER_TOOL, _PER_NODE = ((q.SERVICE, label) for label in (q.AGENT, q.TOOL, q.NODE))

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
            "A rising mean is an agent that loops.",
            "short",
            Query(q.mean(q.AGENT_MODEL_CALLS, AGENT, q.AGENT)),
            width=8,
        ),
        graph(
            "Tool calls per agent run",
            "Mean of one run, sub-agents' calls not counted.",
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
        table(
            "Agents",
            "One row per agent; a click searches its spans in Jaeger.",
            {q.SERVICE: "Service", q.AGENT: "Agent"},
            Column("Runs", "short", q.increase(AGENT_RUNS, AGENT, *_PER_AGENT)),
            Column("Failed", "percentunit", q.share(AGENT_RUNS, q.FAILED, AGENT, *_PER_AGENT, window=q.RANGE)),
            Column("p95", "s", q.quantile(0.95, q.AGENT_DURATION, AGENT_ENDED, *_PER_AGENT, window=q.RANGE)),
            Column("Model calls per run", "short", q.mean(q.AGENT_MODEL_CALLS, AGENT, *_PER_AGENT, window=q.RANGE)),
            link=jaeger_search(semconv.AGENT_NAME),
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
            "By tool and type; tool_error is a tool that answered with an error message.",
            "reqps",
            Query(q.rate(_TOOL_CALLS, f"{AGENT},{q.FAILED}", q.TOOL, q.ERROR_TYPE)),
            stacked=True,
            empty=NO_ERROR,
        ),
        table(
            "Tools",
            "One row per tool; a click searches its spans in Jaeger.",
            {q.SERVICE: "Service", q.TOOL: "Tool"},
            Column("Calls", "short", q.increase(_TOOL_CALLS, AGENT, *_PER_TOOL)),
            Column("Failed", "percentunit", q.share(_TOOL_CALLS, q.FAILED, AGENT, *_PER_TOOL, window=q.RANGE)),
            Column("p95", "s", q.quantile(0.95, q.TOOL_DURATION, AGENT_ENDED, *_PER_TOOL, window=q.RANGE)),
            link=jaeger_search(semconv.TOOL_NAME),
        ),
    ],
)

_STEPS = Row(
    "Graph nodes and retrieval",
    [
        graph(
            "Node latency",
            "p95 by LangGraph node; dots lead to traces.",
            "s",
            Query(q.quantile(0.95, q.NODE_DURATION, JOB_ENDED, q.NODE)),
            exemplars=True,
            empty="No finished graph node in this range",
        ),
        graph(
            "Retrieval latency",
            "Retrievers, all together.",
            "s",
            Query(q.quantile(0.5, q.RETRIEVAL_DURATION, JOB_ENDED), "p50"),
            Query(q.quantile(0.95, q.RETRIEVAL_DURATION, JOB_ENDED), "p95"),
            exemplars=True,
            empty="No finished retrieval in this range",
        ),
        table(
            "Nodes",
            "One row per LangGraph node; a click searches its spans in Jaeger.",
            {q.SERVICE: "Service", q.NODE: "Node"},
            Column("Runs", "short", q.increase(_NODE_RUNS, JOB, *_PER_NODE)),
            Column("Failed", "percentunit", q.share(_NODE_RUNS, q.FAILED, JOB, *_PER_NODE, window=q.RANGE)),
            Column("p95", "s", q.quantile(0.95, q.NODE_DURATION, JOB_ENDED, *_PER_NODE, window=q.RANGE)),
            link=jaeger_search(semconv.GRAPH_NODE),
        ),
    ],
)

BOARD = board(
    "otel-callbacks-agents",
    "GenAI agents, tools and nodes",
    "What agents do, which tool or node is slow or fails.",
    variables(AGENT_VARIABLE),
    [_RUNS, _TOOLS, _STEPS],
)
