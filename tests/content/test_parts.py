"""Content blocks of LangChain and of providers become the conventions' parts."""

import pytest

from tests.content.forms import PICTURE, SIZE, parts, text


@pytest.mark.parametrize(
    ("block", "part"),
    [
        pytest.param({"type": "output_text", "text": "x"}, text("x"), id="text of the Responses API"),
        pytest.param({"type": "text-plain", "text": "x", "mime_type": "text/plain"}, text("x"), id="plain text"),
        pytest.param({"type": "refusal", "refusal": "x"}, text("x"), id="refusal"),
        pytest.param({"text": "x"}, text("x"), id="text of Bedrock and Google"),
        pytest.param(
            {"type": "reasoning", "reasoning": "x"}, {"type": "reasoning", "content": "x"}, id="reasoning of LangChain"
        ),
        pytest.param(
            {"type": "thinking", "thinking": "x", "signature": "s"},
            {"type": "reasoning", "content": "x"},
            id="thinking",
        ),
        pytest.param(
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "x"}]},
            {"type": "reasoning", "content": "x"},
            id="summary",
        ),
        pytest.param(
            {"type": "reasoning_content", "reasoning_content": {"text": "x", "signature": "s"}},
            {"type": "reasoning", "content": "x"},
            id="reasoning of Bedrock",
        ),
        pytest.param(
            {"type": "redacted_thinking", "data": "abcd"},
            {"type": "generic", "generic_type": "redacted_thinking", "characters": 4},
            id="redacted thinking",
        ),
        pytest.param(
            {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
            {"type": "tool_call", "id": "t1", "name": "f", "arguments": {"a": 1}},
            id="tool use",
        ),
        pytest.param(
            {"type": "tool_use", "id": 5, "name": None, "input": {}},
            {"type": "tool_call", "name": "unknown", "arguments": {}},
            id="tool use without id and name",
        ),
        pytest.param(
            {"type": "function_call", "id": "fc", "call_id": "t1", "name": "f", "arguments": '{"a": 1}'},
            {"type": "tool_call", "id": "t1", "name": "f", "arguments": {"a": 1}},
            id="function call",
        ),
        pytest.param(
            {"type": "tool_result", "tool_use_id": "t1", "content": "x"},
            {"type": "tool_call_response", "id": "t1", "response": "x"},
            id="tool result",
        ),
        pytest.param(
            {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "x"}]},
            {"type": "tool_call_response", "id": "t1", "response": [text("x")]},
            id="tool result of blocks",
        ),
        pytest.param(
            {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}},
            {
                "type": "server_tool_call",
                "id": "s1",
                "name": "web_search",
                "server_tool_call": {"type": "web_search", "arguments": {"query": "q"}},
            },
            id="server tool of Anthropic",
        ),
        pytest.param(
            {"type": "web_search_call", "id": "s1", "status": "completed", "action": {"query": "q"}},
            {
                "type": "server_tool_call",
                "id": "s1",
                "name": "web_search",
                "server_tool_call": {"type": "web_search", "arguments": {"action": {"query": "q"}}},
            },
            id="server tool of OpenAI",
        ),
        pytest.param(
            {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"title": "x"}]},
            {
                "type": "server_tool_call_response",
                "id": "s1",
                "server_tool_call_response": {"type": "web_search_tool_result", "content": [{"title": "x"}]},
            },
            id="result of a server tool",
        ),
        pytest.param({"type": "compaction", "content": "x"}, {"type": "compaction", "content": "x"}, id="compaction"),
        pytest.param(
            {"type": "search_result", "title": "x"},
            {"type": "generic", "generic_type": "search_result", "title": "x"},
            id="unknown block",
        ),
        pytest.param(
            {"type": "non_standard", "value": {"type": "odd", "x": 1}},
            {"type": "generic", "generic_type": "odd", "x": 1},
            id="non-standard block",
        ),
        pytest.param(
            {"guard": 1}, {"type": "generic", "generic_type": "unknown", "guard": 1}, id="block without a type"
        ),
    ],
)
def test_content_block_becomes_a_part(block, part):
    """Every block of LangChain and of a provider becomes a part in the conventions' form."""
    assert parts(block) == [part]


IMAGE = {"type": "blob", "modality": "image", "content": "", "byte_size": SIZE, "mime_type": "image/png"}
AUDIO = IMAGE | {"modality": "audio", "mime_type": "audio/wav"}
PDF = IMAGE | {"modality": "document", "mime_type": "application/pdf"}


@pytest.mark.parametrize(
    ("block", "part"),
    [
        pytest.param({"type": "image", "base64": PICTURE, "mime_type": "image/png"}, IMAGE, id="LangChain"),
        pytest.param(
            {"type": "image", "source_type": "base64", "data": PICTURE, "mime_type": "image/png"},
            IMAGE,
            id="LangChain 0.3",
        ),
        pytest.param(
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}}, IMAGE, id="OpenAI"
        ),
        pytest.param({"type": "image_url", "image_url": f"data:image/png;base64,{PICTURE}"}, IMAGE, id="OpenAI short"),
        pytest.param(
            {"type": "input_image", "image_url": f"data:image/png;base64,{PICTURE}"}, IMAGE, id="Responses API"
        ),
        pytest.param(
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}},
            IMAGE,
            id="Anthropic",
        ),
        pytest.param({"type": "media", "mime_type": "image/png", "data": b"0123456789abcdef"}, IMAGE, id="Google"),
        pytest.param(
            {"type": "input_audio", "input_audio": {"data": PICTURE, "format": "wav"}}, AUDIO, id="OpenAI audio"
        ),
        pytest.param({"type": "audio", "base64": PICTURE, "mime_type": "audio/wav"}, AUDIO, id="LangChain audio"),
        pytest.param(
            {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PICTURE}"}},
            PDF,
            id="OpenAI file",
        ),
        pytest.param(
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PICTURE}},
            PDF,
            id="Anthropic PDF",
        ),
        pytest.param({"type": "file", "base64": PICTURE, "mime_type": "application/pdf"}, PDF, id="LangChain file"),
        pytest.param(
            {"type": "video", "base64": PICTURE},
            {"type": "blob", "modality": "video", "content": "", "byte_size": SIZE},
            id="video",
        ),
        pytest.param(
            {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
            {"type": "uri", "modality": "image", "uri": "https://x/y.png"},
            id="address",
        ),
        pytest.param(
            {"type": "media", "file_uri": "gs://x/y", "mime_type": "video/mp4"},
            {"type": "uri", "modality": "video", "mime_type": "video/mp4", "uri": "gs://x/y"},
            id="address of Google",
        ),
        pytest.param(
            {"type": "input_file", "file_id": "f1"},
            {"type": "file", "modality": "document", "file_id": "f1"},
            id="uploaded",
        ),
        pytest.param(
            {"type": "image", "source": {"type": "file", "file_id": "f1"}},
            {"type": "file", "modality": "image", "file_id": "f1"},
            id="uploaded to Anthropic",
        ),
        pytest.param(
            {"type": "image", "source_type": "id", "id": "f1"},
            {"type": "file", "modality": "image", "file_id": "f1"},
            id="uploaded, LangChain 0.3",
        ),
        pytest.param(
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}},
            text("x"),
            id="text document",
        ),
        pytest.param(
            {"type": "image", "id": "lc_1"}, {"type": "generic", "generic_type": "image", "id": "lc_1"}, id="nothing"
        ),
    ],
)
def test_file_becomes_its_kind_and_size_or_address(block, part):
    """A file in any provider's wrapping is named and measured; its data is not passed on."""
    assert parts(block) == [part]
