"""What LangChain knows about the place a callback is called from, and the one place where it must not know us."""

import sys
from collections.abc import Mapping
from contextvars import ContextVar
from types import CodeType, FrameType
from typing import Any

from langchain_core.callbacks import AsyncCallbackManager

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


def _code_of(function: Any) -> frozenset[int]:
    """Ids of a function's code and of the comprehensions in it, which have code of their own before Python 3.12."""
    code: CodeType | None = getattr(function, "__code__", None)
    if code is None:
        return frozenset()
    return frozenset({id(code), *(id(part) for part in code.co_consts if isinstance(part, CodeType))})


_START_OF_TEXT_MODEL = _code_of(AsyncCallbackManager.on_llm_start)


def starves_others(handler: Any, reader: FrameType) -> bool:
    """Whether LangChain, about to read ``run_inline`` in `reader`, would then leave other handlers out.

    ``AsyncCallbackManager.on_llm_start`` sends the start of a text model to inline handlers only, where there are any.
    Handlers that lack it fail at the end of the run; ``astream_events`` then loses the answer. Where another handler is
    inline, this is so already, and we would only be left out ourselves.
    """
    if id(reader.f_code) not in _START_OF_TEXT_MODEL:
        return False
    frame: FrameType | None = reader
    while frame is not None and frame.f_code is not AsyncCallbackManager.on_llm_start.__code__:
        frame = frame.f_back
    manager = frame.f_locals.get("self") if frame is not None else None
    others = [other for other in getattr(manager, "handlers", ()) if other is not handler]
    return bool(others) and not any(other.run_inline for other in others)
