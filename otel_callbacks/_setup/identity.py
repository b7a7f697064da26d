"""Ids that keep traces and processes apart, whatever the application does with random numbers and forks."""

import os
from typing import Any
from uuid import uuid4

from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, Resource, ResourceDetector
from opentelemetry.sdk.trace.id_generator import IdGenerator


class SystemIds(IdGenerator):
    """Ids from the system's random source.

    The SDK's come from Python's `random`: ``random.seed()`` in the application repeats them, and so does a process
    restored from a snapshot. The price is a system call for each id.
    """

    def generate_span_id(self) -> int:
        """Return 64 random bits, never zero."""
        return int.from_bytes(os.urandom(8), "big") or self.generate_span_id()

    def generate_trace_id(self) -> int:
        """Return 128 random bits, never zero."""
        return int.from_bytes(os.urandom(16), "big") or self.generate_trace_id()

    def is_trace_id_random(self) -> bool:
        """Return True: samplers and back ends may rely on the last 56 bits."""
        return True


def resource(service_name: str | None) -> Resource:
    """Detect the resource as the variables say; `service_name` wins over ``OTEL_SERVICE_NAME``.

    Each forked child has a ``service.instance.id`` of its own.
    """
    detected = Resource.create({} if service_name is None else {SERVICE_NAME: service_name})
    if hasattr(ResourceDetector, "is_process_dependent"):  # then the SDK's own providers handle forks
        return detected
    return _ForkedResource(detected)


class _ForkedResource(Resource):
    """For SDK releases whose resource stays the same after a fork."""

    def __init__(self, detected: Resource) -> None:
        self._own = dict(detected.attributes)
        self._own.setdefault(SERVICE_INSTANCE_ID, str(uuid4()))
        self._pid = os.getpid()
        super().__init__(self._own, detected.schema_url)

    @property
    def attributes(self) -> Any:
        if self._pid != os.getpid():
            self._own = {**self._own, SERVICE_INSTANCE_ID: str(uuid4())}
            self._pid = os.getpid()
        return self._own
