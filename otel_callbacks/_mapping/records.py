"""What mapping decides: the values that travel from here to the rooms above."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from otel_callbacks.types import OutcomeName


@dataclass(slots=True)
class Inherited:
    """What a child run takes over from its parent when it starts. Shared by runs: read only."""

    agent_name: str | None = None
    agent_marker: str | None = None
    """Metadata by which the enclosing agent was recognised; LangChain repeats it on every descendant."""
    conversation_id: str | None = None
    task: str | None = None
    """LangGraph's name for the enclosing ``@task``, whose metadata LangGraph repeats on every descendant."""
    is_in_retrieval: bool = False


Presence = Literal["always", "late", "on_failure"]
"""When a run has a span: from its start on; once something needs it or its end shows that it did something; or only if
it fails or pauses."""


@dataclass(slots=True)
class SpanPlan:
    """What a run becomes, decided when it starts. Shared by runs: read only."""

    operation: str
    """A GenAI operation, or the kind of step: "node", "graph", "chain", "prompt", "parser", "plumbing"."""
    name: str
    """The span's name."""
    attributes: Mapping[str, Any]
    """Set when the span is created, so that samplers see them; metrics take their labels from them."""
    inherit: Inherited | None = None
    """What the runs below take over; ``None``: what this one took over."""
    presence: Presence = "always"


@dataclass(slots=True)
class Ending:
    """How a run ended, decided when it ended."""

    outcome: OutcomeName
    error_type: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)


class Usage(NamedTuple):
    """Token counts of one model call."""

    counts: dict[str, int]
    """By span attribute. Input and output are totals, the others are parts of them."""
    from_cache: bool = False
    """LangChain answered from its own cache: nothing was used."""
    written_for_an_hour: int = 0
    """The part of the cache write that lives for an hour, which costs more."""
    service_tier: str | None = None
    """The tier the provider served the call in, as it spells it."""
    is_discrepancy: bool = False
    """What was reported is invalid or contradicts itself."""
