"""Recording and alert rules, with the objectives and thresholds that the boards also show."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import queries as q

from otel_callbacks import semconv
from otel_callbacks._mapping.finish_reason import CUT_OFF

SUCCESS_OBJECTIVE = 0.99
ERROR_BUDGET = 0.01
FAST_OBJECTIVE = 0.95
SLOW_BUDGET = 0.05
SLOW_CALL_S = 10.24
"""A model call slower than this misses the latency objective; it must be a bucket boundary."""
SLOW_FIRST_CHUNK_S = 2.56

WINDOWS = ("5m", "30m", "1h", "6h")
FAST_BURN = 14.4
"""Burns 2 % of a 30-day budget in an hour."""
SLOW_BURN = 6
"""Burns 5 % of a 30-day budget in six hours."""

RUN_RATE = "genai:runs:rate"
FAILED_RATE = "genai:failed_runs:rate"
ERROR_RATIO = "genai:run_errors:ratio_rate"
SLOW_RATIO = "genai:slow_calls:ratio_rate"
CALL_RATE = "genai:model_calls:rate5m"
TOKEN_RATE = "genai:tokens:rate1h"
COST_RATE = "genai:cost_usd:rate1h"

CALLS = q.MODEL_DURATION.part("count")
_RULE_INTERVAL = "30s"
_COLLECTOR_JOB = 'job="otel-collector"'
_STACK_JOBS = 'job=~"otel-collector|jaeger|prometheus"'
_LOSSES = ("exporter_send_failed", "exporter_enqueue_failed", "receiver_refused", "receiver_failed")
_SIGNALS = ("spans", "metric_points")
_REMOTE_WRITE = "prometheus_remote_storage"
_WRITTEN = ("samples", "histograms", "exemplars")


def _collector_rate(name: str, signal: str, matchers: str = "") -> str:
    """Return the rate of one of the collector's own counters; its releases differ in the ``_total`` suffix."""
    return f'rate({{__name__=~"otelcol_{name}_{signal}(_total)?",{matchers}}}[5m])'


def collector_rate(name: str, signal: str, *matchers: str) -> str:
    """Return what the collector counts per second, over all its receivers or exporters."""
    return f"sum ({_collector_rate(name, signal, ','.join((_COLLECTOR_JOB, *matchers)))})"


def _tagged(expression: str, tag: str) -> str:
    """Keep series of different metrics apart, which would collide once their names are dropped."""
    return f'label_replace({expression}, "kind", "{tag}", "", "")'


_LOST = (
    *(_tagged(_collector_rate(name, signal), f"{name}_{signal}") for name in _LOSSES for signal in _SIGNALS),
    *(_tagged(f"rate({_REMOTE_WRITE}_{kind}_failed_total[5m])", f"written_{kind}") for kind in _WRITTEN),
)
LOST_TELEMETRY = f"sum by (job) ({' or '.join(_LOST)})"
QUEUE_USE = "max by (job, exporter) (otelcol_exporter_queue_size / otelcol_exporter_queue_capacity)"
# The newest sample in the queue would not do: a full queue takes no newer one.
WRITE_DELAY = f"max by (job, remote_name) (time() - {_REMOTE_WRITE}_queue_highest_sent_timestamp_seconds)"
STACK_UP = f"min by (job) (up{{{_STACK_JOBS}}})"


@dataclass(frozen=True)
class Recording:
    """A recording rule; several may share a name and differ in their labels."""

    name: str
    expression: str
    labels: dict[str, str] = field(default_factory=dict)

    def rule(self) -> dict[str, Any]:
        """Return the rule as Prometheus reads it."""
        labels = {"labels": self.labels} if self.labels else {}
        return {"record": self.name, "expr": self.expression, **labels}


_COUNTS = {
    "agent": q.AGENT_DURATION.part("count"),
    "workflow": q.WORKFLOW_DURATION.part("count"),
    "model_call": CALLS,
}


