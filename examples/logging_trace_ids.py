"""Log records with trace ids: a record logged inside a run leads to the run's span.

run: python examples/logging_trace_ids.py
"""

import logging

from langchain_core.runnables import RunnableLambda
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from otel_callbacks import OTelCallbackHandler


class TraceIds(logging.Filter):
    """Adds the trace id of the current span to each record."""

    def filter(self, record: logging.LogRecord) -> bool:
        place = trace.get_current_span().get_span_context()
        record.trace = f"{place.trace_id:032x}" if place.is_valid else "-"
        return True


console = logging.StreamHandler()
console.addFilter(TraceIds())
logging.basicConfig(level=logging.INFO, format="%(levelname)s trace=%(trace)s %(message)s", handlers=[console])

handler = OTelCallbackHandler(tracer_provider=TracerProvider())


def work(text: str) -> str:
    """Log, and return the text in capitals."""
    logging.getLogger("app").info("working on %d characters", len(text))
    return text.upper()


logging.getLogger("app").info("outside")
RunnableLambda(work).invoke("inside", config={"callbacks": [handler]})
