"""No callbacks anywhere: `instrument()` traces every call in the process.

`opentelemetry-instrument python app.py` does the same without any change to the program; it needs the extra `auto`.

run: python examples/zero_code.py
"""

import sys

from langchain_core.language_models import FakeListChatModel
from opentelemetry.sdk.trace import TracerProvider

from otel_callbacks import instrument, uninstrument
from otel_callbacks.console import ConsoleTree

provider = TracerProvider()
provider.add_span_processor(ConsoleTree(sys.stdout))
instrument(tracer_provider=provider)

FakeListChatModel(responses=["Hello."]).invoke("Hi")  # knows nothing about tracing
uninstrument()
