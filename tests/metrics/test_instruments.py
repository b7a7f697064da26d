import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.retrievers import BaseRetriever

from tests.support.models import ScriptedChat, calling, usage
from tests.support.programs import MESSAGES, agent, graph, weather
from tests.support.recorded_spans import RecordedSpans

SECONDS = tuple(round(0.01 * 2**n, 2) for n in range(14))
TOKENS = tuple(4.0**n for n in range(14))
AGENT_SECONDS = tuple(round(0.1 * 2**n, 1) for n in range(13))
WORKFLOW_SECONDS = (1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0)
CALLS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)

SHARED = {
    "gen_ai.client.operation.duration": ("Histogram", "s", SECONDS),
    "gen_ai.execute_tool.duration": ("Histogram", "s", SECONDS),
    "gen_ai.invoke_agent.duration": ("Histogram", "s", AGENT_SECONDS),
    "gen_ai.invoke_agent.inference_calls": ("Histogram", "{inference_call}", CALLS),
    "gen_ai.invoke_agent.tool_calls": ("Histogram", "{tool_call}", CALLS),
    "otel_callbacks.step.duration": ("Histogram", "s", SECONDS),
    "otel_callbacks.finish_reasons": ("Sum", "{choice}", None),
    "otel_callbacks.time_to_first_visible_chunk": ("Histogram", "s", SECONDS),
    "otel_callbacks.tokens": ("Sum", "{token}", None),
    "otel_callbacks.usage_missing": ("Sum", "{call}", None),
    "otel_callbacks.runs": ("Sum", "{run}", None),
    "otel_callbacks.runs.open": ("Sum", "{run}", None),
}
METRICS = {
    "py-1.3": SHARED
    | {
        "gen_ai.client.token.usage": ("Histogram", "{token}", TOKENS),
        "gen_ai.client.operation.time_to_first_chunk": ("Histogram", "s", SECONDS),
        "gen_ai.client.operation.time_per_output_chunk": ("Histogram", "s", SECONDS),
        "gen_ai.invoke_workflow.duration": ("Histogram", "s", WORKFLOW_SECONDS),
    },
    "0.1.0": SHARED
    | {
        "gen_ai.client.inference.duration": ("Histogram", "s", SECONDS),
        "gen_ai.client.inference.time_to_first_chunk": ("Histogram", "s", SECONDS),
        "gen_ai.client.inference.time_per_output_chunk": ("Histogram", "s", SECONDS),
        "gen_ai.client.inference.operation.input_tokens": ("Histogram", "{token}", TOKENS),
        "gen_ai.client.inference.operation.output_tokens": ("Histogram", "{token}", TOKENS),
        "gen_ai.client.inference.usage.input_tokens": ("Sum", "{token}", None),
        "gen_ai.client.inference.usage.output_tokens": ("Sum", "{token}", None),
        "gen_ai.client.inference.usage.cache_read.input_tokens": ("Sum", "{token}", None),
        "gen_ai.client.inference.usage.cache_write.input_tokens": ("Sum", "{token}", None),
        "gen_ai.client.inference.usage.reasoning.output_tokens": ("Sum", "{token}", None),
    },
}


class Library(BaseRetriever):
    """A retriever that finds nothing."""

    def _get_relevant_documents(self, query, *, run_manager):
        return []


def use_everything(telemetry: RecordedSpans, dialect: str) -> None:
    """Make a run of every kind."""
    config = {"callbacks": [telemetry.new_handler(semconv=dialect, chunk_metrics=True)]}
    details = {
        "input_token_details": {"cache_read": 2, "cache_creation": 1, "audio": 3},
        "output_token_details": {"reasoning": 4},
    }
    answer = AIMessage(
        "hi", usage_metadata=usage(9, 5, **details), response_metadata={"finish_reason": "stop", "model_name": "m-1"}
    )
    ScriptedChat(script=[answer], params={"model": "m"}).invoke("x", config)
    thought = AIMessageChunk(content=[{"type": "reasoning", "reasoning": "hm"}])
    chunks = [thought, AIMessageChunk(content=[{"type": "text", "text": "a"}]), AIMessageChunk(content=[])]
    list(ScriptedChat(script=[chunks]).stream("x", config))
    Library().invoke("x", config)
    graph("trip", only=lambda state: {"seen": [1]}).invoke({"seen": []}, config)
    agent(ScriptedChat(script=[calling("weather", city="Oslo"), "sunny"]), [weather], "helper").invoke(MESSAGES, config)


