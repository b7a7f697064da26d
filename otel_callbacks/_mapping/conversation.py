"""Which conversation a run belongs to."""

from collections.abc import Mapping
from typing import Any

from otel_callbacks._mapping.bounds import short

_KEYS = ("thread_id", "session_id", "conversation_id")
_NAMES = frozenset(_KEYS)


def conversation_id(metadata: Mapping[str, Any]) -> str | None:
    """Return ``gen_ai.conversation.id``, from the metadata keys that applications and LangGraph use."""
    if _NAMES.isdisjoint(metadata):  # most have none; a fifth of the cost of looking up each key
        return None
    for key in _KEYS:
        value = metadata.get(key)
        if isinstance(value, (str, int)):
            text = short(value if isinstance(value, str) else str(value))
            if text:
                return text
    return None
