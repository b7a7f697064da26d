"""What LangChain knows about the code that sends a callback, and the one case in which a handler must not be inline."""

import sys
from collections.abc import Mapping
from contextvars import ContextVar
from types import FrameType
from typing import Any

_CONFIG_MODULE = "langchain_core.runnables.config"
_MANAGER_MODULE = "langchain_core.callbacks.manager"
_child_config: ContextVar[Any] | None = None


def child_config() -> Mapping[str, Any] | None:
    """Return the configuration of the Runnable in whose body we are, or ``None`` outside any.

    LangChain's ``var_child_runnable_config``. The module is not imported for it: where it is not loaded, no Runnable
    has run yet.
    """
    variable = _child_config or _find_variable()
    value = variable.get() if variable is not None else None
    return value if isinstance(value, dict) else None


def _find_variable() -> ContextVar[Any] | None:
    global _child_config  # noqa: PLW0603 - found once, read at every start
    module = sys.modules.get(_CONFIG_MODULE)
    _child_config = getattr(module, "var_child_runnable_config", None)
    return _child_config


def starves_others(handler: Any, reader: FrameType) -> bool:
    """Tell whether LangChain, about to read ``run_inline`` in `reader`, would then leave other handlers out.

    ``AsyncCallbackManager.on_llm_start`` sends the start of a text model to inline handlers only, if there are any.
    Handlers that miss it fail at the end of the run; ``astream_events`` then loses the answer. If another handler is
    inline, the rest miss the event anyway, and not being inline would only lose it here as well.
    """
    if reader.f_globals.get("__name__") != _MANAGER_MODULE:
        return False
    others = [other for other in getattr(reader.f_locals.get("self"), "handlers", ()) if other is not handler]
    return bool(others) and not any(other.run_inline for other in others)
