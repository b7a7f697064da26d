from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_callbacks._mapping.chunk import chunk_content
from tests.mapping.records import message

THOUGHT = {"type": "reasoning", "id": "r", "summary": []}


def of(token="", **fields):
    """Return what a chunk with this token and message carries."""
    return chunk_content(token, SimpleNamespace(message=message(**{"content": "", **fields})))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"content": []},
        {"content": [THOUGHT]},
        {"content": [{"type": "text", "text": "", "index": 0, "annotations": []}]},
        {"content": [{"type": "thinking", "signature": "c2ln", "index": 0}]},
        {"content": [{"type": "reasoning", "id": "r", "encrypted_content": "ZW5j", "summary": []}]},
        {"content": [{"type": "web_search_call", "id": "w", "status": "in_progress", "index": 1}]},
        {"tool_call_chunks": [{"name": None, "args": "", "id": None, "index": 0}]},
        {"additional_kwargs": {"reasoning_content": "", "audio": {"id": "a"}}},
    ],
    ids=repr,
)
def test_announcements_carry_nothing(fields):
    """A role, an empty list, an item or block that is still empty, a signature: none of them was generated."""
    assert of(**fields) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"content": [{**THOUGHT, "summary": [{"type": "summary_text", "text": "hm", "index": 0}]}]},
        {"content": [{"type": "reasoning", "reasoning": "hm"}]},
        {"content": [{"type": "thinking", "thinking": "hm"}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
        {"content": [{"type": "reasoning_content", "reasoning_content": {"text": "hm"}}]},
        {"additional_kwargs": {"reasoning_content": "hm"}},
        {"additional_kwargs": {"reasoning_details": [{"type": "reasoning.text", "text": "hm"}]}},
    ],
    ids=repr,
)
def test_reasoning_is_content_that_is_not_visible(fields):
    """Reasoning is told from the answer in the forms of all providers."""
    assert of(**fields) == "reasoning"


@pytest.mark.parametrize(
    "fields",
    [
        {"token": "hi"},
        {"content": [{"type": "text", "text": "hi"}]},
        {"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "hi"}]},
        {"content": [{"type": "tool_use", "name": "t", "input": {}, "id": "1"}]},
        {"content": [{"type": "refusal", "refusal": "no"}]},
        {"tool_call_chunks": [{"name": "t", "args": "", "id": "1", "index": 0}]},
        {"additional_kwargs": {"function_call": {"name": "f", "arguments": ""}}},
        {"additional_kwargs": {"audio": {"id": "a", "transcript": "hi"}}},
    ],
    ids=repr,
)
def test_text_and_tool_calls_are_visible(fields):
    """Text, refusals, audio and the name of a tool are what somebody gets to see."""
    assert of(**fields) == "visible"


@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        ({"type": "text-delta", "text": "hi"}, "visible"),
        ({"type": "text-delta", "text": ""}, None),
        ({"type": "reasoning-delta", "reasoning": "hm"}, "reasoning"),
        ({"type": "tool-call-delta", "args": "{"}, "visible"),
        ({"type": "block-delta", "fields": {"type": "reasoning", "reasoning": "hm"}}, "reasoning"),
        ({"type": "block-delta", "fields": {"type": "tool_call_chunk", "name": "t"}}, "visible"),
    ],
)
def test_stream_events_are_read_alike(delta, expected):
    """The deltas of LangChain's typed stream carry the same as the chunks."""
    assert chunk_content({"event": "content-block-delta", "index": 0, "delta": delta}, None) == expected


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)


@given(VALUES, VALUES, VALUES)
def test_any_value_is_told(token, content, extras):
    """Content of any shape gives an answer, never an exception."""
    chunk = SimpleNamespace(message=message(content=content, additional_kwargs=extras, tool_call_chunks=content))
    assert chunk_content(token, chunk) in {None, "visible", "reasoning"}
