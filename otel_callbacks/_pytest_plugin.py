"""pytest's entry point. Loads neither LangChain nor the SDK before a test asks for the fixture."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_callbacks.testing import OtelSpans


@pytest.fixture
def otel_spans() -> "Iterator[OtelSpans]":
    """What the test's runs record: attach ``otel_spans.handler``, then ask; see `otel_callbacks.testing.OtelSpans`."""
    from otel_callbacks.testing import OtelSpans

    recorded = OtelSpans()
    yield recorded
    recorded.shutdown()
