"""What is compared: no handler, the bound, this package with various options, and other tracers."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from langchain_core.callbacks import BaseCallbackHandler

from benchmarks import peers
from benchmarks.bound import Bound
from benchmarks.floor import Floor
from benchmarks.providers import Providers
from otel_callbacks import Config, OTelCallbackHandler

OURS: Mapping[str, dict[str, Any]] = {
    "ours": {},
    "ours-all": {"detail": "all"},
    "ours-operations": {"detail": "operations"},
    "ours-unpropagated": {"propagate": False},
    "ours-latest": {"semconv": "0.1.0"},
    "ours-captured": {"capture": "span_only"},
}
"""Mode -> options of `Config` that differ from the defaults."""

FLOORS: Mapping[str, dict[str, Any]] = {"floor": {}, "floor-all": {"detail": "all"}}
"""The same for modes that only make the calls to OpenTelemetry that this package would make."""

BASE = ("none", "bound", "ours")


class Mode(NamedTuple):
    """One thing that is compared."""

    name: str
    handlers: list[BaseCallbackHandler]
    """For the program's ``callbacks``; empty for tracers that patch LangChain."""
    providers: Providers
    activate: Callable[[bool], None]
    """Apply the tracer's patches, or undo them."""


def open_mode(name: str, providers: Providers, options: Mapping[str, Any]) -> Mode:
    """Set up a mode by name. `options`: those of `Config` that the scenario sets."""
    if name == "none":
        return Mode(name, [], providers, _nothing)
    if name == "bound":
        return Mode(name, [Bound(providers, capture=options.get("capture") == "span_only")], providers, _nothing)
    if name in OURS:
        return Mode(name, [_ours(providers, {**options, **OURS[name]})], providers, _nothing)
    if name in FLOORS:
        return Mode(name, [Floor(providers, {**options, **FLOORS[name]})], providers, _nothing)
    handlers, activate = peers.attach(name, providers, capture=options.get("capture") == "span_only")
    return Mode(name, handlers, providers, activate)


def _ours(providers: Providers, options: dict[str, Any]) -> OTelCallbackHandler:
    return OTelCallbackHandler(
        tracer_provider=providers.tracer_provider,
        meter_provider=providers.meter_provider,
        config=Config(**options),
    )


def _nothing(_: bool) -> None:  # noqa: FBT001 - one argument, read as a sentence
    """Patch nothing."""
