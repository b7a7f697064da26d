"""Messages of all shapes take the conventions' form."""

import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.prompt_values import ChatPromptValue, StringPromptValue
from langgraph.types import Command

from otel_callbacks._content.json import dumps
from otel_callbacks._content.messages.message import answer_messages, input_messages, output_messages, prompt_messages
from tests.content import values
from tests.content.forms import PICTURE, PLENTY, SIZE, text, user
from tests.content.schemas import problems


@dataclass
class State:
    messages: list[Any]


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param([HumanMessage("hi")], id="message"),
        pytest.param(HumanMessage("hi"), id="bare message"),
        pytest.param([[HumanMessage("hi")]], id="batch of one"),
        pytest.param("hi", id="text"),
        pytest.param(["hi"], id="list of texts"),
        pytest.param([{"role": "user", "content": "hi"}], id="dictionary of OpenAI"),
        pytest.param({"role": "user", "content": "hi"}, id="bare dictionary"),
        pytest.param([{"type": "human", "content": "hi"}], id="dictionary with a type"),
        pytest.param([{"type": "human", "data": {"content": "hi"}}], id="dictionary of messages_to_dict"),
        pytest.param([("user", "hi")], id="pair"),
        pytest.param(("human", "hi"), id="bare pair"),
        pytest.param([["human", "hi"]], id="pair as a list"),
        pytest.param([{"role": "user", "content": [{"type": "text", "text": "hi"}]}], id="blocks"),
        pytest.param([{"role": "user", "content": ["hi"]}], id="list of contents"),
        pytest.param(ChatPromptValue(messages=[HumanMessage("hi")]), id="chat prompt value"),
        pytest.param(StringPromptValue(text="hi"), id="text prompt value"),
        pytest.param({"messages": [HumanMessage("hi")], "other": 1}, id="state"),
        pytest.param(State([("user", "hi")]), id="state object"),
        pytest.param({"input": "hi", "chat_history": []}, id="input of a chain"),
        pytest.param(Command(update={"messages": [HumanMessage("hi")]}), id="command"),
        pytest.param(Command(resume="hi"), id="answer to an interrupt"),
    ],
)
def test_input_of_any_form_is_the_same_message(messages):
    """A user's message in any form is the same message in the conventions' form."""
    assert input_messages(messages) == [user("hi")]


def test_input_without_messages_gives_none():
    """An input that holds no messages gives an empty list and no error."""
    for value in (None, 5, {}, {"other": 1}, [], object(), values.Hostile()):
        read = input_messages(value)
        assert read == []


@pytest.mark.parametrize(
    ("message", "role"),
    [
        (SystemMessage("x"), "system"), (HumanMessage("x"), "user"), (AIMessage("x"), "assistant"),
        (AIMessageChunk("x"), "assistant"), (ChatMessage("x", role="critic"), "critic"), (("ai", "x"), "assistant"),
        ({"role": "developer", "content": "x"}, "developer"), ({"role": "model", "content": "x"}, "assistant"),
    ],
)  # fmt: skip
def test_message_has_the_role_of_its_speaker(message, role):
    """Roles become those of the conventions; unknown ones stay."""
    assert input_messages([message]) == [{"role": role, "parts": [text("x")]}]


def test_names_are_kept():
    """A message keeps its name, with which agents sign theirs."""
    assert input_messages([AIMessage("x", name="weather_agent")])[0]["name"] == "weather_agent"


def test_message_that_cannot_be_read_keeps_its_place():
    """A message of an unknown form does not affect its neighbours, and the list remains a list of messages."""
    for message in (values.Hostile(), 5, SimpleNamespace(type="ai", content=values.Hostile()), None):
        read = json.loads(dumps(input_messages([HumanMessage("before"), message, HumanMessage("after")]), PLENTY))

        assert read[0] == user("before")
        assert read[2] == user("after")
        assert problems("input_messages", read) == []


def test_long_conversations_are_read_at_both_ends():
    """Only the first and last messages of a very long conversation are read."""
    read = input_messages([HumanMessage(str(number)) for number in range(1000)], limit=10)

    assert [message["parts"][0]["content"] for message in read] == [
        *"01234",
        "[990 of 1000 left out]",
        *map(str, range(995, 1000)),
    ]


