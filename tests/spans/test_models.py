import pytest
from langchain_core.language_models import FakeListLLM, FakeMessagesListChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatResult

from tests.support.models import ScriptedChat
from tests.support.recorded_spans import RecordedSpans


def test_chat_model_without_a_name_has_its_span(telemetry: RecordedSpans):
    """A model call has a span even if the model's name is unknown."""
    FakeMessagesListChatModel(responses=[AIMessage("hi")]).invoke("x", {"callbacks": [telemetry.new_handler()]})
    span = telemetry.span("chat")
    assert span.kind.name == "CLIENT"
    assert "gen_ai.request.model" not in span.attributes
    assert "gen_ai.response.finish_reasons" not in span.attributes


def test_text_model_is_a_text_completion(telemetry: RecordedSpans):
    """Calls of text models are spans of their own operation."""
    FakeListLLM(responses=["hi"]).invoke("x", {"callbacks": [telemetry.new_handler()]})
    span = telemetry.span("text_completion")
    assert span.kind.name == "CLIENT"
    assert span.attributes["gen_ai.operation.name"] == "text_completion"


def test_run_name_does_not_rename_the_span(telemetry: RecordedSpans):
    """A model's span is named after the model, whatever the run's name."""
    model = ScriptedChat(script=["hi"], params={"model": "m"})
    model.invoke("x", {"callbacks": [telemetry.new_handler()], "run_name": "question of Ann"})
    assert telemetry.span("chat m")


def test_choices_have_a_finish_reason_each(telemetry: RecordedSpans):
    """Several choices are counted, and their finish reasons are listed without inventing one for those without."""
    choices = [
        ChatGeneration(message=AIMessage("a"), generation_info={"finish_reason": "stop"}),
        ChatGeneration(message=AIMessage("b"), generation_info={"finish_reason": "length"}),
        ChatGeneration(message=AIMessage("c")),
    ]
    model = ScriptedChat(script=[ChatResult(generations=choices)], params={"n": 3})
    model.invoke("x", {"callbacks": [telemetry.new_handler()]})
    attributes = telemetry.span("chat").attributes
    assert attributes["gen_ai.request.choice.count"] == 3
    assert attributes["gen_ai.response.finish_reasons"] == ("stop", "length")


@pytest.mark.parametrize(
    ("chunks", "is_timed"),
    [
        ([AIMessageChunk(content="a")], True),
        ([AIMessageChunk(content=""), AIMessageChunk(content="")], False),
        ([AIMessageChunk(content=[{"type": "reasoning", "reasoning": "hm"}])], True),
        ([AIMessageChunk(content="", tool_call_chunks=[{"name": "t", "args": "", "id": "1", "index": 0}])], True),
    ],
    ids=["text", "empty", "reasoning", "tool call"],
)
def test_time_to_first_chunk_needs_content(telemetry: RecordedSpans, chunks, is_timed):
    """Only a chunk with generated content counts as the first one."""
    list(ScriptedChat(script=[chunks]).stream("x", {"callbacks": [telemetry.new_handler()]}))
    span = telemetry.span("chat")
    duration = (span.end_time - span.start_time) / 1e9
    assert span.attributes["gen_ai.request.stream"] is True
    assert ("gen_ai.response.time_to_first_chunk" in span.attributes) is is_timed
    assert 0 <= span.attributes.get("gen_ai.response.time_to_first_chunk", 0) <= duration


REASONED = AIMessageChunk(content=[{"type": "reasoning", "reasoning": "hm", "index": 0}])
SAID = AIMessageChunk(content=[{"type": "text", "text": "hi", "index": 1}])
CALLED = AIMessageChunk(content=[], tool_call_chunks=[{"name": "t", "args": "", "id": "1", "index": 0}])


@pytest.mark.parametrize(
    ("chunks", "is_later"),
    [
        ([REASONED, REASONED, SAID], True),
        ([REASONED, CALLED], True),
        ([SAID, REASONED, SAID], False),
        ([AIMessageChunk(content=[]), SAID], False),
        ([REASONED], False),
    ],
    ids=["text", "tool call", "text first", "no reasoning", "reasoning only"],
)
def test_time_to_the_first_visible_chunk(telemetry: RecordedSpans, chunks, is_later):
    """A call that begins with reasoning also has the time to its first text or tool call, on span and in a metric."""
    list(ScriptedChat(script=[chunks]).stream("x", {"callbacks": [telemetry.new_handler()]}))
    attributes = telemetry.span("chat").attributes
    visible = attributes.get("otel_callbacks.time_to_first_visible_chunk")
    assert (visible is not None) is is_later
    assert telemetry.count("otel_callbacks.time_to_first_visible_chunk") == is_later
    assert "gen_ai.response.time_to_first_chunk" in attributes
    if is_later:
        assert visible > attributes["gen_ai.response.time_to_first_chunk"]


def test_call_without_stream_is_not_marked_as_one(telemetry: RecordedSpans):
    """A call that does not stream has no attributes of streaming."""
    ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [telemetry.new_handler()]})
    attributes = telemetry.span("chat").attributes
    assert "gen_ai.request.stream" not in attributes
    assert "gen_ai.response.time_to_first_chunk" not in attributes


def test_broken_stream_keeps_what_it_had(telemetry: RecordedSpans):
    """A stream that its consumer leaves is cancelled, not failed, and has the length of the text up to then."""
    chunks = [AIMessageChunk(content="Hello "), AIMessageChunk(content="world")]
    stream = ScriptedChat(script=[chunks]).stream("x", {"callbacks": [telemetry.new_handler()]})
    next(stream)
    stream.close()
    span = telemetry.span("chat")
    assert span.status.is_unset
    assert span.attributes["otel_callbacks.outcome"] == "cancelled"
    assert span.attributes["otel_callbacks.stream.partial_length"] == len("Hello ")


def test_failing_stream_is_an_error_with_its_first_chunk(telemetry: RecordedSpans):
    """A stream that fails after its first chunk is an error and has the time to that chunk."""
    model = ScriptedChat(script=[[AIMessageChunk(content="Hello "), ConnectionError("gone")]])
    with pytest.raises(ConnectionError):
        list(model.stream("x", {"callbacks": [telemetry.new_handler()]}))
    span = telemetry.span("chat")
    assert span.attributes["error.type"] == "ConnectionError"
    assert "gen_ai.response.time_to_first_chunk" in span.attributes
