"""A summary of what was measured: counts and totals of every histogram, without any back end.

run: python examples/metrics_summary.py
"""

from langchain_core.language_models import FakeListChatModel
from langchain_core.tools import tool
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from otel_callbacks import OTelCallbackHandler


@tool
def double(number: int) -> int:
    """Double a number."""
    return 2 * number


reader = InMemoryMetricReader()
handler = OTelCallbackHandler(meter_provider=MeterProvider([reader]))
for _ in range(3):
    FakeListChatModel(responses=["Hello."]).invoke("Hi", config={"callbacks": [handler]})
    double.invoke({"number": 2}, config={"callbacks": [handler]})

for resource in reader.get_metrics_data().resource_metrics:
    for scope in resource.scope_metrics:
        for metric in scope.metrics:
            for point in metric.data.data_points:
                if hasattr(point, "count"):
                    print(f"{metric.name:36} {point.count} x, {point.sum:.4f} {metric.unit} in all")
