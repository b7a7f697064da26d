import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from otel_callbacks import semconv
from otel_callbacks._mapping.cost import Cost
from otel_callbacks._mapping.records import Usage
from otel_callbacks._metrics import labels
from otel_callbacks._metrics.instruments import Instruments

OURS = {
    "gen_ai.operation.name",
    "gen_ai.token.type",
    "gen_ai.token.modality",
    "gen_ai.tool.type",
    "otel_callbacks.outcome",
    "otel_callbacks.retriever.inner",
}
"""Labels whose few values this package itself sets. Every other label has to be capped."""
MANY = 12


class Named(dict):
    """Attributes in which every key has a value, which names the key and a number."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def __missing__(self, key):
        return f"{key}-{self.number}"

    def get(self, key, default=None):
        return self[key]

    def keys(self):
        return ()


def measure_everything(instruments, number):
    """Take each kind of measurement once, with attributes of that number."""
    attributes = Named(number)
    for operation in instruments._durations:
        instruments.duration(operation, 1, attributes, None)
    instruments.model_call(
        1,
        attributes,
        None,
        agent=f"agent-{number}",
        first_chunk_s=1,
        first_visible_s=2,
        usage=Usage({semconv.USAGE_INPUT: 1, semconv.USAGE_OUTPUT: 1}),
        finish_reasons=[f"reason-{number}"],
        is_usage_expected=True,
    )
    instruments.model_call(
        1,
        attributes,
        None,
        agent=f"agent-{number}",
        first_chunk_s=None,
        first_visible_s=None,
        usage=None,
        finish_reasons=[],
        is_usage_expected=True,
    )
    instruments.output_chunk(1, attributes, None)
    instruments.cost(None, attributes, f"agent-{number}")
    instruments.agent_calls(1, 1, attributes, None)
    priced = {key: f"{key}-{number}" for key in labels.COST}
    instruments.cost(Cost(1.0, "list"), priced, f"agent-{number}")


@pytest.mark.parametrize("dialect", semconv.DIALECTS.values(), ids=lambda dialect: dialect.name)
def test_every_label_from_outside_is_capped(dialect, monkeypatch):
    """No label has values without end, unless this package itself sets them."""
    monkeypatch.setattr(labels, "MAX_VALUES_PER_LABEL", 5)
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    instruments = Instruments(provider.get_meter("m"), dialect)
    for number in range(MANY):
        measure_everything(instruments, number)

    values: dict[str, set] = {}
    for metric in reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics:
        for point in metric.data.data_points:
            for key, value in point.attributes.items():
                values.setdefault(key, set()).add(value)
    assert {key for key, found in values.items() if len(found) > 5 + 1} - OURS == set()
    assert len(values) > 10
