"""Content blocks of LangChain and its providers as message parts in the form of the GenAI conventions."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from otel_callbacks._content.json import decode
from otel_callbacks._content.messages.media import Part, media_part
from otel_callbacks._mapping.reading import first_text

MOST_PARTS = 64
"""Blocks read of one message, half of them from each end."""

_LONGEST_PARSED = 1 << 14  # characters
_NAMED_SERVER_CALLS = ("server_tool_call", "server_tool_call_chunk", "server_tool_use", "mcp_tool_use")


def text_part(text: object) -> Part:
    """Return a ``text`` part."""
    return {"type": "text", "content": text_of(text)}


def reasoning_part(text: object) -> Part:
    """Return a ``reasoning`` part."""
    return {"type": "reasoning", "content": text_of(text)}


def generic_part(kind: object, fields: Mapping[str, Any] | None = None) -> Part:
    """Return a block that fits no other part, unchanged but for its type, which moves to ``generic_type``."""
    head: Part = {"type": "generic", "generic_type": kind if isinstance(kind, str) else "unknown"}
    return head | _rest(fields or {}, "type", "generic_type")


def call_part(call: Mapping[str, Any]) -> Part:
    """Return a ``tool_call`` part for a call in LangChain's, OpenAI's or Anthropic's form."""
    function = call.get("function")
    call = {**call, **function} if isinstance(function, Mapping) else call
    part = _identified("tool_call", _first_value(call, "call_id", "id"))
    part["name"] = first_text(call, ("name",)) or "unknown"
    arguments = _first_value(call, "args", "arguments", "input")
    return part if arguments is None else part | {"arguments": parse_json(arguments)}


def response_part(identity: object, response: object) -> Part:
    """Return a ``tool_call_response`` part; content blocks in the response become parts themselves."""
    part = _identified("tool_call_response", identity)
    blocks = isinstance(response, (list, tuple)) and any(isinstance(block, Mapping) for block in response)
    return part | {"response": content_parts(response) if blocks else response}


def content_parts(content: object, calls: Sequence[Part] = ()) -> list[Part]:
    """Return the parts of a message's content in order, then the `calls` that the content does not hold.

    Args:
        content: A text, a block, or a list of both.
        calls: ``tool_call`` parts from the message's own list of calls. A call that is also in the content appears
            there, but as the part from this list, whose arguments are parsed.
    """
    if isinstance(content, str):
        return [text_part(content), *calls] if content else list(calls)
    remaining = list(calls)
    parts: list[Part] = []
    for block in _blocks(content):
        part = _part(block)
        if part is None:
            continue
        if part["type"] == "tool_call" and "id" in part:
            same = next((call for call in remaining if call.get("id") == part["id"]), None)
            if same is not None:
                remaining.remove(same)
                part = same
        parts.append(part)
    return parts + remaining


def _blocks(content: object) -> Sequence[object]:
    if isinstance(content, (list, tuple)):
        return both_ends(content, MOST_PARTS, "blocks")
    return (content,) if content else ()


def both_ends(items: Sequence[Any], limit: int, noun: str) -> Sequence[Any]:
    """Return `items`; of more than `limit`, the first and last ones around a text that counts the rest as `noun`."""
    if len(items) <= limit:
        return items
    half = limit // 2
    return [*items[:half], f"[{len(items) - 2 * half} of {len(items)} {noun} left out]", *items[-half:]]


def parse_json(value: object) -> object:
    """Return the object or list that a JSON text holds; anything else unchanged."""
    if isinstance(value, str) and value[:1] in {"{", "["} and len(value) <= _LONGEST_PARSED:
        try:
            return decode(value)
        except (ValueError, RecursionError):
            return value
    return value


def text_of(value: object) -> str:
    """Return `value` if it is text, the text of the blocks if it is a list, else an empty text."""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        texts = (
            block if isinstance(block, str) else block.get("text")
            for block in value[:MOST_PARTS]
            if isinstance(block, (str, Mapping))
        )
        return "\n".join(text for text in texts if isinstance(text, str))
    return ""


def _part(block: object) -> Part | None:
    if isinstance(block, str):
        return text_part(block) if block else None
    if not isinstance(block, Mapping):
        return generic_part(type(block).__name__, {"value": block})
    kind = block.get("type")
    convert = _CONVERTERS.get(kind) if isinstance(kind, str) else _untyped_block
    return (convert or _unknown_block)(block)


def _untyped_block(block: Mapping[str, Any]) -> Part | None:
    if isinstance(block.get("text"), str):
        return text_part(block["text"])
    return media_part(block) or generic_part(None, block)


