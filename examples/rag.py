"""Retrieval: the query, the embedding below it and the answer in one trace; documents are counted, not sent.

run: python examples/rag.py      (needs: pip install numpy)
"""

import sys

from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.language_models import FakeListChatModel
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_core.vectorstores import InMemoryVectorStore
from opentelemetry.sdk.trace import TracerProvider

from otel_callbacks import OTelCallbackHandler, trace_embeddings
from otel_callbacks.console import ConsoleTree

provider = TracerProvider()
provider.add_span_processor(ConsoleTree(sys.stdout))
handler = OTelCallbackHandler(tracer_provider=provider)

embeddings = trace_embeddings(DeterministicFakeEmbedding(size=8), tracer_provider=provider)
store = InMemoryVectorStore(embeddings)
store.add_documents([Document("Opening hours: 9 to 5."), Document("Closed on Sundays.")])

prompt = ChatPromptTemplate.from_template("Answer from {pages}: {question}")
pages = store.as_retriever(search_kwargs={"k": 1})
chain = {"pages": pages, "question": RunnablePassthrough()} | prompt | FakeListChatModel(responses=["From 9 to 5."])
print(chain.invoke("When are you open?", config={"callbacks": [handler], "run_name": "ask the pages"}).content)
