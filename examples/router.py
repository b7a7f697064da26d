"""A router: spans and metrics of audited runs go to their own destination, the rest to the default, nothing twice.

run: python examples/router.py
"""

from typing import NamedTuple

from langchain_core.language_models import FakeListChatModel
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_callbacks import Config, OTelCallbackHandler


class Destination(NamedTuple):
    """A handler with its own providers; in an app, their exporters have their own addresses."""

    handler: OTelCallbackHandler
    spans: InMemorySpanExporter
    metrics: InMemoryMetricReader


def destination(config: Config) -> Destination:
    """Set up a destination."""
    spans, metrics = InMemorySpanExporter(), InMemoryMetricReader()
    tracer_provider = TracerProvider()
    tracer_provider.add_span_processor(SimpleSpanProcessor(spans))
    handler = OTelCallbackHandler(
        tracer_provider=tracer_provider, meter_provider=MeterProvider([metrics]), config=config
    )
    return Destination(handler, spans, metrics)


DESTINATIONS = {
    "audit": destination(Config(detail="all")),
    "default": destination(Config(filter=lambda run: run.run_type != "prompt")),
}


def config_for(*tags: str) -> dict:
    """Return the configuration of a call: one handler, so that each tree goes to one place."""
    chosen = DESTINATIONS["audit" if "audit" in tags else "default"]
    return {"callbacks": [chosen.handler], "tags": list(tags)}


model = FakeListChatModel(responses=["Done."])
model.invoke("Pay the bill", config=config_for("audit"))
model.invoke("Tell a joke", config=config_for("fun"))
for name, place in DESTINATIONS.items():
    measured = place.metrics.get_metrics_data() is not None
    print(f"{name}: {len(place.spans.get_finished_spans())} span, measured: {measured}")