def _unknown_block(block: Mapping[str, Any]) -> Part | None:
    kind = block["type"]
    if kind.endswith("_tool_result"):
        return _server_response(block)
    if kind.endswith("_call"):
        return _server_call(block)
    return generic_part(kind, block)


def _reasoning(block: Mapping[str, Any]) -> Part | None:
    """Read LangChain's ``reasoning``, Anthropic's ``thinking``, OpenAI's ``summary``, Bedrock's nested text."""
    nested = block.get("reasoning_content")
    texts = (block.get("reasoning"), block.get("thinking"), block.get("summary"), block.get("content"))
    text = _first_value(nested, "text") if isinstance(nested, Mapping) else nested
    content = text_of(text) or next(filter(None, map(text_of, texts)), "")
    return reasoning_part(content) if content else None


def _redacted_thinking(block: Mapping[str, Any]) -> Part:
    """Keep only the length of thinking that the provider has encrypted."""
    return generic_part("redacted_thinking", {"characters": len(text_of(block.get("data")))})


def _media(block: Mapping[str, Any]) -> Part | None:
    return media_part(block) or generic_part(block.get("type"), block)


def _server_call(block: Mapping[str, Any]) -> Part:
    """Read a call of a tool that the provider runs: LangChain's and Anthropic's blocks name it, OpenAI's type does."""
    kind = block["type"]
    has_name = kind in _NAMED_SERVER_CALLS
    name = first_text(block, ("name",)) or "unknown" if has_name else kind.removesuffix("_call")
    part = _identified("server_tool_call", _first_value(block, "id", "call_id"))
    arguments = _first_value(block, "args", "input") if has_name else _rest(block, "type", "id", "call_id", "status")
    part["name"] = name
    part["server_tool_call"] = {"type": name} | ({} if arguments is None else {"arguments": parse_json(arguments)})
    return part


def _server_response(block: Mapping[str, Any]) -> Part:
    part = _identified("server_tool_call_response", _first_value(block, "tool_call_id", "tool_use_id"))
    result = _rest(block, "type", "id", "tool_call_id", "tool_use_id", "index", "extras", "cache_control")
    part["server_tool_call_response"] = {"type": block["type"]} | result
    return part


def _tool_result(block: Mapping[str, Any]) -> Part:
    return response_part(
        _first_value(block, "tool_use_id", "call_id", "tool_call_id"), _first_value(block, "content", "output")
    )


def _non_standard(block: Mapping[str, Any]) -> Part:
    value = block.get("value")
    if isinstance(value, Mapping):
        return generic_part(value.get("type") or "non_standard", value)
    return generic_part("non_standard", block)


def _code(block: Mapping[str, Any]) -> Part:
    call = {"name": "code_execution", "args": _rest(block, "type", "id"), "id": block.get("id")}
    return _server_call({"type": "server_tool_call", **call})


def _compaction(block: Mapping[str, Any]) -> Part:
    part = _identified("compaction", block.get("id"))
    return part | {"content": block["content"]} if isinstance(block.get("content"), str) else part


_CONVERTERS: dict[str, Callable[[Mapping[str, Any]], Part | None]] = {
    **dict.fromkeys(
        ("text", "input_text", "output_text", "summary_text", "text-plain", "text/plain"),
        lambda block: text_part(block.get("text")),
    ),
    "refusal": lambda block: text_part(block.get("refusal")),
    **dict.fromkeys(("reasoning", "thinking", "reasoning_content"), _reasoning),
    "redacted_thinking": _redacted_thinking,
    **dict.fromkeys(
        ("tool_call", "tool_use", "function_call", "custom_tool_call", "invalid_tool_call"), call_part
    ),
    **dict.fromkeys(("tool_result", "function_call_output", "custom_tool_call_output"), _tool_result),
    **dict.fromkeys(_NAMED_SERVER_CALLS, _server_call),
    "server_tool_result": _server_response,
    "executable_code": _code,
    **dict.fromkeys(
        (
            "image", "image_url", "input_image", "audio", "audio_url", "input_audio", "video", "video_url", "file",
            "input_file", "document", "media",
        ),
        _media,
    ),
    "compaction": _compaction,
    "non_standard": _non_standard,
    # Pieces of calls; the message's own list has the whole calls.
    **dict.fromkeys(("input_json_delta", "tool_call_chunk"), lambda _: None),
}  # fmt: skip


def _identified(kind: str, identity: object) -> Part:
    return {"type": kind, "id": identity} if isinstance(identity, str) and identity else {"type": kind}


def _first_value(fields: Mapping[str, Any], *keys: str) -> Any:
    """Return the first value of any type but ``None`` under one of `keys`; an empty one counts."""
    return next((fields[key] for key in keys if fields.get(key) is not None), None)


def _rest(fields: Mapping[str, Any], *without: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key not in without}
