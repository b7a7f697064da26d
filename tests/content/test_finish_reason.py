"""One reader of the finish reason: span attribute, counter and captured message report the same one."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult, LLMResult

from tests.support.models import ScriptedChat, ScriptedText
from tests.support.recorded_spans import RecordedSpans

KEYS = ("finish_reason", "stop_reason", "stopReason", "done_reason")
NO_REASON = [
    *(pytest.param(value, id=repr(value)) for value in ("", None, 7, True, ["stop"], {"reason": "stop"})),
    pytest.param(np.array(["stop", "length"]), id="array"),
]


class ChunkedChat(ScriptedChat):
    """A chat model that streams whole generation chunks, with their ``generation_info``."""

    def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        yield from self._next()


def answer(telemetry: RecordedSpans, info: Any = None, metadata: Any = None) -> None:
    """Report one answer of a chat model, past LangChain's models: those copy ``generation_info`` into the metadata."""
    handler, run_id = telemetry.new_handler(capture="span_only"), uuid4()
    message = AIMessage("because", response_metadata=metadata or {})
    handler.on_chat_model_start({}, [[HumanMessage("why?")]], run_id=run_id)
    generation = ChatGeneration(message=message, generation_info=info)
    handler.on_llm_end(LLMResult(generations=[[generation]]), run_id=run_id)


def reasons(telemetry: RecordedSpans) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    """The finish reasons of the one span: in its attribute, in the counter, in its captured messages."""
    [span] = telemetry.spans
    points = telemetry.points("otel_callbacks.finish_reasons")
    messages = json.loads(span.attributes["gen_ai.output.messages"])
    return (
        span.attributes.get("gen_ai.response.finish_reasons", ()),
        tuple(point.attributes["otel_callbacks.finish_reason"] for point in points if point.value == 1),
        tuple(message["finish_reason"] for message in messages if "finish_reason" in message),
    )


@pytest.mark.parametrize("place", ["info", "metadata"])
@pytest.mark.parametrize("key", KEYS)
def test_reason_is_read_under_every_key_in_both_places(telemetry: RecordedSpans, key, place):
    """``generation_info`` and ``response_metadata`` are read under all keys; the message has the convention's word."""
    answer(telemetry, **{place: {key: "max_tokens"}})
    assert reasons(telemetry) == (("max_tokens",), ("max_tokens",), ("length",))


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("other", KEYS)
def test_generation_info_comes_first(telemetry: RecordedSpans, key, other):
    """If both places give a reason, that of ``generation_info`` counts, whatever the keys."""
    answer(telemetry, {key: "end_turn"}, {other: "max_tokens"})
    assert reasons(telemetry) == (("end_turn",), ("end_turn",), ("stop",))


def test_first_key_comes_first(telemetry: RecordedSpans):
    """Within one place the keys have an order, whatever the order of the dictionary."""
    answer(telemetry, dict.fromkeys(reversed(KEYS), "refusal") | {KEYS[0]: "tool_calls"})
    assert reasons(telemetry) == (("tool_calls",), ("tool_calls",), ("tool_call",))


@pytest.mark.parametrize("value", NO_REASON)
@pytest.mark.parametrize("key", KEYS)
def test_value_that_is_no_reason_falls_through(telemetry: RecordedSpans, key, value):
    """An empty text, or no text at all, leaves the place to the next key and to ``response_metadata``."""
    answer(telemetry, {key: value}, {key: value, "stopReason" if key != "stopReason" else "done_reason": "tool_use"})
    assert reasons(telemetry) == (("tool_use",), ("tool_use",), ("tool_call",))


@pytest.mark.parametrize("value", NO_REASON)
@pytest.mark.parametrize("key", [*KEYS, "status"])
def test_no_reason_is_invented(telemetry: RecordedSpans, key, value):
    """A model that reports no usable reason has none anywhere."""
    answer(telemetry, {key: value}, {key: value})
    assert reasons(telemetry) == ((), (), ())


@pytest.mark.parametrize(
    ("metadata", "expected", "word"),
    [
        pytest.param({"status": "completed"}, "completed", "stop", id="status"),
        pytest.param(
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            "max_output_tokens",
            "length",
            id="details",
        ),
        pytest.param({"status": "incomplete", "incomplete_details": None}, "incomplete", "incomplete", id="no details"),
        pytest.param({"status": "incomplete", "incomplete_details": "x"}, "incomplete", "incomplete", id="odd details"),
        pytest.param(
            {"status": "incomplete", "incomplete_details": {"reason": ""}}, "incomplete", "incomplete", id="no reason"
        ),
        pytest.param({"status": "completed", "finish_reason": "length"}, "length", "length", id="reason and status"),
    ],
)
def test_responses_api_reports_a_status(telemetry: RecordedSpans, metadata, expected, word):
    """OpenAI's Responses API has a status, and details where that is "incomplete"."""
    answer(telemetry, {}, metadata)
    assert reasons(telemetry) == ((expected,), (expected,), (word,))


@pytest.mark.parametrize("key", KEYS)
def test_text_model(telemetry: RecordedSpans, key):
    """A text model has no message: its reason is in ``generation_info``."""
    model = ScriptedText(generation_info={key: "length"})
    model.invoke("why?", {"callbacks": [telemetry.new_handler(capture="span_only")]})
    assert reasons(telemetry) == (("length",), ("length",), ("length",))


@pytest.mark.parametrize("value", NO_REASON)
def test_text_model_without_a_reason(telemetry: RecordedSpans, value):
    """A text model that reports no usable reason has none anywhere."""
    model = ScriptedText(generation_info={"finish_reason": value})
    model.invoke("why?", {"callbacks": [telemetry.new_handler(capture="span_only")]})
    assert reasons(telemetry) == ((), (), ())


@pytest.mark.parametrize("place", ["info", "metadata"])
@pytest.mark.parametrize("key", KEYS)
def test_streamed_answer(telemetry: RecordedSpans, key, place):
    """The last chunk brings the reason; LangChain's sum of all chunks still has it."""
    bag = {key: "tool_use"}
    chunks = [
        ChatGenerationChunk(message=AIMessageChunk("be")),
        ChatGenerationChunk(message=AIMessageChunk("cause")),
        ChatGenerationChunk(
            message=AIMessageChunk("", response_metadata=bag if place == "metadata" else {}),
            generation_info=bag if place == "info" else None,
        ),
    ]
    handler = telemetry.new_handler(capture="span_only")
    list(ChunkedChat(script=[chunks]).stream("why?", {"callbacks": [handler]}))
    assert reasons(telemetry) == (("tool_use",), ("tool_use",), ("tool_call",))


def test_choices_report_their_own_reasons(telemetry: RecordedSpans):
    """Each choice is read by itself: one without a reason does not get that of its neighbour."""
    places = ({"stop_reason": "end_turn"}, {"finish_reason": ""}, {"done_reason": "length"})
    generations = [ChatGeneration(message=AIMessage("because"), generation_info=info) for info in places]
    model = ScriptedChat(script=[ChatResult(generations=generations)])
    model.invoke("why?", {"callbacks": [telemetry.new_handler(capture="span_only")]})
    assert reasons(telemetry) == (("end_turn", "length"), ("end_turn", "length"), ("stop", "length"))
