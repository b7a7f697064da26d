"""Traces in files: OTLP JSON lines that the collector, `otel-callbacks report` and any JSON reader understand.

run: python examples/file.py [FOLDER]      (needs: pip install 'otel-callbacks[files]')
"""

import sys
import tempfile
from pathlib import Path

from langchain_core.language_models import FakeListChatModel
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from otel_callbacks import OTelCallbackHandler, files

folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(files.span_exporter(folder)))
handler = OTelCallbackHandler(tracer_provider=provider)

FakeListChatModel(responses=["Hello."]).invoke("Hi", config={"callbacks": [handler]})
handler.flush()
print(f"{(folder / 'traces.jsonl').stat().st_size} bytes; now: otel-callbacks report {folder}")
