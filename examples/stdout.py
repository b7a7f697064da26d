"""Traces on the terminal: in place of a callback that prints, a tree with times, tokens and outcomes.

run: python examples/stdout.py
"""

import sys

from langchain_core.language_models import FakeListChatModel
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from opentelemetry.sdk.trace import TracerProvider

from otel_callbacks import OTelCallbackHandler
from otel_callbacks.console import ConsoleTree

provider = TracerProvider()
provider.add_span_processor(ConsoleTree(sys.stdout))
handler = OTelCallbackHandler(tracer_provider=provider)

prompt = ChatPromptTemplate.from_template("Tell me about {topic}.")
model = FakeListChatModel(responses=["It is old."])
chain = prompt | model | RunnableLambda(lambda message: message.content.upper(), name="shout")
chain.invoke({"topic": "the sea"}, config={"callbacks": [handler], "run_name": "story"})
