import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableLambda
from opentelemetry.sdk.metrics import MeterProvider

from otel_callbacks import OTelCallbackHandler
from otel_callbacks._metrics import labels
from otel_callbacks._runs import recorder as _recorder
from tests.life.waiting import Hanging, exported
from tests.support.clock import StillClock, TimedChat
from tests.support.models import ScriptedChat, usage
from tests.support.programs import graph, weather
from tests.support.recorded_spans import RecordedSpans
from tests.support.threads import in_threads

CHAT = "gen_ai.client.operation.duration"
FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk"


def program():
    """Build a graph of two nodes, with a tool in one, and a function and a model in the other."""
    chain = RunnableLambda(str) | ScriptedChat(script=[AIMessage("hi", usage_metadata=usage(7, 5))])
    return graph(
        "trip",
        look=lambda state: {"seen": [weather.invoke({"city": "Oslo"})]},
        talk=lambda state: {"seen": [chain.invoke("x")]},
    )


def test_one_duration_per_run(telemetry: RecordedSpans):
    """Every operation and node is measured once; other steps are not."""
    program().invoke({"seen": []}, {"callbacks": [telemetry.new_handler(detail="all")]})
    assert telemetry.count(CHAT) == 1
    assert telemetry.count("gen_ai.execute_tool.duration") == 1
    assert telemetry.count("gen_ai.invoke_workflow.duration") == 1
    assert telemetry.count("otel_callbacks.step.duration") == 2
    assert telemetry.count("gen_ai.invoke_agent.duration") == 0


def test_tokens_first_chunks_and_reasons_are_of_models_only(telemetry: RecordedSpans):
    """A model's usage, first chunk and finish reason are measured once, not again by the runs around it."""
    model = ScriptedChat(
        script=[AIMessage("hi", usage_metadata=usage(7, 5), response_metadata={"finish_reason": "stop"})]
    )
    list((model | RunnableLambda(lambda m: m)).stream("x", {"callbacks": [telemetry.new_handler()]}))
    assert telemetry.count("gen_ai.client.token.usage") == 2
    assert telemetry.count(FIRST_CHUNK) == 1
    assert telemetry.total("otel_callbacks.finish_reasons") == 1


def test_duration_is_the_spans(telemetry: RecordedSpans):
    """A measured duration equals the duration of its span."""
    weather.invoke({"city": "Oslo"}, {"callbacks": [telemetry.new_handler()]})
    span = telemetry.span("execute_tool weather")
    (point,) = telemetry.points("gen_ai.execute_tool.duration")
    assert point.sum == pytest.approx((span.end_time - span.start_time) / 1e9, abs=1e-6)


def exemplars(telemetry: RecordedSpans) -> dict[str, set[tuple[int, int]]]:
    """Return by metric the trace and span ids that its exemplars name. The SDK hands out each exemplar once."""
    return {
        metric.name: {(e.trace_id, e.span_id) for p in metric.data.data_points for e in getattr(p, "exemplars", ())}
        for metric in telemetry.metrics()
    }


def test_exemplars_lead_to_the_measured_span(telemetry: RecordedSpans):
    """Each measurement's exemplar names the measured span and its trace, not what is current."""
    with telemetry.tracer.start_as_current_span("req"):
        program().invoke({"seen": []}, {"callbacks": [telemetry.new_handler()]})
    exemplars_by_metric = exemplars(telemetry)
    for metric, name in (
        (CHAT, "chat"),
        ("gen_ai.client.token.usage", "chat"),
        ("gen_ai.execute_tool.duration", "execute_tool weather"),
        ("gen_ai.invoke_workflow.duration", "invoke_workflow trip"),
    ):
        context = telemetry.span(name).context
        assert exemplars_by_metric[metric] == {(context.trace_id, context.span_id)}


def test_exemplars_of_hidden_runs_lead_to_the_next_span_above(telemetry: RecordedSpans):
    """The exemplar of a run without a span names the next span above."""
    program().invoke({"seen": []}, {"callbacks": [telemetry.new_handler(detail="operations")]})
    root = telemetry.span("invoke_workflow trip").context
    assert exemplars(telemetry)["otel_callbacks.step.duration"] == {(root.trace_id, root.span_id)}


async def test_exemplars_of_async_runs(telemetry: RecordedSpans):
    """In async code, where runs end in a copied context, exemplars name the measured span."""
    await ScriptedChat(script=["hi"]).ainvoke("x", {"callbacks": [telemetry.new_handler()]})
    context = telemetry.span("chat").context
    assert exemplars(telemetry)[CHAT] == {(context.trace_id, context.span_id)}


def test_exemplars_do_not_need_the_span_to_be_current(telemetry: RecordedSpans):
    """With `propagate=False`, exemplars name the measured span although another one is current."""
    handler = telemetry.new_handler(propagate=False)
    with telemetry.tracer.start_as_current_span("req"):
        weather.invoke({"city": "Oslo"}, {"callbacks": [handler]})
    context = telemetry.span("execute_tool weather").context
    assert exemplars(telemetry)["gen_ai.execute_tool.duration"] == {(context.trace_id, context.span_id)}


def test_first_chunk_is_the_first_with_content(telemetry: RecordedSpans, monkeypatch):
    """Metric and span have the same time to the first chunk with content."""
    clock = StillClock()
    monkeypatch.setattr(_recorder, "perf_counter_ns", clock)
    monkeypatch.setattr("otel_callbacks._runs.start.perf_counter_ns", clock)

    model = TimedChat(clock=clock, script=[(100, ""), (250, "a"), (300, "b")])
    list(model.stream("x", {"callbacks": [telemetry.new_handler()]}))
    (point,) = telemetry.points(FIRST_CHUNK)
    assert point.sum == pytest.approx(0.25)
    assert telemetry.span("chat").attributes["gen_ai.response.time_to_first_chunk"] == pytest.approx(0.25)


