"""FastAPI and a streaming LangGraph graph: one handler for all requests, the conversation from the path.

run: python examples/fastapi_langgraph.py      (needs: pip install fastapi httpx langgraph)
"""

import sys
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from langchain_core.language_models import FakeListChatModel
from langgraph.graph import START, MessagesState, StateGraph
from opentelemetry.sdk.trace import TracerProvider

from otel_callbacks import OTelCallbackHandler, context
from otel_callbacks.console import ConsoleTree

provider = TracerProvider()
provider.add_span_processor(ConsoleTree(sys.stdout))
handler = OTelCallbackHandler(tracer_provider=provider)
model = FakeListChatModel(responses=["It is sunny."])


def talk(state: MessagesState) -> MessagesState:
    """Answer: the graph's only node."""
    return {"messages": [model.invoke(state["messages"])]}


graph = StateGraph(MessagesState).add_node("talk", talk).add_edge(START, "talk").compile(name="weather")
app = FastAPI()


@app.get("/chat/{conversation}")
async def chat(conversation: str, question: str) -> StreamingResponse:
    """Stream the answer; a client that disconnects cancels the run."""

    async def answer() -> AsyncIterator[str]:
        inputs = {"messages": [("user", question)]}
        with context(conversation_id=conversation):
            async for chunk, _ in graph.astream(inputs, {"callbacks": [handler]}, stream_mode="messages"):
                yield str(chunk.content)

    return StreamingResponse(answer())


if __name__ == "__main__":  # in production: uvicorn examples.fastapi_langgraph:app
    print(TestClient(app).get("/chat/c-1", params={"question": "How is the weather?"}).text)
