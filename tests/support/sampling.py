"""A sampler that keeps what it bases its decisions on."""

from typing import Any

from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult


class RecordingSampler(Sampler):
    """Samples everything.

    Attributes:
        attributes: What each span had when it was sampled, by the span's name at that time.
    """

    def __init__(self) -> None:
        self.attributes: dict[str, dict[str, Any]] = {}

    def should_sample(self, parent_context, trace_id, name, kind=None, attributes=None, links=None, trace_state=None):
        self.attributes[name] = dict(attributes or {})
        return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes)

    def get_description(self):
        return "recording"
