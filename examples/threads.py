"""Threads: LangChain's own pool carries the current run into its threads; a plain pool needs a copy of the context.

run: python examples/threads.py
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from langchain_core.language_models import FakeListChatModel
from langchain_core.runnables import RunnableLambda
from langchain_core.runnables.config import ContextThreadPoolExecutor
from opentelemetry.sdk.trace import TracerProvider

from otel_callbacks import OTelCallbackHandler
from otel_callbacks.console import ConsoleTree

provider = TracerProvider()
provider.add_span_processor(ConsoleTree(sys.stdout))
handler = OTelCallbackHandler(tracer_provider=provider)
model = FakeListChatModel(responses=["Yes."])


def with_langchains_pool(questions: list[str]) -> list[str]:
    """Call the model in LangChain's pool, which needs no help."""
    with ContextThreadPoolExecutor() as pool:
        return [answer.content for answer in pool.map(model.invoke, questions)]


def with_a_plain_pool(questions: list[str]) -> list[str]:
    """Call the model in a plain pool, with a copy of the context for each call."""
    with ThreadPoolExecutor() as pool:
        calls = [pool.submit(copy_context().run, model.invoke, question) for question in questions]
        return [call.result().content for call in calls]


for work in (with_langchains_pool, with_a_plain_pool):
    RunnableLambda(work).invoke(["One?", "Two?"], config={"callbacks": [handler]})
