"""The demo as traffic: in its own process, with its own report, or as a program that goes on."""

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from langsmith import tracing_context
from native_stack import NativeStack
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from otlp_files import Points, Span, histograms_in, spans_in

from otel_callbacks import Config, OTelCallbackHandler

SERVICE = "otel-callbacks-demo"


class Demo(NamedTuple):
    """One run of the demo."""

    dialect: str
    truth: dict[str, Any]
    """What plain LangChain callbacks counted, beside the tracer."""
    spans: dict[str, Span]
    histograms: dict[str, Points]

    @property
    def job(self) -> str:
        """The `job` label of its metrics."""
        return f"{namespace(self.dialect)}/{SERVICE}"

    @property
    def trace_ids(self) -> set[str]:
        return {span.trace_id for span in self.spans.values()}


def namespace(dialect: str) -> str:
    """Return a resource attribute that tells the runs of the dialects apart in Prometheus."""
    return f"demo-{dialect}"


def run_demo(stack: NativeStack, folder: Path, dialect: str = "py-1.3") -> Demo:
    """Run the demo with chunk metrics, sending to the collector and to files.

    Raises:
        subprocess.CalledProcessError: It failed, or something it sent was refused.
    """
    environment = {
        **os.environ,
        "OTEL_CALLBACKS_CHUNK_METRICS": "true",
        "OTEL_RESOURCE_ATTRIBUTES": f"service.namespace={namespace(dialect)},deployment.environment.name=test",
    }
    destination = ["--otlp", stack.url(stack.ports.otlp_http), "--out", str(folder)]
    command = [sys.executable, "-m", "otel_callbacks", "demo", "--json", "--semconv", dialect, *destination]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return Demo(
        dialect, json.loads(done.stdout), spans_in(folder / "traces.jsonl"), histograms_in(folder / "metrics.jsonl")
    )


def run_long_lived(stack: NativeStack, service: str) -> None:
    """Run the demo's programs twice in this process, exporting after each round, as a server would."""
    from otel_callbacks.cli._demo.models import Models
    from otel_callbacks.cli._demo.programs import PROGRAMS
    from otel_callbacks.cli._demo.server import serve

    resource = Resource.create({"service.name": service})
    url = stack.url(stack.ports.otlp_http)
    traces = TracerProvider(resource=resource, shutdown_on_exit=False)
    traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces")))
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{url}/v1/metrics"))
    metrics = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
    config = Config(chunk_metrics=True, cost=True)
    with (
        tracing_context(enabled=False),
        serve() as server,
        closing(Models(server)) as models,
        OTelCallbackHandler(tracer_provider=traces, meter_provider=metrics, config=config) as handler,
    ):
        for _ in range(2):
            for program in PROGRAMS:
                program.run(models, {"callbacks": [handler]})
            metrics.force_flush()
    traces.shutdown()
    metrics.shutdown()
