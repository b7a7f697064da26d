"""Forking workers, as in celery and gunicorn: each child records its own runs and none of its parent's.

run: python examples/fork.py      (Linux, macOS)
"""

import os
import sys

from langchain_core.language_models import FakeListChatModel
from langchain_core.runnables import RunnableLambda
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_callbacks import OTelCallbackHandler

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
handler = OTelCallbackHandler(tracer_provider=provider)
config = {"callbacks": [handler]}


def start_workers(_: str) -> str:
    """Fork in the middle of a run, which stays with the parent."""
    for number in range(2):
        child = os.fork()
        if child == 0:
            FakeListChatModel(responses=["Done."]).invoke("work", config)
            names = [span.name for span in exporter.get_finished_spans()]
            print(f"worker {number}: recorded {len(names)} span, open {handler.open_runs}", flush=True)
            os._exit(0)
        os.waitpid(child, 0)
    return "done"


sys.stdout.flush()
RunnableLambda(start_workers, name="master").invoke("x", config)
print("master: recorded", [span.name for span in exporter.get_finished_spans()])
