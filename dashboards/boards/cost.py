"""Tokens and money."""

import queries as q
from panels import Column, Query, Row, board, graph, stat, table

from boards.shared import (
    CALLS,
    MODEL,
    MODEL_KEYS,
    MODEL_VARIABLE,
    NO_COST,
    PER_MODEL,
    PROVIDER_VARIABLE,
    jaeger_search,
    variables,
)
from otel_callbacks import semconv

_NOW = Row(
    "In this range",
    [
        stat("Cost", "Estimate from list prices.", "currencyUSD", q.increase(q.COST, MODEL), empty=NO_COST),
        stat(
            "Cost in 30 days",
            "At the pace of the last 6 hours.",
            "currencyUSD",
            f"{30 * 24 * 3600} * {q.rate(q.COST, MODEL, window='6h')}",
            empty=NO_COST,
        ),
        stat("Input tokens", "As reported.", "short", q.increase(q.INPUT_TOKENS, MODEL), empty="0"),
        stat("Output tokens", "As reported.", "short", q.increase(q.OUTPUT_TOKENS, MODEL), empty="0"),
        stat(
            "Calls without a price",
            "Their cost is missing from every figure here. Shown only with the cost extra.",
            "short",
            q.increase(q.UNPRICED, MODEL),
            limits=(1, 100),
            empty="0",
        ),
        stat(
            "Calls without usage",
            "Successful calls whose provider reported no tokens; a stream often needs an option for it.",
            "short",
            q.increase(q.USAGE_MISSING, MODEL),
            limits=(1, 100),
            empty="0",
        ),
    ],
)

_MONEY = Row(
    "Cost",
    [
        graph(
            "Cost per hour by model",
            "Estimate from list prices.",
            "currencyUSD",
            Query(f"3600 * {q.rate(q.COST, MODEL, q.MODEL)}"),
            stacked=True,
            empty=NO_COST,
        ),
        graph(
            "Cost per hour by agent",
            "Model calls outside any agent appear without a name.",
            "currencyUSD",
            Query(f"3600 * {q.rate(q.COST, MODEL, q.AGENT)}"),
            stacked=True,
            empty=NO_COST,
        ),
    ],
)

_TOKENS = Row(
    "Tokens",
    [
        graph(
            "Tokens per second",
            "Input includes what a cache served; only the 0.1.0 dialect reports cached tokens.",
            "short",
            Query(q.rate(q.INPUT_TOKENS, MODEL), "input"),
            Query(q.rate(q.OUTPUT_TOKENS, MODEL), "output"),
            Query(q.rate(q.CACHED_TOKENS, MODEL), "of input, from cache"),
        ),
        graph(
            "Tokens per second by model",
            "Input and output together.",
            "short",
            Query(f"({q.rate(q.INPUT_TOKENS, MODEL, q.MODEL)}) + ({q.rate(q.OUTPUT_TOKENS, MODEL, q.MODEL)})"),
            stacked=True,
        ),
        graph(
            "Prompt size",
            "Mean and p95 by model. Buckets grow by 4: p95 is exact only to that factor.",
            "short",
            Query(q.mean(q.PROMPT_SIZE, MODEL, q.MODEL), f"mean {{{{{q.MODEL}}}}}"),
            Query(q.quantile(0.95, q.PROMPT_SIZE, MODEL, q.MODEL), f"p95 {{{{{q.MODEL}}}}}"),
        ),
        graph(
            "Time per output chunk",
            "p95 between chunks after the first; needs chunk_metrics.",
            "s",
            Query(q.quantile(0.95, q.PER_CHUNK, MODEL, q.MODEL)),
            exemplars=True,
            empty="No chunk metrics: they are off by default",
        ),
    ],
)

_MODELS = Row(
    "Models",
    [
        table(
            "Cost by model",
            "One row per model; a click searches its spans in Jaeger.",
            MODEL_KEYS,
            Column("Cost", "currencyUSD", q.increase(q.COST, MODEL, *PER_MODEL)),
            Column("Calls", "short", q.increase(CALLS, MODEL, *PER_MODEL)),
            Column(
                "Cost of 1000 calls",
                "currencyUSD",
                f"1000 * {q.increase(q.COST, MODEL, *PER_MODEL)} / {q.increase(CALLS, MODEL, *PER_MODEL)}",
            ),
            Column("Input tokens", "short", q.increase(q.INPUT_TOKENS, MODEL, *PER_MODEL)),
            Column("Output tokens", "short", q.increase(q.OUTPUT_TOKENS, MODEL, *PER_MODEL)),
            link=jaeger_search(semconv.REQUEST_MODEL),
        )
    ],
)

BOARD = board(
    "otel-callbacks-cost",
    "GenAI cost and tokens",
    "What model calls cost and how many tokens they use.",
    variables(PROVIDER_VARIABLE, MODEL_VARIABLE),
    [_NOW, _MONEY, _TOKENS, _MODELS],
)
