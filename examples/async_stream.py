"""Async code: concurrent calls, and a stream that its consumer leaves early; each run ends with its own outcome.

run: python examples/async_stream.py
"""

import asyncio
import sys

from langchain_core.language_models import FakeListChatModel
from opentelemetry.sdk.trace import TracerProvider

from otel_callbacks import OTelCallbackHandler
from otel_callbacks.console import ConsoleTree

provider = TracerProvider()
provider.add_span_processor(ConsoleTree(sys.stdout))
handler = OTelCallbackHandler(tracer_provider=provider)


async def main() -> None:
    """Ask three questions at once, then read half of an answer."""
    model = FakeListChatModel(responses=["One answer."])
    config = {"callbacks": [handler]}
    await asyncio.gather(*(model.ainvoke(question, config) for question in ("Who?", "Why?", "When?")))
    stream = model.astream("And?", config)
    async for chunk in stream:
        print("first chunk:", chunk.content)
        break
    await stream.aclose()


asyncio.run(main())
