import re

import pytest
from langchain_core.output_parsers import JsonOutputParser
from langchain_core.runnables import RunnableLambda

from tests.life.waiting import Hanging
from tests.support.models import ScriptedChat
from tests.support.programs import broken, graph, weather
from tests.support.recorded_spans import RecordedSpans


class Refused(Exception):  # noqa: N818
    """A provider's error."""

    status_code = 429


def failing(message="the secret prompt", error=Refused):
    """Make a model that fails with this message."""
    return ScriptedChat(script=[error(message)])


def test_exception_event_has_type_status_and_places(telemetry: RecordedSpans):
    """An exception event has the type, the provider's status code and the stack as file:line:function, no message."""
    with pytest.raises(Refused):
        failing().invoke("x", {"callbacks": [telemetry.new_handler()]})
    span = telemetry.span("chat")
    (event,) = span.events
    stack = event.attributes["exception.stacktrace"].split("\n")
    assert event.name == "exception"
    assert event.attributes["exception.type"] == f"{__name__}.Refused"
    assert event.attributes["http.response.status_code"] == 429
    assert all(re.fullmatch(r"[^:]+\.py:\d+:\S+", line) for line in stack)
    assert stack[-1].endswith(":_next")
    assert set(event.attributes) == {"exception.type", "exception.stacktrace", "http.response.status_code"}


def test_messages_of_exceptions_are_nowhere(telemetry: RecordedSpans):
    """By default neither status, attributes nor events of any span contain an exception's message."""
    program = graph("g", only=lambda state: {"seen": [failing().invoke("x")]})
    with pytest.raises(Refused):
        program.invoke({"seen": []}, {"callbacks": [telemetry.new_handler(detail="all")]})
    assert len(telemetry.spans) == 3
    for span in telemetry.spans:
        texts = [span.status.description, *span.attributes.values()]
        texts += [value for event in span.events for value in event.attributes.values()]
        assert not [text for text in texts if "secret" in str(text)]


def test_status_names_the_type(telemetry: RecordedSpans):
    """A failed span has status ERROR, described by the error's type; a successful one has no status."""
    config = {"callbacks": [telemetry.new_handler()]}
    with pytest.raises(ValueError, match="no weather"):
        broken.invoke({"city": "Oslo"}, config)
    weather.invoke({"city": "Oslo"}, config)
    failed = telemetry.span("execute_tool broken")
    assert (failed.status.status_code.name, failed.status.description) == ("ERROR", "ValueError")
    assert failed.attributes["error.type"] == "ValueError"
    assert telemetry.span("execute_tool weather").status.is_unset


def test_other_exception_on_the_way_up_has_its_own_event(telemetry: RecordedSpans):
    """An exception raised in an except block has an event of its own, beside that of the caught exception."""

    def wrap(text):
        try:
            return failing().invoke(text)
        except Refused:
            raise KeyError("mine") from None

    with pytest.raises(KeyError):
        RunnableLambda(wrap).invoke("x", {"callbacks": [telemetry.new_handler()]})
    types = {span.name: [event.attributes["exception.type"] for event in span.events] for span in telemetry.spans}
    assert types == {"chat": [f"{__name__}.Refused"], "invoke_workflow wrap": ["KeyError"]}


def test_caught_exception_does_not_reach_the_ancestors(telemetry: RecordedSpans):
    """An exception that a step catches is an error of the child only."""

    def forgive(text):
        try:
            return failing().invoke(text)
        except Refused:
            return "sorry"

    RunnableLambda(forgive).invoke("x", {"callbacks": [telemetry.new_handler()]})
    assert telemetry.tree() == "invoke_workflow forgive\n  chat [error] ERROR"


OVERFLOW = "langchain_core.exceptions.ContextOverflowError"


def raised(telemetry: RecordedSpans, runnable, value="x") -> tuple[str, str]:
    """Run what raises, and return `error.type` and `exception.type`."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of any class
        runnable.invoke(value, {"callbacks": [telemetry.new_handler()]})
    span = next(span for span in telemetry.spans if span.parent is None)
    types = [event.attributes["exception.type"] for one in telemetry.spans for event in one.events]
    assert types == [f"{caught.type.__module__}.{caught.type.__qualname__}"]
    return span.attributes["error.type"], types[0]


def test_exception_keeps_the_name_of_its_class(telemetry: RecordedSpans):
    """A parser's exception is told from a `ValueError`, by its type on the span and in the event."""
    parser = ScriptedChat(script=["not json"]) | JsonOutputParser()
    assert raised(telemetry, parser) == ("langchain_core.exceptions.OutputParserException",) * 2


@pytest.mark.parametrize(
    ("path", "error_type"),
    [
        (
            "langchain_openai.chat_models.base.OpenAIContextOverflowError",
            "langchain_core.exceptions.ContextOverflowError",
        ),
        ("langchain_openai.chat_models.base.OpenAIRateLimitError", "openai.RateLimitError"),
        (
            "langchain_anthropic.chat_models.AnthropicContextOverflowError",
            "langchain_core.exceptions.ContextOverflowError",
        ),
        ("langchain_anthropic.chat_models.AnthropicOverloadedError", "anthropic.OverloadedError"),
        ("langchain_openai.chat_models._client_utils.StreamChunkTimeoutError", None),
        ("langchain_openai.middleware.openai_moderation.OpenAIModerationError", None),
        ("openai.RateLimitError", None),
    ],
)
def test_classes_of_provider_packages(telemetry: RecordedSpans, path, error_type):
    """The event has the class that was raised; the span has the class that has a cure of its own (`None`: the same)."""
    module, _, name = path.rpartition(".")
    kind = getattr(pytest.importorskip(module), name, None)
    if kind is None:
        pytest.skip("this release has no such class")

    def fail(_):
        raise kind.__new__(kind)  # without the provider's response, which only its clients make

    full_name = f"{kind.__module__}.{kind.__qualname__}"
    assert raised(telemetry, RunnableLambda(fail)) == (error_type or full_name, full_name)


async def test_cancellation_is_no_error(telemetry: RecordedSpans):
    """A cancelled run has that outcome on its span and duration, and neither status, error type nor event."""
    hanging = Hanging()

    async def wait(text):
        await hanging.forever()

    chain = RunnableLambda(wait).with_config(run_name="patient")
    await hanging.cancel(chain.ainvoke("x", {"callbacks": [telemetry.new_handler()]}))
    span = telemetry.span("invoke_workflow patient")
    assert span.status.is_unset
    assert span.events == ()
    assert span.attributes["otel_callbacks.outcome"] == "cancelled"
    (point,) = telemetry.points("gen_ai.invoke_workflow.duration")
    assert dict(point.attributes) == {"gen_ai.workflow.name": "patient", "otel_callbacks.outcome": "cancelled"}


@pytest.mark.parametrize("detail", ["operations", "steps", "all"])
def test_every_span_has_its_outcome(telemetry: RecordedSpans, detail):
    """Every span has an outcome, whatever the detail."""
    chain = RunnableLambda(lambda text: text) | ScriptedChat(script=["hi"])
    chain.invoke("x", {"callbacks": [telemetry.new_handler(detail=detail)]})
    assert {span.attributes["otel_callbacks.outcome"] for span in telemetry.spans} == {"ok"}