def test_time_between_chunks_is_not_measured_by_default(telemetry: RecordedSpans):
    """The time between chunks is not measured by default, as a measurement per chunk costs."""
    chunks = [AIMessageChunk(content=text) for text in "abc"]
    list(ScriptedChat(script=[chunks]).stream("x", {"callbacks": [telemetry.new_handler()]}))
    assert telemetry.count(FIRST_CHUNK) == 1
    assert telemetry.points("gen_ai.client.operation.time_per_output_chunk") == []


def test_finish_reasons_count_choices(telemetry: RecordedSpans):
    """Each choice is counted under its own finish reason."""
    choices = [
        ChatGeneration(message=AIMessage("a"), generation_info={"finish_reason": reason})
        for reason in ("stop", "length", "stop")
    ]
    ScriptedChat(script=[ChatResult(generations=choices)]).invoke("x", {"callbacks": [telemetry.new_handler()]})
    points = telemetry.points("otel_callbacks.finish_reasons")
    assert {p.attributes["otel_callbacks.finish_reason"]: p.value for p in points} == {"stop": 2, "length": 1}


def test_usage_is_missing_only_where_a_model_answered(telemetry: RecordedSpans):
    """A failed call, which reports no usage, does not count as one without usage."""
    with pytest.raises(ValueError, match="no"):
        ScriptedChat(script=[ValueError("no")]).invoke("x", {"callbacks": [telemetry.new_handler()]})
    assert telemetry.count(CHAT) == 1
    assert telemetry.points("otel_callbacks.usage_missing") == []


def test_runs_are_counted_by_type_and_outcome(telemetry: RecordedSpans):
    """Every run that ended is counted by type and outcome, including hidden ones."""
    handler = telemetry.new_handler(detail="operations")
    program().invoke({"seen": []}, {"callbacks": [handler]})
    with pytest.raises(ValueError, match="no"):
        ScriptedChat(script=[ValueError("no")]).invoke("x", {"callbacks": [handler]})
    counts = {
        (p.attributes["langchain.run_type"], p.attributes["otel_callbacks.outcome"]): p.value
        for p in telemetry.points("otel_callbacks.runs")
    }
    assert counts == {("chain", "ok"): 5, ("tool", "ok"): 1, ("chat", "ok"): 1, ("chat", "error"): 1}


def test_open_runs_are_counted_while_they_run(telemetry: RecordedSpans):
    """Collected metrics have the number of runs that are open at that time."""
    inside = []

    def look(text):
        inside.extend(point.value for point in telemetry.points("otel_callbacks.runs.open"))
        return text

    (RunnableLambda(look) | RunnableLambda(str)).invoke("x", {"callbacks": [telemetry.new_handler()]})
    assert inside == [2]
    assert [point.value for point in telemetry.points("otel_callbacks.runs.open")] == [0]


async def test_durations_distinguish_cancelled_calls(telemetry: RecordedSpans):
    """A duration has the outcome as a label only if it is neither ok nor error."""
    hanging = Hanging()
    handler = telemetry.new_handler()
    ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [handler]})
    await hanging.cancel(hanging.chat().ainvoke("x", {"callbacks": [handler]}))
    await exported(telemetry, 2)
    outcomes = [point.attributes.get("otel_callbacks.outcome") for point in telemetry.points(CHAT)]
    assert sorted(outcomes, key=str) == [None, "cancelled"]


def test_handlers_own_failures_are_counted_by_kind(telemetry: RecordedSpans, caplog):
    """Failures inside the tracer are counted by kind and logged once, and the runs go on."""
    handler = telemetry.new_handler(filter=lambda run: 1 / 0)
    chain = RunnableLambda(str) | RunnableLambda(str)
    for _ in range(3):
        assert chain.invoke("x", {"callbacks": [handler]}) == "x"
    (point,) = telemetry.points("otel_callbacks.errors")
    assert dict(point.attributes) == {"otel_callbacks.error.kind": "filter"}
    assert point.value == 6
    assert len([record for record in caplog.records if record.name == "otel_callbacks"]) == 1


def test_dimension_keeps_its_first_values(telemetry: RecordedSpans):
    """Above the limit, new values share one series and earlier ones keep theirs."""
    for number in (*range(labels.MAX_VALUES_PER_LABEL + 50), 0):
        tool = weather.model_copy(update={"name": f"tool-{number}"})
        tool.invoke({"city": "Oslo"}, {"callbacks": [telemetry.new_handler()]})
    counts = {p.attributes["gen_ai.tool.name"]: p.count for p in telemetry.points("gen_ai.execute_tool.duration")}
    assert len(counts) == labels.MAX_VALUES_PER_LABEL + 1
    assert counts["_OTHER"] == 50
    assert counts["tool-0"] == 2


def test_threads_do_not_lose_measurements(telemetry: RecordedSpans):
    """No measurement is lost when many threads end runs at once."""
    handler = telemetry.new_handler()

    def work():
        for _ in range(50):
            weather.invoke({"city": "Oslo"}, {"callbacks": [handler]})

    in_threads(8, work)
    assert telemetry.count("gen_ai.execute_tool.duration") == 400
    assert telemetry.total("otel_callbacks.runs") == 400


def test_meter_provider_without_tracer_provider_is_enough(telemetry: RecordedSpans):
    """Metrics are recorded even if no tracer provider is set up."""
    handler = OTelCallbackHandler(meter_provider=telemetry.meter_provider)
    weather.invoke({"city": "Oslo"}, {"callbacks": [handler]})
    assert isinstance(telemetry.meter_provider, MeterProvider)
    assert telemetry.count("gen_ai.execute_tool.duration") == 1
