from langchain_core.callbacks import adispatch_custom_event, dispatch_custom_event
from langchain_core.language_models.llms import create_base_retry_decorator
from langchain_core.output_parsers import StrOutputParser
from langchain_core.runnables import RunnableLambda

from tests.support.models import ScriptedChat
from tests.support.programs import graph, needs_contexts_of_tasks
from tests.support.recorded_spans import RecordedSpans


def custom_events(telemetry: RecordedSpans) -> list[tuple[str, dict]]:
    """Return the span's name and the attributes of each custom event."""
    return [
        (span.name, dict(event.attributes))
        for span in telemetry.spans
        for event in span.events
        if event.name == "langchain.custom_event"
    ]


def test_custom_event_is_an_event_of_its_run(telemetry: RecordedSpans):
    """`dispatch_custom_event` adds an event with name and size; its data is content and is not exported."""

    def work(state):
        dispatch_custom_event("progress", {"secret": "data", "percent": 50})
        return {"seen": [1]}

    graph("g", work=work).invoke({"seen": []}, {"callbacks": [telemetry.new_handler()]})
    assert custom_events(telemetry) == [
        ("node work", {"langchain.custom_event.name": "progress", "langchain.custom_event.size": 2})
    ]


@needs_contexts_of_tasks
async def test_custom_event_of_async_code(telemetry: RecordedSpans):
    """`adispatch_custom_event` does the same; data without a size has none."""

    async def work(state):
        await adispatch_custom_event("tick", 7)
        return {"seen": [1]}

    await graph("g", work=work).ainvoke({"seen": []}, {"callbacks": [telemetry.new_handler()]})
    assert custom_events(telemetry) == [("node work", {"langchain.custom_event.name": "tick"})]


def test_custom_event_of_a_hidden_run_is_on_the_next_span_above(telemetry: RecordedSpans):
    """The next span above a hidden run has the run's custom events."""

    def work(text):
        dispatch_custom_event("progress", [1, 2, 3])
        return text

    chain = (RunnableLambda(work) | StrOutputParser()).with_config(run_name="outer")
    chain.invoke("x", {"callbacks": [telemetry.new_handler(detail="operations")]})
    assert [name for name, _ in custom_events(telemetry)] == ["invoke_workflow outer"]


class Retrying(ScriptedChat):
    """A model that retries by itself, as providers' packages do."""

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        retry = create_base_retry_decorator([ConnectionError], max_retries=3, run_manager=run_manager)
        attempt = retry(super()._generate)
        attempt.retry.wait = lambda state: 0
        return attempt(messages, stop, run_manager, **kwargs)


def test_retries_inside_a_model_are_counted(telemetry: RecordedSpans):
    """Retries that a provider's package makes inside one call are counted on the call's span."""
    model = Retrying(script=[ConnectionError("1"), ConnectionError("2"), "fine"])
    model.invoke("x", {"callbacks": [telemetry.new_handler()]})
    span = telemetry.span("chat")
    assert span.attributes["langchain.retry.count"] == 2
    assert span.attributes["otel_callbacks.outcome"] == "ok"


def test_call_without_retries_has_no_count(telemetry: RecordedSpans):
    """A call that succeeds at once has no count of retries."""
    ScriptedChat(script=["fine"]).invoke("x", {"callbacks": [telemetry.new_handler()]})
    assert "langchain.retry.count" not in telemetry.span("chat").attributes
