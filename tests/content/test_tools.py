"""Tool definitions, arguments and results, and documents take the conventions' form."""

import json

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.messages import (
    ToolMessage,
)

from otel_callbacks._content.json import dumps
from otel_callbacks._content.messages.tools import documents, tool_arguments, tool_definitions, tool_result
from otel_callbacks._content.redaction import Redactor
from tests.content.forms import PLENTY, text
from tests.content.schemas import problems

FUNCTION = {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}}


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        pytest.param(
            {
                "tools": [
                    {
                        "type": "function",
                        "function": {"name": "f", "description": "d", "parameters": {"type": "object"}},
                    }
                ]
            },
            [FUNCTION],
            id="OpenAI",
        ),
        pytest.param({"tools": [{**FUNCTION, "strict": True}]}, [FUNCTION], id="Responses API"),
        pytest.param(
            {"functions": [{"name": "f", "description": "d", "parameters": {"type": "object"}}]},
            [FUNCTION],
            id="old functions",
        ),
        pytest.param(
            {"tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"}}]},
            [FUNCTION],
            id="Anthropic",
        ),
        pytest.param(
            {
                "tools": [
                    {"function_declarations": [{"name": "f", "description": "d", "parameters": {"type": "object"}}]}
                ]
            },
            [FUNCTION],
            id="Google",
        ),
        pytest.param(
            {
                "toolConfig": {
                    "tools": [
                        {"toolSpec": {"name": "f", "description": "d", "inputSchema": {"json": {"type": "object"}}}}
                    ]
                }
            },
            [FUNCTION],
            id="Bedrock",
        ),
        pytest.param(
            {"tools": [{"type": "web_search"}]},
            [{"type": "web_search", "name": "web_search"}],
            id="server tool of OpenAI",
        ),
        pytest.param(
            {"tools": [{"type": "web_search_20260101", "name": "web_search", "max_uses": 3}]},
            [{"type": "web_search_20260101", "name": "web_search"}],
            id="server tool of Anthropic",
        ),
        pytest.param(
            {"tools": [{"google_search": {}}]},
            [{"type": "google_search", "name": "google_search"}],
            id="server tool of Google",
        ),
        pytest.param(
            {
                "tools": [
                    {
                        "type": "mcp",
                        "server_label": "docs",
                        "server_url": "https://x",
                        "headers": {"Authorization": "private"},
                    }
                ]
            },
            [{"type": "mcp", "name": "docs"}],
            id="server of MCP",
        ),
        pytest.param({"tools": None}, [], id="none"),
        pytest.param({"tools": [5, {}]}, [{"type": "unknown", "name": "unknown"}], id="no tool"),
    ],
)
def test_tool_definitions_are_flat(params, expected):
    """Tools of all providers get the conventions' flat form; settings of server tools stay behind."""
    assert tool_definitions(params) == expected
    assert problems("tool_definitions", expected) == []


def test_parameter_called_password_is_described():
    """The schema of a tool survives redaction, even if its parameters are named like secrets."""
    parameters = {"type": "object", "properties": {"password": {"type": "string", "description": "the user's"}}}
    definitions = tool_definitions({"tools": [{"name": "login", "input_schema": parameters}]})

    assert json.loads(dumps(definitions, PLENTY, Redactor()))[0]["parameters"] == parameters


@pytest.mark.parametrize(
    ("inputs", "input_str", "arguments"),
    [
        ({"a": 1}, "{'a': 1}", {"a": 1}),
        (None, '{"a": 1}', {"a": 1}),
        (None, "Oslo", "Oslo"),
        (None, "{broken", "{broken"),
    ],
)
def test_tool_arguments_are_an_object_if_possible(inputs, input_str, arguments):
    """Arguments are what LangChain parsed, else the text's JSON, else the text."""
    assert tool_arguments(inputs, input_str) == arguments


@pytest.mark.parametrize(
    ("output", "result"),
    [
        (ToolMessage("sunny", tool_call_id="t1"), "sunny"),
        (ToolMessage('{"sky": "blue"}', tool_call_id="t1"), {"sky": "blue"}),
        (ToolMessage([{"type": "text", "text": "sunny"}], tool_call_id="t1"), [text("sunny")]),
        ([{"type": "text", "text": "sunny"}], [text("sunny")]),
        ([1, 2], [1, 2]),
        ({"sky": "blue"}, {"sky": "blue"}),
        (None, None),
    ],
)
def test_tool_result_is_the_content(output, result):
    """A tool's result is the content of its message, or its return value."""
    assert tool_result(output) == result


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (Document("x"), {"content": "x"}),
        (Document("x", id="d1", metadata={"source": "s"}), {"id": "d1", "content": "x", "metadata": {"source": "s"}}),
        (Document("x", metadata={"score": 0.5}), {"score": 0.5, "content": "x", "metadata": {"score": 0.5}}),
        (
            Document("x", metadata={"relevance_score": np.float32(0.5)}),
            {"score": 0.5, "content": "x", "metadata": {"relevance_score": np.float32(0.5)}},
        ),
        ((Document("x"), 0.25), {"score": 0.25, "content": "x"}),
        (Document("x", metadata={"score": "high"}), {"content": "x", "metadata": {"score": "high"}}),
        (Document("x", metadata={"score": float("nan")}), {"content": "x", "metadata": {"score": "nan"}}),
        (Document("x", metadata={"score": True}), {"content": "x", "metadata": {"score": True}}),
        ({"page_content": "x", "id": 7}, {"id": "7", "content": "x"}),
        ("x", {"content": "x"}),
    ],
)
def test_document_has_a_score_only_if_one_is_given(result, expected):
    """Documents keep id, content and metadata; scores come from the metadata or a pair, and are never invented."""
    output = json.loads(dumps(documents([result]), PLENTY))

    assert output == json.loads(dumps([expected], PLENTY))
    assert problems("retrieval_documents", output) == []


def test_documents_keep_their_order():
    """The first document found is the first shown."""
    assert [document["content"] for document in documents([Document(word) for word in "cab"])] == [*"cab"]
