"""An event bus: run summaries go into a queue, and a consumer reads them in a thread of its own.

run: python examples/event_bus.py
"""

import queue
import threading

from langchain_core.language_models import FakeListChatModel
from opentelemetry.sdk.trace import TracerProvider

from otel_callbacks import OTelCallbackHandler, RunSummary

events: queue.Queue[RunSummary | None] = queue.Queue(maxsize=1000)


def publish(run: RunSummary) -> None:
    """Publish without waiting: a full queue loses an event, not time. The exception is counted, and logged once."""
    events.put_nowait(run)


def consume() -> None:
    """Do the slow work."""
    while (run := events.get()) is not None:
        print("event:", run.span_name, run.outcome)


consumer = threading.Thread(target=consume)
consumer.start()
handler = OTelCallbackHandler(tracer_provider=TracerProvider())
handler.subscribe(publish)
FakeListChatModel(responses=["Hello."]).batch(["Hi", "Ho"], config={"callbacks": [handler]})
events.put(None)
consumer.join()
