"""Inputs and outputs of chains and graph nodes, their messages and documents in the conventions' form."""

from collections.abc import Mapping
from typing import Any

from otel_callbacks._content.messages.message import input_messages, is_message, message
from otel_callbacks._content.messages.parts import both_ends
from otel_callbacks._content.messages.tools import documents

MOST_VALUES = 2000
"""Values examined over all levels of lists and dictionaries; later ones stay unchanged."""

_MOST_ENTRIES = 256
_DEPTH = 12
_CONTROL = (
    ("goto", "graph", "update", "resume"),  # LangGraph's Command
    ("node", "arg"),  # and Send
    ("tool", "tool_input"),  # AgentAction
    ("return_values",),  # AgentFinish
)


def run_value(value: object) -> object:
    """Return the input or output of a chain, a graph or a node; all but messages and documents stays unchanged.

    Args:
        value: Any object: a state, a ``Command`` or ``Send``, a prompt value, messages, documents, lists of those.
    """
    return _Walk().convert(value, _DEPTH)


class _Walk:
    """A walk through one value, bounded in breadth and depth."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MOST_VALUES

    def convert(self, value: Any, depth: int) -> object:
        kind = type(value)
        self._left -= 1
        # Most values are plain ones: settled here by identity, without a call.
        if kind is str or kind is int or kind is float or kind is bool or value is None or depth == 0 or self._left < 0:
            return value
        try:
            return self._convert(value, kind, depth - 1)
        except Exception:  # noqa: BLE001 - a hostile object: the JSON encoder will mark it
            return value

    def _convert(self, value: Any, kind: type, depth: int) -> object:
        if issubclass(kind, dict):
            return self._entries(value, depth) if len(value) <= _MOST_ENTRIES else value
        if issubclass(kind, (list, tuple)) and not hasattr(kind, "_fields"):
            return [self.convert(entry, depth) for entry in both_ends(value, _MOST_ENTRIES, "entries")]
        if is_message(value):
            return message(value)
        if isinstance(getattr(value, "page_content", None), str):
            return documents([value])[0]
        if callable(getattr(value, "to_messages", None)):
            return input_messages(value)
        return self._control(value, depth)

    def _entries(self, value: Mapping[Any, Any], depth: int) -> dict[Any, object]:
        # A state's messages may still be pairs and dictionaries: LangGraph has not read them yet.
        return {
            key: (key == "messages" and isinstance(entry, list) and input_messages(entry)) or self.convert(entry, depth)
            for key, entry in value.items()
        }

    def _control(self, value: Any, depth: int) -> object:
        """Return what steers a graph or an old agent as a dictionary; anything else unchanged.

        The members tell which it is, without importing LangGraph.
        """
        names = next((names for names in _CONTROL if all(hasattr(value, name) for name in names)), None)
        if names is None:
            return value
        members = ((name, getattr(value, name)) for name in names)
        return self._entries({name: member for name, member in members if not _is_unset(member)}, depth)


def _is_unset(value: object) -> bool:
    return value is None or (isinstance(value, (list, tuple)) and not value)