@pytest.mark.parametrize("dialect", METRICS)
@pytest.mark.filterwarnings("ignore:create_react_agent has been moved")
def test_every_metric_has_the_dialects_name_kind_unit_and_buckets(telemetry: RecordedSpans, dialect):
    """Metrics have exactly the names, kinds, units and bucket boundaries of the dialect, and each has a description."""
    use_everything(telemetry, dialect)
    metrics = telemetry.metrics()
    instruments = {
        metric.name: (
            type(metric.data).__name__,
            metric.unit,
            getattr(metric.data.data_points[0], "explicit_bounds", None),
        )
        for metric in metrics
    }
    assert instruments == METRICS[dialect]
    assert all(metric.description for metric in metrics)


def test_model_labels(telemetry: RecordedSpans):
    """Model metrics have operation, provider and both models as labels; tokens also their type, reasons the reason."""
    use_everything(telemetry, "py-1.3")
    request = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "scripted", "gen_ai.request.model": "m"}
    model = {**request, "gen_ai.response.model": "m-1"}
    durations = [dict(point.attributes) for point in telemetry.points("gen_ai.client.operation.duration")]
    tokens = [dict(point.attributes) for point in telemetry.points("gen_ai.client.token.usage")]
    reasons = [dict(point.attributes) for point in telemetry.points("otel_callbacks.finish_reasons")]
    assert model in durations
    assert tokens == [{**model, "gen_ai.token.type": "input"}, {**model, "gen_ai.token.type": "output"}]
    assert reasons == [{**request, "otel_callbacks.finish_reason": "stop"}]


def test_tokens_by_modality_in_the_newer_dialect(telemetry: RecordedSpans):
    """The newer dialect counts tokens by modality: those reported apart by theirs, the rest as unknown."""
    use_everything(telemetry, "0.1.0")
    points = telemetry.points("gen_ai.client.inference.usage.input_tokens")
    assert {point.attributes["gen_ai.token.modality"]: point.value for point in points} == {"audio": 3, "unknown": 6}
    for name, count in (("cache_read.input", 2), ("cache_write.input", 1), ("reasoning.output", 4), ("output", 5)):
        assert telemetry.total(f"gen_ai.client.inference.usage.{name}_tokens") == count
    (histogram,) = telemetry.points("gen_ai.client.inference.operation.input_tokens")
    assert histogram.sum == 9
    assert "gen_ai.token.modality" not in histogram.attributes


def test_workflows_are_agents_in_the_newer_dialect(telemetry: RecordedSpans):
    """The newer dialect measures workflows in the metric of agents, with the operation and the same label for names."""
    handler = telemetry.new_handler(semconv="0.1.0")
    graph("trip", only=lambda state: {"seen": [1]}).invoke({"seen": []}, {"callbacks": [handler]})
    (point,) = telemetry.points("gen_ai.invoke_agent.duration")
    assert dict(point.attributes) == {"gen_ai.operation.name": "invoke_workflow", "gen_ai.agent.name": "trip"}
    assert telemetry.span("invoke_workflow trip").attributes["gen_ai.agent.name"] == "trip"


def test_retrievals_stay_client_operations_in_the_newer_dialect(telemetry: RecordedSpans):
    """In the newer dialect, which has metrics of its own for model calls only, retrievals stay client operations."""
    Library().invoke("x", {"callbacks": [telemetry.new_handler(semconv="0.1.0")]})
    (point,) = telemetry.points("gen_ai.client.operation.duration")
    assert dict(point.attributes) == {
        "gen_ai.operation.name": "retrieval",
        "otel_callbacks.retriever.name": "Library",
    }


def test_two_dialects_on_one_provider_do_not_mix(telemetry: RecordedSpans):
    """Handlers with different dialects on one provider each measure in their own."""
    for dialect in METRICS:
        ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [telemetry.new_handler(semconv=dialect)]})
    assert telemetry.count("gen_ai.client.operation.duration") == 1
    assert telemetry.count("gen_ai.client.inference.duration") == 1
