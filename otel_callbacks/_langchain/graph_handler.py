"""LangGraph without importing it: its lifecycle callbacks reach only subclasses of its own handler class."""

import sys
from typing import Any

LANGGRAPH = "langgraph.callbacks"
"""The module that has that class."""
_graph_classes: dict[type, type] = {}


def graph_class(handler_class: type) -> type | None:
    """Return a subclass of `handler_class` and of ``GraphCallbackHandler``; ``None`` until LangGraph is loaded.

    LangGraph looks for such handlers after it has sent ``on_chain_start``, so a handler made before LangGraph was
    imported can still turn into one there.
    """
    graph_handler = _graph_classes.get(handler_class)
    if graph_handler is not None:
        return graph_handler
    base: Any = getattr(sys.modules.get(LANGGRAPH), "GraphCallbackHandler", None)
    if base is None:
        return None
    if issubclass(handler_class, base):
        graph_handler = handler_class
    else:
        graph_handler = type(handler_class.__name__, (handler_class, base), {"__module__": handler_class.__module__})
    _graph_classes[handler_class] = graph_handler
    return graph_handler
