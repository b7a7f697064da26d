"""Messages of any shape LangChain accepts, in the form of the GenAI conventions: ``{role, name?, parts}``.

Source: ``gen_ai.input.messages`` and ``gen_ai.output.messages`` of the GenAI semantic conventions. Values pass through
unchanged; bounding and redaction come later. Only the two ends of a long list are read.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from otel_callbacks._content.messages.media import Part, media_part
from otel_callbacks._content.messages.parts import (
    call_part,
    content_parts,
    generic_part,
    reasoning_part,
    response_part,
    text_part,
)
from otel_callbacks._mapping.finish_reason import convention_word, finish_reason

Message = dict[str, Any]
"""``{"role": str, "name"?: str, "finish_reason"?: str, "parts": [Part]}``."""

FieldGetter = Callable[[str], Any]
"""Returns a message's field by name, ``None`` if it has no such field."""

MOST_MESSAGES = 256

_ROLES = {
    "human": "user", "ai": "assistant", "model": "assistant", "function": "tool", "HumanMessageChunk": "user",
    "AIMessageChunk": "assistant", "SystemMessageChunk": "system", "ToolMessageChunk": "tool",
    "FunctionMessageChunk": "tool",
}  # fmt: skip
_SPEAKERS = frozenset({"system", "user", "assistant", "tool", "developer", *_ROLES})
_PAIR = 2


