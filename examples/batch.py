"""Batches: one trace for a whole batch, its calls side by side below one span.

run: python examples/batch.py
"""

import sys

from langchain_core.language_models import FakeListChatModel
from langchain_core.runnables import RunnableLambda
from opentelemetry.sdk.trace import TracerProvider

from otel_callbacks import OTelCallbackHandler
from otel_callbacks.console import ConsoleTree

provider = TracerProvider()
provider.add_span_processor(ConsoleTree(sys.stdout))
handler = OTelCallbackHandler(tracer_provider=provider)
model = FakeListChatModel(responses=["Yes."])


def ask_all(questions: list[str]) -> list[str]:
    """Call the model for each question; LangChain's threads carry the context along."""
    return [answer.content for answer in model.batch(questions)]


RunnableLambda(ask_all, name="survey").invoke(["One?", "Two?", "Three?"], config={"callbacks": [handler]})
