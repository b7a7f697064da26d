"""A router: traces tagged "audit" go to a destination of their own, the rest to the default, nothing twice.

run: python examples/router.py
"""

from collections.abc import Sequence

from langchain_core.language_models import FakeListChatModel
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_callbacks import OTelCallbackHandler

TAG = "audit"


class Router(SpanExporter):
    """Gives each span to one of two exporters. LangChain hands tags down, so whole trees go one way."""

    def __init__(self, audit: SpanExporter, default: SpanExporter) -> None:
        self._audit, self._default = audit, default

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        chosen = [span for span in spans if TAG in (span.attributes or {}).get("langchain.tags", ())]
        others = [span for span in spans if span not in chosen]
        results = [to.export(some) for to, some in ((self._audit, chosen), (self._default, others)) if some]
        failed = SpanExportResult.FAILURE in results
        return SpanExportResult.FAILURE if failed else SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self._audit.shutdown()
        self._default.shutdown()


audit, default = InMemorySpanExporter(), InMemorySpanExporter()  # in an app: OTLP exporters with two endpoints
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(Router(audit, default)))
handler = OTelCallbackHandler(tracer_provider=provider)
model = FakeListChatModel(responses=["Done."])
model.invoke("Pay the bill", config={"callbacks": [handler], "tags": [TAG]})
model.invoke("Tell a joke", config={"callbacks": [handler]})
handler.flush()
print("audit:", len(audit.get_finished_spans()), "default:", len(default.get_finished_spans()))