def _run_rates(window: str) -> list[Recording]:
    """Record ended and failed runs per second, by kind."""
    return [
        Recording(f"{name}{window}", expression, {"kind": kind})
        for kind, count in _COUNTS.items()
        for name, expression in (
            (RUN_RATE, q.rate(count, "", q.JOB, window=window)),
            (FAILED_RATE, q.rate_or_zero(count, q.FAILED, "", q.JOB, window=window)),
        )
    ]


def _error_ratio(window: str) -> Recording:
    """Record the share of failed agent runs and workflows, or of model calls if a job has neither.

    A model call that a fallback makes up for does not make a run fail.
    """
    runs, calls = (
        f"sum by (job) ({FAILED_RATE}{window}{{{kind}}}) / (sum by (job) ({RUN_RATE}{window}{{{kind}}}) > 0)"
        for kind in ('kind!="model_call"', 'kind="model_call"')
    )
    return Recording(f"{ERROR_RATIO}{window}", f"{runs} or {calls}")


def _slow_ratio(window: str) -> Recording:
    fast = q.rate(q.MODEL_DURATION.part("bucket"), f'le="{SLOW_CALL_S}",{q.ENDED}', q.JOB, window=window)
    total = q.rate(CALLS, q.ENDED, q.JOB, window=window)
    return Recording(f"{SLOW_RATIO}{window}", f"1 - {fast} / ({total} > 0)")


def _token_rate() -> Recording:
    tokens = (q.rate(count, "", q.JOB, window="1h") for count in (q.INPUT_TOKENS, q.OUTPUT_TOKENS))
    return Recording(TOKEN_RATE, " + ".join(tokens))


# The order matters: a rule reads what earlier ones recorded in the same round.
RECORDINGS = (
    *(rule for window in WINDOWS for rule in (*_run_rates(window), _error_ratio(window), _slow_ratio(window))),
    Recording(CALL_RATE, q.rate(CALLS, "", q.JOB, q.PROVIDER, q.MODEL, window="5m")),
    _token_rate(),
    Recording(COST_RATE, q.rate(q.COST, "", q.JOB, window="1h")),
)


@dataclass(frozen=True)
class Alert:
    """An alert rule. `wait`: how long its condition must hold; `severity`: page (now) or ticket (in working hours)."""

    name: str
    severity: str
    wait: str
    expression: str
    summary: str
    description: str
    board: str

    def rule(self) -> dict[str, Any]:
        """Return the rule as Prometheus reads it."""
        annotations = {
            "summary": self.summary,
            "description": self.description,
            "runbook_url": f"docs/runbooks.md#{self.name.lower()}",
            "dashboard_uid": f"otel-callbacks-{self.board}",
        }
        return {
            "alert": self.name,
            "expr": self.expression,
            "for": self.wait,
            "labels": {"severity": self.severity},
            "annotations": annotations,
        }


def _burn(prefix: str, long: str, short: str, limit: float) -> str:
    """Fire above the limit for long enough to matter, and still above it now."""
    return f"{prefix}{long} > {limit:.4g} and {prefix}{short} > {limit:.4g}"


def _unusual(rate: str, floor: float) -> str:
    """Fire at three times the same hour of yesterday, and above a floor below which it does not matter."""
    return f"{rate} > 3 * ({rate} offset 1d) and {rate} > {floor:.6g}"


_ERRORS_TOTAL = q.series(semconv.ERRORS)
# An observable counter's series begins with its first value, which increase() does not see: new series count as well.
_TRACER_ERRORS = (
    f"{q.increase(q.ERRORS, '', q.JOB, q.ERROR_KIND, window='15m')} > 0 or "
    f"sum by ({q.JOB}, {q.ERROR_KIND}) ({_ERRORS_TOTAL} unless {_ERRORS_TOTAL} offset 15m) > 0"
)
_CUT_OFF = f'{q.FINISH_REASON}=~"(?i){"|".join(CUT_OFF)}"'
_PERCENT = "{{ $value | humanizePercentage }}"
_JOB = "{{ $labels.job }}"
_MODEL = f"{{{{ $labels.{q.MODEL} }}}}"

