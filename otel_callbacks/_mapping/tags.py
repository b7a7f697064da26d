"""What the tags of a run say: LangChain sets some itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from otel_callbacks._mapping.bounds import few

_GRAPH_STEP = "graph:step:"
_SEQUENCE_STEP = "seq:step:"
_RETRY = "retry:attempt:"
_HIDDEN = "langsmith:hidden"
_INTERNAL = (_GRAPH_STEP, _SEQUENCE_STEP, _RETRY, "map:key:", "langsmith:")


@dataclass(slots=True)
class Tags:
    """What the tags of a run say."""

    graph_step: int | None
    """The step of a LangGraph run in which the run is a node."""
    in_sequence: bool
    """Whether the run is a step of a sequence."""
    hidden: bool
    """Whether LangGraph marked the run as its own plumbing."""
    retry_attempt: int | None
    """Number of the attempt, from the second on, if ``with_retry`` tagged the run."""
    own: tuple[str, ...]
    """The application's own tags."""


def read(tags: Sequence[str]) -> Tags:
    """Read the tags of a run. The same few sets come again and again, so each is read once."""
    return _read(tags if type(tags) is tuple else tuple(tags)) if tags else _NONE  # a key of the cache is hashable


@lru_cache(maxsize=1024)
def _read(tags: tuple[str, ...]) -> Tags:
    return Tags(
        _number(tags, _GRAPH_STEP),
        any(tag.startswith(_SEQUENCE_STEP) for tag in tags),
        _HIDDEN in tags,
        _number(tags, _RETRY),
        tuple(few(tag for tag in tags if not tag.startswith(_INTERNAL))),
    )


_NONE = Tags(None, in_sequence=False, hidden=False, retry_attempt=None, own=())


def _number(tags: Sequence[str], prefix: str) -> int | None:
    for tag in tags:
        if tag.startswith(prefix):
            digits = tag[len(prefix) :]
            return int(digits) if digits.isdecimal() else None
    return None
