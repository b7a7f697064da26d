"""pytest's entry point. Loads neither LangChain nor the SDK until a test requests the fixture."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_callbacks.testing import OtelSpans


@pytest.fixture
def otel_spans() -> "Iterator[OtelSpans]":
    """Record the test's runs: attach ``otel_spans.handler`` to them. See `otel_callbacks.testing.OtelSpans`."""
    from otel_callbacks.testing import OtelSpans

    spans = OtelSpans()
    yield spans
    spans.shutdown()
