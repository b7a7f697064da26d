"""Inputs and outputs of chains and graph nodes, with the messages and documents in them in the conventions' form."""

from collections.abc import Mapping
from typing import Any

from otel_callbacks._content.messages.message import input_messages, is_message, message
from otel_callbacks._content.messages.parts import ends
from otel_callbacks._content.messages.tools import documents

MOST_VALUES = 2000
"""Members of lists and dictionaries that are looked at, over all levels; later ones stay what they are."""

_MOST_ENTRIES = 256
_DEPTH = 12
_CONTROL = (
    ("goto", "graph", "update", "resume"),  # LangGraph's Command
    ("node", "arg"),  # and Send
    ("tool", "tool_input"),  # AgentAction
    ("return_values",),  # AgentFinish
)


def run_value(value: object) -> object:
    """What a chain, a graph or a node was given or gave back; anything but messages and documents stays as it is.

    Args:
        value: any object: a state, a ``Command`` or ``Send``, a prompt value, messages, documents, lists of those.
    """
    return _Reader().read(value, _DEPTH)


class _Reader:
    """Goes through one value, bounded in breadth and depth."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MOST_VALUES

    def read(self, value: Any, depth: int) -> object:
        kind = type(value)
        self._left -= 1
        if kind is str or kind is int or kind is float or kind is bool or value is None or depth == 0 or self._left < 0:
            return value
        try:
            return self._read(value, kind, depth - 1)
        except Exception:  # noqa: BLE001 - a hostile object: what makes JSON of it will say so
            return value

    def _read(self, value: Any, kind: type, depth: int) -> object:
        if issubclass(kind, dict):
            return self._entries(value, depth) if len(value) <= _MOST_ENTRIES else value
        if issubclass(kind, (list, tuple)) and not hasattr(kind, "_fields"):
            return [self.read(entry, depth) for entry in ends(value, _MOST_ENTRIES, "entries")]
        if is_message(value):
            return message(value)
        if isinstance(getattr(value, "page_content", None), str):
            return documents([value])[0]
        if callable(getattr(value, "to_messages", None)):
            return input_messages(value)
        return self._control(value, depth)

    def _entries(self, value: Mapping[Any, Any], depth: int) -> dict[Any, object]:
        return {key: _state_entry(key, entry) or self.read(entry, depth) for key, entry in value.items()}

    def _control(self, value: Any, depth: int) -> object:
        """What steers a graph or an old agent, told by its members; anything else as it is."""
        members = next((members for members in _CONTROL if all(hasattr(value, name) for name in members)), None)
        if members is None:
            return value
        found = {name: getattr(value, name) for name in members}
        return self._entries({name: member for name, member in found.items() if not _is_nothing(member)}, depth)


def _state_entry(key: object, entry: object) -> object:
    """A state's messages, which may be pairs and dictionaries before LangGraph has read them."""
    return input_messages(entry) if key == "messages" and isinstance(entry, list) else None


def _is_nothing(value: object) -> bool:
    return value is None or (isinstance(value, (list, tuple)) and not value)
