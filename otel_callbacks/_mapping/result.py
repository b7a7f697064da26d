"""Reading an ``LLMResult`` without knowing its class."""

from collections.abc import Mapping, Sequence
from typing import Any

_NOTHING: Mapping[str, Any] = {}


def generations(result: Any) -> Sequence[Any]:
    """The choices of the run's one prompt; chat and text runs each get a result of one prompt."""
    by_prompt = getattr(result, "generations", None)
    if isinstance(by_prompt, (list, tuple)) and by_prompt and isinstance(by_prompt[0], (list, tuple)):
        return by_prompt[0]
    return ()


def mapping(value: Any) -> Mapping[str, Any]:
    """`value` if it is a mapping, else an empty one."""
    # Most places hold a dictionary or nothing; asking an abstract class costs twenty times as much.
    if type(value) is dict:
        return value
    return value if value is not None and isinstance(value, Mapping) else _NOTHING
