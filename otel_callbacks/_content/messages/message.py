"""Messages of any shape LangChain accepts, in the form of the GenAI conventions: ``{role, name?, parts}``.

Source: ``gen_ai.input.messages`` and ``gen_ai.output.messages`` of the GenAI semantic conventions. Values are passed
on as they are; bounding and redaction come later. Of long lists only the two ends are looked at.
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
from otel_callbacks._mapping.finish import convention_word, finish_reason

Message = dict[str, Any]
"""``{"role": str, "name"?: str, "finish_reason"?: str, "parts": [Part]}``."""

Reader = Callable[[str], Any]
"""A field of a message by name, ``None`` where it has none."""

MOST_MESSAGES = 256

_ROLES = {
    "human": "user", "ai": "assistant", "model": "assistant", "function": "tool", "HumanMessageChunk": "user",
    "AIMessageChunk": "assistant", "SystemMessageChunk": "system", "ToolMessageChunk": "tool",
    "FunctionMessageChunk": "tool",
}  # fmt: skip
_SPEAKERS = frozenset({"system", "user", "assistant", "tool", "developer", *_ROLES})
_PAIR = 2


def input_messages(messages: object, limit: int = MOST_MESSAGES) -> list[Message]:
    """The messages that a model, an agent or a graph was given, in order, system messages included.

    Args:
        messages: what ``on_chat_model_start`` or a chain got: message objects, ``{"role", "content"}`` dictionaries,
            ``(role, text)`` pairs, texts, a prompt value, a state with ``messages``, a ``Command``; or a list of those.
        limit: messages to look at; of more, the first and the last.
    """
    entries = _entries(messages)
    if len(entries) <= limit:
        return [message(entry) for entry in entries]
    half = max(limit // 2, 1)
    note = text_part(f"[{len(entries) - 2 * half} of {len(entries)} left out]")
    omitted: Message = {"role": "omitted", "parts": [note]}
    return [*map(message, entries[:half]), omitted, *map(message, entries[-half:])]


def output_messages(generations: Sequence[Any]) -> list[Message]:
    """One message per choice of a model's answer, with its finish reason where that is known.

    Args:
        generations: the choices of one prompt, ``LLMResult.generations[0]``, of a chat or a text model.
    """
    return [_choice(generation) for generation in generations]


def prompt_messages(prompts: Sequence[str]) -> list[Message]:
    """The prompts of a text model, each as a user's message."""
    return [{"role": "user", "parts": [text_part(prompt)]} for prompt in prompts]


def answer_messages(output: object) -> list[Message]:
    """What an agent or a graph answered: the last message of the state it ended with, or the text it gave back."""
    last = _entries(output)[-1:]
    return [message(("assistant", entry) if isinstance(entry, str) else entry) for entry in last]


def message(value: object) -> Message:
    """One message of any form; one that cannot be read keeps its place."""
    try:
        return _message(value)
    except Exception:  # noqa: BLE001 - a hostile object must not take the other messages with it
        return {"role": "unknown", "parts": [generic_part("unreadable")]}


def is_message(value: object) -> bool:
    """Whether it is a message object of LangChain, told without importing its class."""
    return isinstance(getattr(value, "type", None), str) and hasattr(value, "content")


def _entries(value: object) -> Sequence[object]:
    try:
        return _listed(value)
    except Exception:  # noqa: BLE001 - a hostile object
        return ()


def _listed(value: Any) -> Sequence[object]:
    """The messages in a value, each still in its own form."""
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return _listed_in_sequence(value)
    if isinstance(value, str) or is_message(value):
        return (value,)
    if isinstance(value, Mapping):
        return _listed_in_state(value)
    if callable(getattr(value, "to_messages", None)):
        return _listed(value.to_messages())
    if hasattr(value, "resume") and hasattr(value, "update"):
        return [*_listed(value.update), *_resumed(value.resume)]
    return _listed(getattr(value, "messages", None) or ())


