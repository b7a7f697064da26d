"""The start of a run, in the form that all rooms read. No imports of OpenTelemetry or LangChain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from otel_callbacks.types import RunType


@dataclass(slots=True)  # a field of a named tuple costs five times as much to read
class RunStart:
    """A start event, normalised: the last place that knew LangChain's keyword arguments."""

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
    single: bool = True
    """False for one of several prompts that a model got in one call."""
