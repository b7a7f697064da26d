"""What a fleet must carry: spans and bytes of one run, series of a model and a tool, and what follows for a load.

The figures of the tiers come from scripts/scale_figures.py.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from langchain_core.tools import StructuredTool
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from benchmarks import programs, results
from benchmarks.report import table
from otel_callbacks import OTelCallbackHandler

RESULTS = Path(__file__).parent / "sizing.json"
TIERS = Path(__file__).parent / "scale.json"
DOCUMENT = Path(__file__).parent.parent / "docs" / "scale.md"

LOADS = (1, 100, 10_000)
"""Runs per second in the worked examples."""
KEPT = 0.1
"""Share of the traces that samplers keep in the worked examples."""
RETENTION_DAYS = 7
AFTER_SAMPLING = ("kafka", "ingester", "cassandra")
"""Tiers that see only the traces kept."""
_DAY_S = 86_400
_SUM_COUNT_INFINITY = 3
"""Series of a histogram beside those of its bounds."""


def measure() -> dict[str, float]:
    """Run the benchmark's agent, then more models and tools, and count what each adds."""
    reader, exporter = InMemoryMetricReader(), InMemorySpanExporter()
    resource = Resource.create({"service.name": "sizing"})
    tracer_provider = TracerProvider(ALWAYS_ON, resource, shutdown_on_exit=False)
    tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
    meter_provider = MeterProvider([reader], resource, shutdown_on_exit=False)
    handler = OTelCallbackHandler(tracer_provider=tracer_provider, meter_provider=meter_provider)
    config: Any = {"callbacks": [handler]}

    programs.agent().invoke({"messages": [("user", "How is it in Oslo?")]}, config)
    spans = exporter.get_finished_spans()
    bytes_of_run = len(encode_spans(spans).SerializeToString())
    # A tool and a model outside the agent add series of their own; after these, another adds only those of its name.
    programs.weather.invoke({"city": "Oslo"}, config)
    programs.OfflineChat(model="first").invoke("Hello", config)
    series = [_series(reader)]
    programs.OfflineChat(model="second").invoke("Hello", config)
    series.append(_series(reader))
    StructuredTool.from_function(lambda city: city, name="forecast", description="Forecasts.").invoke(
        {"city": "Oslo"}, config
    )
    series.append(_series(reader))
    handler.close()
    return {
        "spans per run": len(spans),
        "bytes per span": bytes_of_run / len(spans),
        "series of an agent, two models and a tool": series[0],
        "series per further model": series[1] - series[0],
        "series per further tool": series[2] - series[1],
    }


def _series(reader: InMemoryMetricReader) -> int:
    """Count the series that Prometheus makes of everything measured so far."""
    data = reader.get_metrics_data()
    if data is None:
        return 0
    return sum(
        len(point.explicit_bounds) + _SUM_COUNT_INFINITY if isinstance(point, HistogramDataPoint) else 1
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    )


def tables(app: Mapping[str, float], tiers: Mapping[str, Any]) -> dict[str, str]:
    """Return every table of the document by its name. `tiers`: the figures of scripts/scale_figures.py."""
    loads: Mapping[str, Any] = tiers["loads"]
    speeds = {load: figures["spans_per_cpu_s"] for load, figures in loads.items()}
    memory = {load: figures["peak_mib"] for load, figures in loads.items()}
    sizes = {load: figures["bytes_per_span"] for load, figures in loads.items()}
    names = next(iter(speeds.values()))
    head = ["runs a second", "content", "spans a second", "OTLP, MB/s", *(f"{tier}, cores" for tier in names)]
    return {
        "app": table(["", "measured"], [[name, f"{value:,.0f}"] for name, value in app.items()]),
        "tiers": _by_load("tier", "spans per CPU second", speeds),
        "memory": _by_load("tier", "MiB at most", memory),
        "bytes": _by_load("place", "bytes per span", sizes),
        "examples": table(
            [*head, f"store after {RETENTION_DAYS} days, GB"], _examples(app["spans per run"], speeds, sizes)
        ),
    }


def _by_load(what: str, unit: str, figures: Mapping[str, Mapping[str, float]]) -> str:
    places = next(iter(figures.values()))
    rows = [[place, *(f"{values[place]:,}" for values in figures.values())] for place in places]
    return table([what, *(f"{unit}, {load}" for load in figures)], rows)


def _examples(
    spans_per_run: float, speeds: Mapping[str, Mapping[str, float]], sizes: Mapping[str, Mapping[str, float]]
) -> Iterator[list[str]]:
    for runs in LOADS:
        spans = runs * spans_per_run
        for load, speed_of in speeds.items():
            cores = [
                f"{spans * (KEPT if tier in AFTER_SAMPLING else 1) / speed:,.2f}" for tier, speed in speed_of.items()
            ]
            sent = f"{spans * sizes[load]['otlp'] / 1e6:,.3g}"
            stored = f"{spans * KEPT * sizes[load]['cassandra'] * RETENTION_DAYS * _DAY_S / 1e9:,.0f}"
            yield [f"{runs:,}", load, f"{spans:,.0f}", sent, *cores, stored]


def committed() -> dict[str, str]:
    """Return the tables of the committed figures."""
    return tables(results.load(RESULTS), results.load(TIERS))
