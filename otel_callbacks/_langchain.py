"""What LangChain knows about the place a callback is called from: the configuration it hands to children."""

import sys
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

_MODULE = "langchain_core.runnables.config"
_child_config: ContextVar[Any] | None = None


def child_config() -> Mapping[str, Any] | None:
    """The configuration of the Runnable in whose body we are, or ``None`` outside any.

    LangChain's ``var_child_runnable_config``. The module is not imported for it: where it is not loaded, no Runnable
    has run yet.
    """
    variable = _child_config or _find()
    value = variable.get() if variable is not None else None
    return value if isinstance(value, dict) else None


def _find() -> ContextVar[Any] | None:
    global _child_config  # noqa: PLW0603 - found once, read on every event
    module = sys.modules.get(_MODULE)
    _child_config = getattr(module, "var_child_runnable_config", None)
    return _child_config
