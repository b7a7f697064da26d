"""What a streamed chunk of a model carries: nothing, reasoning, or something that a person or a program gets to see."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from otel_callbacks._mapping.reading import mapping

VISIBLE: Final = "visible"
REASONING: Final = "reasoning"
ChunkContent = Literal["visible", "reasoning"]

_REASONING_TYPES = frozenset({"reasoning", "reasoning-delta", "reasoning_content", "redacted_thinking", "thinking"})
"""Types of content blocks: LangChain's, the Responses API's, Anthropic's, Bedrock's, Mistral's."""
_FRAME = frozenset(
    {
        "call_id", "encrypted_content", "extras", "id", "index", "phase", "role", "signature", "status",
        "thought_signature", "type",
    }
)  # fmt: skip
"""Entries of a block that say nothing of what was generated."""
_HIDDEN_EXTRAS = ("reasoning_content", "reasoning", "reasoning_details")
_VISIBLE_EXTRAS = ("function_call", "tool_calls", "refusal", "audio")
"""Where older packages put what has no place in a message's content."""
_DEEPEST = 4


def chunk_content(token: Any, chunk: Any) -> ChunkContent | None:
    """Tell what a chunk carries; ``None`` for nothing.

    Role announcements, end markers, keep-alives and items that are still empty carry nothing: ``on_llm_new_token``
    fires for all of them.

    Args:
        token: Text, a list of content blocks, or an event of ``on_stream_event``.
        chunk: The ``ChatGenerationChunk`` or ``GenerationChunk``, if LangChain passes one.
    """
    if type(token) is str and token:
        return VISIBLE
    message = getattr(chunk, "message", None)
    found = {_block_content(block) for block in _blocks(getattr(message, "content", None) or token)}
    if VISIBLE in found or _carries(getattr(message, "tool_call_chunks", None)):
        return VISIBLE
    extras = mapping(getattr(message, "additional_kwargs", None))
    if extras and any(_carries(extras.get(key)) for key in _VISIBLE_EXTRAS):
        return VISIBLE
    if REASONING in found or (extras and any(_carries(extras.get(key)) for key in _HIDDEN_EXTRAS)):
        return REASONING
    return None


def _blocks(content: Any) -> Iterator[Any]:
    if isinstance(content, Mapping):
        delta = mapping(content.get("delta"))
        yield mapping(delta.get("fields")) or delta  # an event; `fields` are those of a block
    elif isinstance(content, Sequence) and not isinstance(content, str):
        yield from content
    else:
        yield content


def _block_content(block: Any) -> ChunkContent | None:
    if not _carries(block):
        return None
    kind = block.get("type") if isinstance(block, Mapping) else None
    return REASONING if kind in _REASONING_TYPES else VISIBLE


def _carries(value: Any, depth: int = 0) -> bool:
    """Tell whether any text was generated here."""
    if isinstance(value, str):
        return bool(value)
    if depth == _DEEPEST:
        return False
    if isinstance(value, Mapping):
        return any(_carries(entry, depth + 1) for key, entry in value.items() if key not in _FRAME)
    return isinstance(value, Sequence) and any(_carries(entry, depth + 1) for entry in value)
