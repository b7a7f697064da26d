"""Model calls: traffic, errors, latency, streaming, tokens and cost."""

import alerts
import queries as q
from panels import Column, Query, Row, board, graph, heatmap, stat, table

from boards.shared import (
    CALLS,
    MODEL,
    MODEL_ENDED,
    MODEL_KEYS,
    MODEL_VARIABLE,
    NO_COST,
    NO_DURATION,
    NO_ERROR,
    NO_STREAM,
    PER_MODEL,
    PROVIDER_VARIABLE,
    jaeger_search,
    variables,
)
from otel_callbacks import semconv

_NOW = Row(
    "Model calls in this range",
    [
        stat("Calls", "Finished model calls.", "short", q.increase(CALLS, MODEL), empty="0"),
        stat(
            "Failed",
            "Share of model calls that ended in an error; each retry and fallback counts as a call.",
            "percentunit",
            q.share(CALLS, q.FAILED, MODEL, window=q.RANGE),
            limits=(0.01, 0.05),
            empty=NO_DURATION,
        ),
        stat(
            "p95 latency",
            "95 of 100 model calls were at least this fast, not counting cancelled ones.",
            "s",
            q.quantile(0.95, q.MODEL_DURATION, MODEL_ENDED, window=q.RANGE),
            limits=(alerts.SLOW_CALL_S / 2, alerts.SLOW_CALL_S),
            empty=NO_DURATION,
        ),
        stat(
            "p95 first chunk",
            "Time from the request to the first chunk with content, streamed answers only.",
            "s",
            q.quantile(0.95, q.FIRST_CHUNK, MODEL, window=q.RANGE),
            limits=(alerts.SLOW_FIRST_CHUNK_S / 2, alerts.SLOW_FIRST_CHUNK_S),
            empty=NO_STREAM,
        ),
        stat(
            "Tokens",
            "Input and output tokens as reported by the provider.",
            "short",
            f"({q.increase(q.INPUT_TOKENS, MODEL)}) + ({q.increase(q.OUTPUT_TOKENS, MODEL)})",
            empty="0",
        ),
        stat("Cost", "Estimate from list prices.", "currencyUSD", q.increase(q.COST, MODEL), empty=NO_COST),
    ],
)

_LATENCY = Row(
    "Latency",
    [
        graph(
            "Latency of model calls",
            "Dots are exemplars: each leads to the trace of one call.",
            "s",
            Query(q.quantile(0.5, q.MODEL_DURATION, MODEL_ENDED), "p50"),
            Query(q.quantile(0.95, q.MODEL_DURATION, MODEL_ENDED), "p95"),
            Query(q.quantile(0.99, q.MODEL_DURATION, MODEL_ENDED), "p99"),
            exemplars=True,
            empty=NO_DURATION,
        ),
        heatmap(
            "Latency distribution",
            "How many calls fell into each bucket: two bands mean two kinds of call.",
            "s",
            q.increase(q.MODEL_DURATION.part("bucket"), MODEL_ENDED, "le", window=q.RATE_INTERVAL),
        ),
        graph(
            "p95 latency by model",
            "Which model is slow.",
            "s",
            Query(q.quantile(0.95, q.MODEL_DURATION, MODEL_ENDED, q.MODEL)),
            exemplars=True,
            empty=NO_DURATION,
        ),
        graph(
            "Time to first chunk",
            "How long a reader waits for the first word.",
            "s",
            Query(q.quantile(0.5, q.FIRST_CHUNK, MODEL, q.MODEL), f"p50 {{{{{q.MODEL}}}}}"),
            Query(q.quantile(0.95, q.FIRST_CHUNK, MODEL, q.MODEL), f"p95 {{{{{q.MODEL}}}}}"),
            exemplars=True,
            empty=NO_STREAM,
        ),
    ],
)

_ERRORS = Row(
    "Traffic and errors",
    [
        graph("Calls per second", "By model.", "reqps", Query(q.rate(CALLS, MODEL, q.MODEL)), stacked=True, width=8),
        graph(
            "Errors per second",
            "By type: the exception's class or the provider's code.",
            "reqps",
            Query(q.rate(CALLS, f"{MODEL},{q.FAILED}", q.ERROR_TYPE)),
            stacked=True,
            width=8,
            empty=NO_ERROR,
        ),
        graph(
            "Why answers ended",
            "length means the token limit cut the answer off.",
            "reqps",
            Query(q.rate(q.FINISH_REASONS, MODEL, q.FINISH_REASON)),
            stacked=True,
            width=8,
            empty="No finished answer in this range",
        ),
    ],
)

_MODELS = Row(
    "Models",
    [
        table(
            "Models",
            "One row per model; a click searches its spans in Jaeger.",
            MODEL_KEYS,
            Column("Calls", "short", q.increase(CALLS, MODEL, *PER_MODEL)),
            Column("Failed", "percentunit", q.share(CALLS, q.FAILED, MODEL, *PER_MODEL, window=q.RANGE)),
            Column("p95", "s", q.quantile(0.95, q.MODEL_DURATION, MODEL_ENDED, *PER_MODEL, window=q.RANGE)),
            Column("Input tokens", "short", q.increase(q.INPUT_TOKENS, MODEL, *PER_MODEL)),
            Column("Output tokens", "short", q.increase(q.OUTPUT_TOKENS, MODEL, *PER_MODEL)),
            Column("Cost", "currencyUSD", q.increase(q.COST, MODEL, *PER_MODEL)),
            link=jaeger_search(semconv.REQUEST_MODEL),
        )
    ],
)

BOARD = board(
    "otel-callbacks-overview",
    "GenAI overview",
    "Model calls: traffic, errors, latency, tokens, cost.",
    variables(PROVIDER_VARIABLE, MODEL_VARIABLE),
    [_NOW, _LATENCY, _ERRORS, _MODELS],
)