CALL = {"name": "f", "args": {"a": 1}, "id": "t1", "type": "tool_call"}
CALL_PART = {"type": "tool_call", "id": "t1", "name": "f", "arguments": {"a": 1}}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param(AIMessage("", tool_calls=[CALL]), [CALL_PART], id="list of calls"),
        pytest.param(
            AIMessage(
                [{"type": "text", "text": "x"}, {"type": "tool_use", "id": "t1", "name": "f", "input": {}}],
                tool_calls=[CALL],
            ),
            [text("x"), CALL_PART],
            id="content and list",
        ),
        pytest.param(
            AIMessage(
                [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}, {"type": "text", "text": "x"}],
                tool_calls=[CALL],
            ),
            [CALL_PART, text("x")],
            id="place in the content",
        ),
        pytest.param(
            AIMessage(
                "",
                invalid_tool_calls=[
                    {"name": "f", "args": '{"a', "id": "t1", "error": "x", "type": "invalid_tool_call"}
                ],
            ),
            [{"type": "tool_call", "id": "t1", "name": "f", "arguments": '{"a'}],
            id="invalid call",
        ),
        pytest.param(
            AIMessageChunk(
                "",
                tool_call_chunks=[{"name": "f", "args": '{"a": 1}', "id": "t1", "index": 0, "type": "tool_call_chunk"}],
            ),
            [CALL_PART],
            id="chunks",
        ),
        pytest.param(
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}],
            },
            [CALL_PART],
            id="dictionary of OpenAI",
        ),
        pytest.param(
            SimpleNamespace(
                type="ai", content="", additional_kwargs={"function_call": {"name": "f", "arguments": '{"a": 1}'}}
            ),
            [{"type": "tool_call", "name": "f", "arguments": {"a": 1}}],
            id="old function call",
        ),
        pytest.param(
            AIMessage(
                "", tool_calls=[{"name": "f", "args": {}, "id": None}, {"name": "f", "args": {"b": 2}, "id": None}]
            ),
            [
                {"type": "tool_call", "name": "f", "arguments": {}},
                {"type": "tool_call", "name": "f", "arguments": {"b": 2}},
            ],
            id="calls without ids",
        ),
    ],
)
def test_tool_calls_come_once(message, expected):
    """Calls come from the message's own lists; one that is also in the content keeps its place there."""
    assert input_messages([message])[0] == {"role": "assistant", "parts": expected}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (ToolMessage("sunny", tool_call_id="t1", name="f"), {"id": "t1", "response": "sunny"}),
        (
            ToolMessage([{"type": "text", "text": "sunny"}], tool_call_id="t1", name="f"),
            {"id": "t1", "response": [text("sunny")]},
        ),
        (FunctionMessage(content="sunny", name="f"), {"response": "sunny"}),
        ({"role": "tool", "tool_call_id": "t1", "name": "f", "content": "sunny"}, {"id": "t1", "response": "sunny"}),
    ],
)
def test_answer_of_a_tool_is_a_response(message, expected):
    """A tool's message becomes the response to the call that it names."""
    assert input_messages([message]) == [
        {"role": "tool", "name": "f", "parts": [{"type": "tool_call_response"} | expected]}
    ]


def test_what_openai_gives_beside_the_content_is_read():
    """Reasoning, a refusal and spoken output come from ``additional_kwargs``."""
    extra = {
        "reasoning_content": "hm", "refusal": "no",
        "audio": {"id": "a1", "data": PICTURE, "transcript": "said"},
    }  # fmt: skip
    read = input_messages([AIMessage("x", additional_kwargs=extra)])[0]["parts"]

    assert read == [
        {"type": "reasoning", "content": "hm"}, text("x"), text("no"),
        {"type": "blob", "modality": "audio", "content": "", "byte_size": SIZE}, text("said"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("metadata", "info", "reason"),
    [
        ({}, {"finish_reason": "stop"}, "stop"),
        ({}, {"finish_reason": "tool_calls"}, "tool_call"),
        ({}, {"finish_reason": "length"}, "length"),
        ({"stop_reason": "end_turn"}, None, "stop"),
        ({"stop_reason": "tool_use"}, None, "tool_call"),
        ({"stop_reason": "max_tokens"}, None, "length"),
        ({"finish_reason": "SAFETY"}, {}, "content_filter"),
        ({"done_reason": "stop"}, {}, "stop"),
        ({"status": "completed"}, {}, "stop"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, {}, "length"),
        ({"finish_reason": "eos_of_some_model"}, {}, "eos_of_some_model"),
        ({}, {}, None),
    ],
)
def test_finish_reason_is_the_conventions_if_there_is_one(metadata, info, reason):
    """Providers' finish reasons become the conventions' words; unknown ones stay, none is invented."""
    message = AIMessage("x", tool_calls=[CALL], response_metadata=metadata)
    [answer] = output_messages([ChatGeneration(message=message, generation_info=info)])

    assert answer.get("finish_reason") == reason
    assert answer["parts"] == [text("x"), CALL_PART]


def test_each_choice_is_a_message():
    """Each choice of a chat or a text model becomes its own message."""
    chat = [ChatGeneration(message=AIMessage(word)) for word in ("one", "two")]
    plain_text = [Generation(text="three", generation_info={"finish_reason": "length"})]

    assert output_messages(chat) == [{"role": "assistant", "parts": [text(word)]} for word in ("one", "two")]
    assert output_messages(plain_text) == [{"role": "assistant", "finish_reason": "length", "parts": [text("three")]}]


def test_prompts_of_text_models_are_users_messages():
    """A text model's prompt, which has no role, becomes a user's message."""
    assert prompt_messages(["hi"]) == [user("hi")]


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ({"messages": [HumanMessage("q"), AIMessage("a")]}, "a"),
        (AIMessage("a"), "a"),
        ("a", "a"),
        ({"input": 5, "output": "a"}, "a"),
    ],
)
def test_answer_of_an_agent_is_its_last_message(output, answer):
    """An agent's answer is one message of the assistant."""
    assert answer_messages(output) == [{"role": "assistant", "parts": [text(answer)]}]


def test_named_tuple_is_not_a_list_of_messages():
    """A workflow's own record keeps its field names, so that redaction sees which fields are secrets."""

    class Login(NamedTuple):
        password: str
        city: str

    assert input_messages(Login("hush", "Oslo")) == []
