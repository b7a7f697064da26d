"""Samplers that tests ask what they were asked."""

from typing import Any

from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult


class RecordingSampler(Sampler):
    """Samples everything, and keeps the attributes it was asked with by span name."""

    def __init__(self) -> None:
        self.asked: dict[str, dict[str, Any]] = {}

    def should_sample(self, parent_context, trace_id, name, kind=None, attributes=None, links=None, trace_state=None):
        self.asked[name] = dict(attributes or {})
        return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes)

    def get_description(self):
        return "recording"
