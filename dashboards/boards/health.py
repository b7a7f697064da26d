"""Service level objectives, the tracer's own health, the stack's own health."""

import alerts
import queries as q
from panels import Query, Row, board, graph, stat

from boards.shared import JOB, NO_DURATION, variables

_OBJECTIVES = Row(
    "Service level objectives",
    [
        stat(
            "Runs without error",
            f"Objective: {alerts.SUCCESS_OBJECTIVE:.0%} of agent runs and workflows (model calls if there are none).",
            "percentunit",
            f"1 - avg_over_time({alerts.ERROR_RATIO}6h{{{JOB}}}[{q.RANGE}])",
            empty=NO_DURATION,
        ),
        graph(
            "Error budget burn rate",
            f"1 uses up the budget exactly in its period; {alerts.FAST_BURN} pages.",
            "short",
            *(
                Query(f"{alerts.ERROR_RATIO}{window}{{{JOB}}} / {alerts.ERROR_BUDGET}", f"{{{{job}}}} {window}")
                for window in alerts.WINDOWS
            ),
            width=10,
        ),
        graph(
            "Latency budget burn rate",
            f"Objective: {alerts.FAST_OBJECTIVE:.0%} of model calls within {alerts.SLOW_CALL_S} s.",
            "short",
            *(
                Query(f"{alerts.SLOW_RATIO}{window}{{{JOB}}} / {alerts.SLOW_BUDGET}", f"{{{{job}}}} {window}")
                for window in alerts.WINDOWS
            ),
            width=10,
        ),
    ],
)

_TRACER = Row(
    "The tracer",
    [
        graph(
            "Open runs",
            "Runs that started and have not ended; a line that only grows is a leak.",
            "short",
            Query(f"sum by (job) ({q.RUNS_OPEN}{{{JOB}}})"),
            width=8,
        ),
        graph(
            "Ended runs per second",
            "By run type.",
            "ops",
            Query(q.rate(q.RUNS, JOB, q.RUN_TYPE)),
            stacked=True,
            width=8,
        ),
        graph(
            "Outcomes other than ok",
            "Cancelled, interrupted, handed off, abandoned, failed.",
            "ops",
            Query(q.rate(q.RUNS, f'{JOB},{q.OUTCOME}!="ok"', q.OUTCOME)),
            stacked=True,
            width=8,
            empty="Every run ended well",
        ),
        graph(
            "The tracer's own errors",
            "Failures inside the tracer, by kind; the application is not affected.",
            "short",
            Query(q.increase(q.ERRORS, JOB, q.ERROR_KIND, window=q.RATE_INTERVAL)),
            width=8,
            empty="None",
        ),
        graph(
            "Contradictions",
            "Reports of LangChain or a provider that contradict each other, by kind; not a failure of the tracer.",
            "short",
            Query(q.increase(q.DISCREPANCIES, JOB, q.DISCREPANCY_KIND, window=q.RATE_INTERVAL)),
            width=8,
            empty="None",
        ),
        graph(
            "Redacted values",
            "By rule; only if content is captured.",
            "short",
            Query(q.increase(q.REDACTIONS, JOB, q.REDACTION_RULE, window=q.RATE_INTERVAL)),
            width=8,
            empty="None",
        ),
    ],
)

_PIPELINE = Row(
    "The stack",
    [
        graph(
            "Spans and points per second",
            "What collectors accept from applications and pass on to the stores.",
            "ops",
            # The hop of a span from a gateway to a sampler must not count, neither as in nor as out.
            Query(alerts.collector_rate("receiver_accepted", "spans", 'tier!="sampler"'), "spans in"),
            Query(alerts.collector_rate("exporter_sent", "spans", 'tier!="gateway"'), "spans out"),
            Query(alerts.collector_rate("receiver_accepted", "metric_points"), "points in"),
            Query(alerts.collector_rate("exporter_sent", "metric_points"), "points out"),
            width=8,
        ),
        graph(
            "Queue",
            "Share of the collector's queues in use; a back end that is down lets it grow.",
            "percentunit",
            Query(alerts.QUEUE_USE, "{{exporter}}"),
            width=8,
        ),
        graph(
            "Refused or lost per second",
            "Spans and points that a program of the stack could not accept or pass on.",
            "ops",
            Query(alerts.LOST_TELEMETRY, "{{job}}"),
            width=8,
            empty="None",
        ),
        graph("Programs up", "1: scraped, 0: down.", "short", Query(alerts.STACK_UP, "{{job}}"), width=8),
    ],
)

BOARD = board(
    "otel-callbacks-health",
    "GenAI objectives and tracer health",
    "Objectives, the tracer's own state, the stack's own state.",
    variables(),
    [_OBJECTIVES, _TRACER, _PIPELINE],
)
