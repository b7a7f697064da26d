"""The start of a run as LangChain reports it: the last place that knows its keyword arguments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from otel_callbacks.types import RunType

NOTHING: Mapping[str, Any] = {}
_INNER_CHAINS: Mapping[str, RunType] = {"prompt": "prompt", "parser": "parser"}
"""Chains whose own type LangChain reports; others that it names are chains all the same."""
_LONGEST_NAME = 256
"""Characters of a run's name that are kept."""


@dataclass(slots=True)  # reading a field of a named tuple costs five times as much
class RunStart:
    """A start event. A hook fills it with whatever LangChain passes; after `normalise` the types below hold."""

    run_type: RunType
    name: str
    serialized: Mapping[str, Any]
    """What LangChain knows of the object that runs; empty for Runnables and graphs."""
    inputs: Any
    """Chat: messages. LLM: prompts. Tool: arguments. Retriever: query. Chain: anything."""
    tags: Sequence[str]
    metadata: Mapping[str, Any]
    params: Mapping[str, Any]
    """Models: invocation parameters. Tools: the call's id."""
    options: Mapping[str, Any]
    """Models: further arguments of the call."""
    batch_size: int | None = None
    """Models: prompts in the call, each of which is a run; ``None``: one."""


def chain_type(run_type: Any) -> RunType:
    """Return the type of a chain. Never raises: the hook calls it before its guard, so no code of the value may run."""
    return _INNER_CHAINS.get(plain_text(run_type), "chain") if issubclass(type(run_type), str) else "chain"


def normalise(start: RunStart) -> None:
    """Turn LangChain's arguments into plain values of known types; no room above sees others.

    Raises:
        Exception: Whatever a hostile value raises when it is looked at.
    """
    if not isinstance(start.serialized, dict):
        start.serialized = NOTHING
    start.name = _name(start.name, start.serialized)
    start.tags = _texts(start.tags)
    if not isinstance(start.metadata, dict):
        start.metadata = NOTHING
    if not isinstance(start.params, dict):
        start.params = NOTHING
    if not isinstance(start.options, dict):
        start.options = NOTHING
    if start.run_type == "chat" and isinstance(start.inputs, list) and start.inputs:
        start.inputs = start.inputs[0]  # a list of one prompt: LangChain starts a run for each


def _name(name: Any, serialized: Mapping[str, Any]) -> str:
    if isinstance(name, str) and name:
        return plain_text(name)[:_LONGEST_NAME]
    name = serialized.get("name")
    if isinstance(name, str) and name:
        return plain_text(name)[:_LONGEST_NAME]
    path = serialized.get("id")
    return plain_text(path[-1]) if isinstance(path, (list, tuple)) and path and isinstance(path[-1], str) else ""


def _texts(tags: Any) -> Sequence[str]:
    if not isinstance(tags, (list, tuple)):
        return ()
    for tag in tags:
        if type(tag) is not str:
            return tuple([plain_text(tag) for tag in tags if isinstance(tag, str)])
    return tuple(tags)  # almost always; a third of the cost of filtering


def plain_text(text: str) -> str:
    """Return `text` as an exact `str`: members of an enumeration would show their own names, not their values."""
    return text if type(text) is str else str.__str__(text)