def _listed_in_sequence(value: Sequence[Any]) -> Sequence[object]:
    """A list of messages; a tuple may be one; chat models are given a list of lists, one for each prompt."""
    if len(value) == 1 and isinstance(value[0], list) and not _is_pair(value[0]):
        return _listed(value[0])
    return (value,) if isinstance(value, tuple) and _is_pair(value) else value


def _listed_in_state(state: Mapping[str, Any]) -> Sequence[object]:
    if "messages" in state:
        return _listed(state["messages"])
    if "role" in state or "type" in state:
        return (state,)
    text = next((state[key] for key in ("input", "output", "question") if isinstance(state.get(key), str)), None)
    return () if text is None else (text,)


def _resumed(answer: object) -> Sequence[object]:
    """What a person answered to an interrupt."""
    if answer is None:
        return ()
    return (
        (answer,) if isinstance(answer, str) else ({"role": "user", "content": [{"type": "resume", "value": answer}]},)
    )


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
        return _read(fields.get)  # pydantic takes microseconds to say that a message has no such attribute
    if isinstance(value, str):
        return {"role": "user", "parts": content_parts(value)}
    if isinstance(value, Mapping):
        return _read(_reader(value))
    if isinstance(value, (list, tuple)) and _is_pair(value):
        return _read({"role": value[0], "content": value[1]}.get)
    if is_message(value):
        return _read(lambda name: getattr(value, name, None))
    return {"role": "unknown", "parts": [generic_part(type(value).__name__, {"value": value})]}


def _reader(fields: Mapping[str, Any]) -> Reader:
    """OpenAI's form, or LangChain's with the fields of a message below ``data``."""
    data = fields.get("data")
    return {"type": fields.get("type"), **data}.get if isinstance(data, Mapping) else fields.get


def _read(get: Reader) -> Message:
    role = _role(get)
    read: Message = {"role": role}
    name = get("name")
    if isinstance(name, str) and name:
        read["name"] = name
    content = get("content")
    if role == "tool":
        read["parts"] = [response_part(get("tool_call_id"), "" if content is None else content)]
    elif role == "assistant":
        extra = get("additional_kwargs")
        extra = extra if isinstance(extra, dict) else {}
        read["parts"] = [*_reasoning(extra), *content_parts(content, _calls(get, extra)), *_extras(extra)]
    else:
        read["parts"] = content_parts(content)
    return read


def _role(get: Reader) -> str:
    role = get("role") or get("type")
    return _ROLES.get(role, role) if isinstance(role, str) else "unknown"


def _calls(get: Reader, extra: dict[str, Any]) -> list[Part]:
    """The calls of the message's own lists; before LangChain parsed them they lay in ``additional_kwargs``."""
    calls = [*_mappings(get("tool_calls")), *_mappings(get("invalid_tool_calls"))]
    if not calls and extra:
        calls = [*_mappings(extra.get("tool_calls")), *_mappings([extra.get("function_call")])]
    return [call_part(call) for call in calls]


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, (list, tuple)) else []


def _reasoning(extra: dict[str, Any]) -> list[Part]:
    """Reasoning that a provider gives beside the content."""
    text = extra.get("reasoning_content")
    return [reasoning_part(text)] if isinstance(text, str) and text else []


def _extras(extra: dict[str, Any]) -> list[Part]:
    """A refusal and spoken output, which OpenAI gives beside the content."""
    parts = [text_part(extra["refusal"])] if extra.get("refusal") else []
    audio = extra.get("audio")
    if isinstance(audio, Mapping):
        spoken = media_part({"type": "audio", **audio})
        parts += [part for part in (spoken, _transcript(audio)) if part]
    return parts


def _transcript(audio: Mapping[str, Any]) -> Part | None:
    return text_part(audio["transcript"]) if audio.get("transcript") else None


def _choice(generation: Any) -> Message:
    answer = getattr(generation, "message", None)
    spoken = message(answer) if answer is not None else _text_choice(generation)
    reason = finish_reason(generation)
    if reason is None:
        return spoken
    parts = spoken.pop("parts")
    return spoken | {"finish_reason": convention_word(reason), "parts": parts}


def _text_choice(generation: Any) -> Message:
    return {"role": "assistant", "parts": content_parts(getattr(generation, "text", None))}
