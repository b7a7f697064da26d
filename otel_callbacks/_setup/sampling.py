"""The sampler that ``OTEL_TRACES_SAMPLER`` names."""

import os
from typing import Any, Final

from otel_callbacks._setup.exporters import load

VARIABLE: Final = "OTEL_TRACES_SAMPLER"
_OF_THE_SDK: Final = frozenset({"always_on", "always_off", "traceidratio"})


def sampler_name() -> str:
    """Return the sampler's name in lower case; "" if the variable is not set."""
    return os.environ.get(VARIABLE, "").strip().lower()


def registered_sampler() -> Any:
    """Load a sampler that another package registered; ``None`` for the SDK's own, which the SDK builds itself."""
    name = sampler_name()
    if not name or name.removeprefix("parentbased_") in _OF_THE_SDK:
        return None
    make = load("opentelemetry_traces_sampler", name, VARIABLE)
    return make and make(os.environ.get("OTEL_TRACES_SAMPLER_ARG"))