ALERTS = (
    Alert(
        "GenAIErrorBudgetBurnFast",
        "page",
        "2m",
        _burn(ERROR_RATIO, "1h", "5m", FAST_BURN * ERROR_BUDGET),
        f"{_JOB}: {_PERCENT} of runs fail",
        f"Agent runs and workflows (model calls if there are none) use up a month's error budget of "
        f"{ERROR_BUDGET:.0%} {FAST_BURN} times too fast.",
        "health",
    ),
    Alert(
        "GenAIErrorBudgetBurnSlow",
        "ticket",
        "15m",
        _burn(ERROR_RATIO, "6h", "30m", SLOW_BURN * ERROR_BUDGET),
        f"{_JOB}: {_PERCENT} of runs failed over 6 hours",
        f"A month's error budget of {ERROR_BUDGET:.0%} is used up {SLOW_BURN} times too fast.",
        "health",
    ),
    Alert(
        "GenAILatencyBudgetBurn",
        "page",
        "2m",
        _burn(SLOW_RATIO, "1h", "5m", FAST_BURN * SLOW_BUDGET),
        f"{_JOB}: {_PERCENT} of model calls take longer than {SLOW_CALL_S} s",
        f"The objective is {FAST_OBJECTIVE:.0%} of model calls within {SLOW_CALL_S} s.",
        "overview",
    ),
    Alert(
        "GenAIModelCallErrors",
        "ticket",
        "15m",
        f"{q.share(CALLS, q.FAILED, '', q.JOB, q.PROVIDER, q.MODEL, window='30m')} > 0.2",
        f"{_JOB}: {_PERCENT} of calls to {_MODEL} fail",
        "Retries and fallbacks may hide this from users, at the price of latency and cost.",
        "overview",
    ),
    Alert(
        "GenAITimeToFirstChunkHigh",
        "ticket",
        "10m",
        f"{q.quantile(0.95, q.FIRST_CHUNK, '', q.JOB, q.MODEL, window='10m')} > {SLOW_FIRST_CHUNK_S}",
        f"{_JOB}: the first chunk of {_MODEL} takes {{{{ $value | humanizeDuration }}}} at p95",
        f"Readers of streamed answers wait longer than {SLOW_FIRST_CHUNK_S} s for the first word.",
        "overview",
    ),
    Alert(
        "GenAITokenRateAnomaly",
        "ticket",
        "15m",
        _unusual(TOKEN_RATE, 100_000 / 3600),
        f"{_JOB} uses {{{{ $value | humanize }}}} tokens per second",
        "Three times the same hour of yesterday, and more than 100 000 tokens per hour.",
        "cost",
    ),
    Alert(
        "GenAICostAnomaly",
        "ticket",
        "15m",
        _unusual(COST_RATE, 1 / 3600),
        f"{_JOB} costs {{{{ $value | humanize }}}} USD per second",
        "Three times the same hour of yesterday, and more than 1 USD per hour.",
        "cost",
    ),
    Alert(
        "GenAICostBudget",
        "ticket",
        "0m",
        f"{q.increase(q.COST, '', q.JOB, window='1d')} > 50",
        f"{_JOB} cost {{{{ $value | humanize }}}} USD in 24 hours",
        "The daily budget is 50 USD; change it in the rule.",
        "cost",
    ),
    Alert(
        "GenAIToolErrors",
        "ticket",
        "15m",
        f"{q.share(q.TOOL_DURATION.part('count'), q.FAILED, '', q.JOB, q.TOOL, window='15m')} > 0.2",
        f"{_JOB}: {_PERCENT} of calls to tool {{{{ $labels.{q.TOOL} }}}} fail",
        "Agents often continue with a worse answer when a tool fails.",
        "agents",
    ),
    Alert(
        "GenAIAgentLoop",
        "ticket",
        "10m",
        f"{q.mean(q.AGENT_MODEL_CALLS, '', q.JOB, q.AGENT, window='10m')} > 15",
        f"{_JOB}: agent {{{{ $labels.{q.AGENT} }}}} makes {{{{ $value | humanize }}}} model calls per run",
        "An agent that calls its model this often has usually stopped making progress.",
        "agents",
    ),
    Alert(
        "GenAITruncatedOutputs",
        "ticket",
        "30m",
        f"{q.share(q.FINISH_REASONS, _CUT_OFF, '', q.JOB, q.MODEL, window='30m')} > 0.1",
        f"{_JOB}: {_PERCENT} of answers from {_MODEL} are cut off",
        "The token limit ends them before the model does.",
        "overview",
    ),
    Alert(
        "GenAITelemetryAbsent",
        "ticket",
        "10m",
        f"group by (job) (count_over_time({CALL_RATE}[1d]) > 120) unless "
        f"group by (job) (present_over_time({CALL_RATE}[30m]))",
        f"{_JOB} has sent no model call metrics for 30 minutes",
        "It sent them for more than an hour during the last day. It has ended, or its exporter or the collector fails.",
        "health",
    ),
    Alert(
        "OtelCallbacksErrors",
        "ticket",
        "0m",
        _TRACER_ERRORS,
        f"{_JOB}: the tracer failed {{{{ $value | humanize }}}} times ({{{{ $labels.{q.ERROR_KIND} }}}})",
        "The application is not affected, but spans or measurements may be missing.",
        "health",
    ),
    Alert(
        "OtelCallbacksRunsPileUp",
        "ticket",
        "30m",
        f"sum by (job) ({q.RUNS_OPEN}) > 1000",
        f"{_JOB} has {{{{ $value }}}} open runs",
        "The application starts more work than it finishes, or the end of some runs never arrives.",
        "health",
    ),
    Alert(
        "TelemetryLost",
        "ticket",
        "5m",
        f"{LOST_TELEMETRY} > 0",
        f"{_JOB} refuses or loses {{{{ $value | humanize }}}} spans or points per second",
        "Out of memory, a full queue, or a back end or long-term store that rejects what it receives.",
        "health",
    ),
    Alert(
        "TelemetryQueueFilling",
        "ticket",
        "5m",
        f"{QUEUE_USE} > 0.5",
        f"{_JOB}: the queue of {{{{ $labels.exporter }}}} is {_PERCENT} full",
        "A back end is down or too slow; nothing is lost until the queue is full.",
        "health",
    ),
    Alert(
        "TelemetryRemoteWriteBehind",
        "ticket",
        "5m",
        f"{WRITE_DELAY} > 600",
        f"{_JOB}: the data in {{{{ $labels.remote_name }}}} is {{{{ $value | humanizeDuration }}}} old",
        "The long-term store is down or too slow; Prometheus keeps unsent data for about two hours.",
        "health",
    ),
    Alert(
        "TelemetryTargetDown",
        "page",
        "2m",
        f"{STACK_UP} == 0",
        f"{_JOB} is down",
        "Prometheus cannot reach it. Applications continue; their telemetry waits or is lost.",
        "health",
    ),
)


def recording_file() -> dict[str, Any]:
    """Return the recording rules as Prometheus reads them."""
    return _group("genai-recording", RECORDINGS)


def alert_file() -> dict[str, Any]:
    """Return the alert rules as Prometheus reads them."""
    return _group("genai-alerts", ALERTS)


def _group(name: str, rules: Iterable[Recording | Alert]) -> dict[str, Any]:
    return {"groups": [{"name": name, "interval": _RULE_INTERVAL, "rules": [one.rule() for one in rules]}]}
