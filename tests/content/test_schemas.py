"""Content of any kind, cut anywhere, satisfies the conventions' schemas."""

import json
from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document

from otel_callbacks._content.json import dumps
from otel_callbacks._content.messages.message import input_messages
from otel_callbacks._content.messages.tools import documents, tool_definitions
from otel_callbacks._content.redaction import Redactor
from tests.content import values
from tests.content.schemas import problems

_FIELDS = (
    "text", "id", "name", "input", "content", "thinking", "source", "data", "tool_use_id", "generic_type", "url",
    "base64",
)  # fmt: skip
blocks = st.one_of(
    values.text,
    st.fixed_dictionaries(
        {
            "type": st.one_of(
                st.sampled_from(
                    [
                        "text",
                        "image",
                        "tool_use",
                        "thinking",
                        "tool_result",
                        "odd_call",
                        "x_tool_result",
                        "generic",
                        "blob",
                        "server_tool_use",
                        "file",
                    ]
                ),
                values.scalars,
            )
        },
        optional=dict.fromkeys(_FIELDS, values.anything),
    ),
    values.anything,
)
contents = st.one_of(values.text, st.none(), st.lists(blocks, max_size=6), values.anything)
calls = st.lists(
    st.fixed_dictionaries({"name": values.text, "args": values.anything, "id": st.one_of(st.none(), values.text)}),
    max_size=3,
)
messages = st.one_of(
    st.builds(lambda content, calls: SimpleNamespace(type="ai", content=content, tool_calls=calls), contents, calls),
    st.builds(lambda content: SimpleNamespace(type="tool", content=content, tool_call_id="t", name="n"), contents),
    st.fixed_dictionaries(
        {"role": st.one_of(st.sampled_from(["user", "assistant", "tool"]), values.scalars), "content": contents}
    ),
    st.tuples(st.sampled_from(["user", "ai"]), contents),
    values.anything,
)

tools = st.dictionaries(
    st.sampled_from(["type", "name", "description", "parameters", "input_schema", "function", "server_label"]),
    st.one_of(st.sampled_from(["function", "custom", "web_search"]), values.anything),
    max_size=5,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(messages, max_size=8), st.integers(2, 3000))
def test_any_messages_keep_to_the_schema_whole_and_cut(conversation, max_bytes):
    """Messages with any content, cut anywhere, satisfy the conventions' schema."""
    for redactor in (Redactor(), Redactor((), [lambda text: "changed"])):
        output = json.loads(dumps(input_messages(conversation), max_bytes, redactor))
        assert problems("input_messages", output) == []


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.builds(
                Document,
                values.text.filter(str.isprintable),
                metadata=st.dictionaries(st.text(max_size=5), values.json_values, max_size=3),
            ),
            values.anything,
        ),
        max_size=6,
    ),
    st.integers(2, 1500),
)
def test_any_documents_keep_to_the_schema_whole_and_cut(results, max_bytes):
    """Any result of a retriever, cut anywhere, is shown as documents of the conventions."""
    assert problems("retrieval_documents", json.loads(dumps(documents(results), max_bytes))) == []


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(tools, values.anything), max_size=6), st.integers(2, 1500))
def test_any_tools_keep_to_the_schema_whole_and_cut(tools_param, max_bytes):
    """Any value that a request gives as its tools is shown as definitions of the conventions."""
    assert problems("tool_definitions", json.loads(dumps(tool_definitions({"tools": tools_param}), max_bytes))) == []
