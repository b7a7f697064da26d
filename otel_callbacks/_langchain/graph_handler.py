"""LangGraph without importing it: its lifecycle callbacks reach only subclasses of its own handler class."""

import sys
from typing import Any

LANGGRAPH = "langgraph.callbacks"
"""The module that has that class."""
_graph_classes: dict[type, type] = {}


def graph_class(handler_class: type) -> type | None:
    """`handler_class` that is also LangGraph's ``GraphCallbackHandler``; ``None`` while LangGraph is not loaded.

    LangGraph looks for such handlers after it has sent ``on_chain_start``, so a handler made before LangGraph was
    imported may still turn into one there.
    """
    known = _graph_classes.get(handler_class)
    if known is not None:
        return known
    base: Any = getattr(sys.modules.get(LANGGRAPH), "GraphCallbackHandler", None)
    if base is None:
        return None
    if issubclass(handler_class, base):
        made = handler_class
    else:
        made = type(handler_class.__name__, (handler_class, base), {"__module__": handler_class.__module__})
    _graph_classes[handler_class] = made
    return made
