"""Resilience: retries and fallbacks in one trace, and an exporter that is down but does not delay the app.

run: python examples/resilient.py
"""

import sys
from typing import Any

from langchain_core.language_models import FakeListChatModel
from langchain_core.runnables import RunnableLambda
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from otel_callbacks import OTelCallbackHandler
from otel_callbacks.console import ConsoleTree


class Down(SpanExporter):
    """A back end that accepts nothing."""

    def export(self, _: Any) -> SpanExportResult:
        return SpanExportResult.FAILURE


def flaky(_: Any) -> str:
    """Fail, as a service that never answers."""
    raise ConnectionError


provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(Down()))
provider.add_span_processor(ConsoleTree(sys.stdout))
handler = OTelCallbackHandler(tracer_provider=provider)

service = RunnableLambda(flaky, name="service").with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
chain = service.with_fallbacks([FakeListChatModel(responses=["The cache says yes."])])
answer = chain.invoke("Is it open?", config={"callbacks": [handler], "run_name": "ask"})
print("answer:", answer.content)
