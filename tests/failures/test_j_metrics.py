import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage
from langchain_core.retrievers import BaseRetriever

from otel_callbacks._runs import recorder as _recorder
from tests.support.clock import StillClock, TimedChat
from tests.support.models import ScriptedChat, calling, usage
from tests.support.programs import MESSAGES, agent, broken, needs_agent_marks, weather
from tests.support.recorded_spans import RecordedSpans

OPERATION = "gen_ai.client.operation.duration"
TOOL = "gen_ai.execute_tool.duration"
AGENT = "gen_ai.invoke_agent.duration"
TOKENS = "gen_ai.client.token.usage"
PER_CHUNK = "gen_ai.client.operation.time_per_output_chunk"


class Library(BaseRetriever):
    """Finds a document, or fails."""

    works: bool = True

    def _get_relevant_documents(self, query, *, run_manager):
        if not self.works:
            raise ConnectionError("no")
        return [Document("cats")]


def labels(telemetry: RecordedSpans, metric: str) -> set[frozenset]:
    """Return the label sets of a metric's points."""
    return {frozenset(point.attributes.items()) for point in telemetry.points(metric)}


def sets(*dictionaries: dict) -> set[frozenset]:
    """Return these label sets in the form in which `labels` returns them."""
    return {frozenset(dictionary.items()) for dictionary in dictionaries}


def units(telemetry: RecordedSpans) -> dict[str, str]:
    """Return the unit of each metric."""
    return {metric.name: metric.unit for metric in telemetry.metrics()}


MODEL = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "scripted", "gen_ai.request.model": "m"}
RETRIEVAL = {"gen_ai.operation.name": "retrieval", "otel_callbacks.retriever.name": "Library"}
SECONDS = tuple(round(0.01 * 2**n, 2) for n in range(14))


def chat(answer):
    """Return a function that calls a model with this answer."""
    return lambda config: ScriptedChat(script=[answer], params={"model": "m"}).invoke("x", config)


def ask_agent(answer):
    """Return a function that calls an agent with this answer of its model, and with one tool, which is broken."""
    return lambda config: agent(ScriptedChat(script=[answer]), [broken], "helper").invoke(MESSAGES, config)


@pytest.mark.parametrize(
    ("good", "failing", "metric", "expected", "bounds"),
    [
        pytest.param(
            chat(AIMessage("hi")),
            chat(ValueError("no")),
            OPERATION,
            sets(MODEL, {**MODEL, "error.type": "ValueError"}),
            SECONDS,
            id="model",
        ),
        pytest.param(
            lambda config: Library().invoke("x", config),
            lambda config: Library(works=False).invoke("x", config),
            OPERATION,
            sets(RETRIEVAL, {**RETRIEVAL, "error.type": "ConnectionError"}),
            SECONDS,
            id="retriever",
        ),
        pytest.param(
            lambda config: weather.invoke({"city": "Oslo"}, config),
            lambda config: broken.invoke({"city": "Oslo"}, config),
            TOOL,
            sets(
                {"gen_ai.tool.name": "weather", "gen_ai.tool.type": "function"},
                {"gen_ai.tool.name": "broken", "gen_ai.tool.type": "function", "error.type": "ValueError"},
            ),
            SECONDS,
            id="tool",
        ),
        pytest.param(
            ask_agent("hi"),
            ask_agent(calling("broken", city="Oslo")),
            AGENT,
            sets({"gen_ai.agent.name": "helper"}, {"gen_ai.agent.name": "helper", "error.type": "ValueError"}),
            tuple(round(0.1 * 2**n, 1) for n in range(13)),
            id="agent",
            marks=needs_agent_marks,
        ),
    ],
)
def test_every_kind_of_operation_has_its_duration(telemetry: RecordedSpans, good, failing, metric, expected, bounds):
    """ollm#1912, ollm#2167: a good and a failed call give two points in seconds, distinguished by the error's type."""
    config = {"callbacks": [telemetry.new_handler()]}
    good(config)
    with pytest.raises((ValueError, ConnectionError)):
        failing(config)
    points = telemetry.points(metric)
    assert labels(telemetry, metric) == expected
    assert [point.count for point in points] == [1, 1]
    assert {point.explicit_bounds for point in points} == {bounds}
    assert units(telemetry)[metric] == "s"


def test_tokens_are_measured_on_models(telemetry: RecordedSpans):
    """ollm#2167: input and output tokens are two points with the convention's unit and buckets."""
    chat(AIMessage("hi", usage_metadata=usage(7, 5)))({"callbacks": [telemetry.new_handler()]})
    assert labels(telemetry, TOKENS) == sets(
        {**MODEL, "gen_ai.token.type": "input"}, {**MODEL, "gen_ai.token.type": "output"}
    )
    assert {point.explicit_bounds for point in telemetry.points(TOKENS)} == {tuple(4.0**n for n in range(14))}
    assert units(telemetry)[TOKENS] == "{token}"


def test_time_between_chunks(telemetry: RecordedSpans, monkeypatch):
    """genai#13: chunks at 1.0, 1.1 and 1.3 s are measured as 0.1 and 0.2 s apart; empty ones do not count."""
    clock = StillClock()
    monkeypatch.setattr(_recorder, "perf_counter_ns", clock)

    model = TimedChat(clock=clock, script=[(1000, "a"), (1100, "b"), (1200, ""), (1300, "c")])
    list(model.stream("x", {"callbacks": [telemetry.new_handler(chunk_metrics=True)]}))
    (point,) = telemetry.points(PER_CHUNK)
    assert point.count == 2
    assert (point.min, point.max) == (pytest.approx(0.1), pytest.approx(0.2))


def test_names_from_outside_cannot_flood_the_metrics(telemetry: RecordedSpans):
    """ollm#2166, koog#1381, mecatl#1505: 5 000 model names make a limited number of series, and no label is `None`."""
    model = ScriptedChat(script=[AIMessage("hi", usage_metadata=usage(1, 1))])
    config = {"callbacks": [telemetry.new_handler()]}
    for number in range(5000):
        model.invoke("x", config, model=f"model-{number}")
    points = telemetry.points(OPERATION)
    assert len(points) <= 201
    assert sum(point.count for point in points) == 5000
    assert [point.count for point in points if point.attributes["gen_ai.request.model"] == "_OTHER"] == [4800]
    allowed = {
        "gen_ai.operation.name",
        "gen_ai.provider.name",
        "gen_ai.request.model",
        "gen_ai.token.type",
    }
    for metric in (OPERATION, TOKENS):
        for point in telemetry.points(metric):
            assert set(point.attributes) <= allowed
            assert None not in point.attributes.values()


def test_run_names_tags_and_users_are_no_labels(telemetry: RecordedSpans):
    """ollm#2154, semconv#2362: names, tags and metadata of runs are on spans only."""
    config = {
        "callbacks": [telemetry.new_handler(metadata_keys=("user_id",))],
        "run_name": "question of Ann",
        "tags": ["vip"],
        "metadata": {"user_id": "ann", "thread_id": "t1"},
    }
    ScriptedChat(script=[AIMessage("hi", usage_metadata=usage(1, 1))]).invoke("x", config)
    assert telemetry.span("chat").attributes["langchain.metadata.user_id"] == "ann"
    points = [point for metric in telemetry.metrics() for point in metric.data.data_points]
    assert points
    assert not {"ann", "vip", "t1", "question of Ann"} & {value for p in points for value in p.attributes.values()}
