"""Blocks that change what happens to the runs started inside them.

Each applies to the threads and tasks that inherit the block's context, as LangChain's own do.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

from otel_callbacks.config import Capture, require_capture


@dataclass(frozen=True, slots=True)
class Block:
    """What the blocks around the caller request."""

    suppressed: bool = False
    capture: Capture | None = None
    """Where content goes; ``None``: as the configuration says."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Metadata for all runs that start inside; a run's own wins."""


_NONE = Block()
_block: ContextVar[Block] = ContextVar("otel_callbacks.block", default=_NONE)
current_block = _block.get
"""The blocks around the caller, as one record."""


@contextmanager
def suppress() -> Iterator[None]:
    """Drop every tree of runs that starts inside the block: no spans, no measurements."""
    with _inside(suppressed=True):
        yield


@contextmanager
def capture(where: Capture) -> Iterator[None]:
    """Send the content of runs that start inside the block to `where`, whatever `Config.capture` says.

    Args:
        where: "no_content", "span_only", "event_only" or "span_and_event".

    Raises:
        ValueError: `where` is not one of these.
    """
    require_capture(where)
    with _inside(capture=where):
        yield


@contextmanager
def context(*, conversation_id: str | None = None, metadata: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Give the runs that start inside the block a conversation and metadata; a run's own metadata wins.

    Args:
        conversation_id: Becomes ``gen_ai.conversation.id``.
        metadata: Seen by callables in the configuration; exported for the keys in `Config.metadata_keys`.
    """
    conversation = {} if conversation_id is None else {"conversation_id": conversation_id}
    with _inside(metadata={**_block.get().metadata, **(metadata or {}), **conversation}):
        yield


@contextmanager
def _inside(**changes: Any) -> Iterator[None]:
    before = _block.get()
    _block.set(replace(before, **changes))
    try:
        yield
    finally:
        _block.set(before)  # a token fails where a framework leaves the block in another context
