"""The choices of an ``LLMResult``, read without importing its class."""

from collections.abc import Sequence
from typing import Any


def generations(result: Any) -> Sequence[Any]:
    """Return the choices of the run's only prompt: LangChain gives each run, chat or text, a result of one prompt."""
    by_prompt = getattr(result, "generations", None)
    if isinstance(by_prompt, (list, tuple)) and by_prompt and isinstance(by_prompt[0], (list, tuple)):
        return by_prompt[0]
    return ()