def input_messages(messages: object, limit: int = MOST_MESSAGES) -> list[Message]:
    """Return the input messages of a model, an agent or a graph, in order, system messages included.

    Args:
        messages: The input of ``on_chat_model_start`` or of a chain: message objects, ``{"role", "content"}``
            dictionaries, ``(role, text)`` pairs, texts, a prompt value, a state with ``messages``, a ``Command``; or a
            list of those.
        limit: Messages to read; of a longer list, the first and the last ones.
    """
    entries = _entries(messages)
    if len(entries) <= limit:
        return [message(entry) for entry in entries]
    half = max(limit // 2, 1)
    note = text_part(f"[{len(entries) - 2 * half} of {len(entries)} left out]")
    omitted: Message = {"role": "omitted", "parts": [note]}
    return [*map(message, entries[:half]), omitted, *map(message, entries[-half:])]


def output_messages(generations: Sequence[Any]) -> list[Message]:
    """Return one message per choice of a model's answer, with its finish reason if there is one.

    Args:
        generations: The choices of one prompt, ``LLMResult.generations[0]``, of a chat or a text model.
    """
    return [_choice(generation) for generation in generations]


def prompt_messages(prompts: Sequence[str]) -> list[Message]:
    """Return the prompts of a text model, each as a user message."""
    return [{"role": "user", "parts": [text_part(prompt)]} for prompt in prompts]


def answer_messages(output: object) -> list[Message]:
    """Return the answer of an agent or a graph: the last message of its final state, or the text it returned."""
    last = _entries(output)[-1:]
    return [message(("assistant", entry) if isinstance(entry, str) else entry) for entry in last]


def message(value: object) -> Message:
    """Convert one message of any form; an unreadable one keeps its place in the list."""
    try:
        return _message(value)
    except Exception:  # noqa: BLE001 - a hostile object must not take the other messages with it
        return {"role": "unknown", "parts": [generic_part("unreadable")]}


def is_message(value: object) -> bool:
    """Tell whether `value` is a LangChain message object, without importing its class."""
    return isinstance(getattr(value, "type", None), str) and hasattr(value, "content")


def _entries(value: object) -> Sequence[object]:
    try:
        return _messages_in(value)
    except Exception:  # noqa: BLE001 - a hostile object
        return ()


def _messages_in(value: Any) -> Sequence[object]:
    """Return the messages in a value, each still in its own form."""
    # A named tuple is a record, not a list of messages: its field names tell redaction which values are secrets.
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return _messages_in_sequence(value)
    if isinstance(value, str) or is_message(value):
        return (value,)
    if isinstance(value, Mapping):
        return _messages_in_state(value)
    if callable(getattr(value, "to_messages", None)):
        return _messages_in(value.to_messages())
    if hasattr(value, "resume") and hasattr(value, "update"):  # LangGraph's Command
        return [*_messages_in(value.update), *_resume_messages(value.resume)]
    return _messages_in(getattr(value, "messages", None) or ())


def _messages_in_sequence(value: Sequence[Any]) -> Sequence[object]:
    """Return the messages in a sequence; a pair is one message, and chat models get a list of lists, one per prompt."""
    if len(value) == 1 and isinstance(value[0], list) and not _is_pair(value[0]):
        return _messages_in(value[0])
    return (value,) if isinstance(value, tuple) and _is_pair(value) else value


def _messages_in_state(state: Mapping[str, Any]) -> Sequence[object]:
    if "messages" in state:
        return _messages_in(state["messages"])
    if "role" in state or "type" in state:
        return (state,)
    text = next((state[key] for key in ("input", "output", "question") if isinstance(state.get(key), str)), None)
    return () if text is None else (text,)


def _resume_messages(answer: object) -> Sequence[object]:
    """Return a person's answer to an interrupt as a message."""
    if answer is None:
        return ()
    if isinstance(answer, str):
        return (answer,)
    return ({"role": "user", "content": [{"type": "resume", "value": answer}]},)


def _is_pair(value: Sequence[Any]) -> bool:
    return (
        len(value) == _PAIR
        and isinstance(value[0], str)
        and value[0] in _SPEAKERS
        and not isinstance(value[1], Mapping)
    )


def _message(value: Any) -> Message:
    fields = getattr(value, "__dict__", None)
    if type(fields) is dict and "content" in fields and "type" in fields:
        # Past pydantic's __getattr__, which takes microseconds for each attribute that a message lacks.
        return _convert(fields.get)
    if isinstance(value, str):
        return {"role": "user", "parts": content_parts(value)}
    if isinstance(value, Mapping):
        return _convert(_field_getter(value))
    if isinstance(value, (list, tuple)) and _is_pair(value):
        return _convert({"role": value[0], "content": value[1]}.get)
    if is_message(value):
        return _convert(lambda name: getattr(value, name, None))
    return {"role": "unknown", "parts": [generic_part(type(value).__name__, {"value": value})]}


def _field_getter(fields: Mapping[str, Any]) -> FieldGetter:
    """Read OpenAI's form, or that of LangChain's ``messages_to_dict``, which nests a message's fields in ``data``."""
    data = fields.get("data")
    return {"type": fields.get("type"), **data}.get if isinstance(data, Mapping) else fields.get


def _convert(get: FieldGetter) -> Message:
    role = get("role") or get("type")
    role = _ROLES.get(role, role) if isinstance(role, str) else "unknown"
    converted: Message = {"role": role}
    name = get("name")
    if isinstance(name, str) and name:
        converted["name"] = name
    content = get("content")
    if role == "tool":
        converted["parts"] = [response_part(get("tool_call_id"), "" if content is None else content)]
    elif role == "assistant":
        extra = get("additional_kwargs")
        extra = extra if isinstance(extra, dict) else {}
        converted["parts"] = [*_reasoning(extra), *content_parts(content, _calls(get, extra)), *_extras(extra)]
    else:
        converted["parts"] = content_parts(content)
    return converted


def _calls(get: FieldGetter, extra: dict[str, Any]) -> list[Part]:
    """Return the calls in the message's own lists, else the unparsed ones in ``additional_kwargs``."""
    calls = [*_mappings(get("tool_calls")), *_mappings(get("invalid_tool_calls"))]
    if not calls and extra:
        calls = [*_mappings(extra.get("tool_calls")), *_mappings([extra.get("function_call")])]
    return [call_part(call) for call in calls]


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, (list, tuple)) else []


def _reasoning(extra: dict[str, Any]) -> list[Part]:
    """Return the reasoning that a provider gives beside the content."""
    text = extra.get("reasoning_content")
    return [reasoning_part(text)] if isinstance(text, str) and text else []


def _extras(extra: dict[str, Any]) -> list[Part]:
    """Return a refusal and spoken output, which OpenAI gives beside the content."""
    parts = [text_part(extra["refusal"])] if extra.get("refusal") else []
    audio = extra.get("audio")
    if isinstance(audio, Mapping):
        speech = media_part({"type": "audio", **audio})
        parts += [speech] if speech else []
        parts += [text_part(audio["transcript"])] if audio.get("transcript") else []
    return parts


def _choice(generation: Any) -> Message:
    answer = getattr(generation, "message", None)
    choice: Message = (
        message(answer)
        if answer is not None
        else {"role": "assistant", "parts": content_parts(getattr(generation, "text", None))}
    )
    reason = finish_reason(generation)
    if reason is not None:
        parts = choice.pop("parts")
        choice |= {"finish_reason": convention_word(reason), "parts": parts}  # in front: cutting keeps the first keys
    return choice
