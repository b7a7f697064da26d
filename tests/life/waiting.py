"""Models, retrievers and tools that hang until they are cancelled, and signal when they have begun to."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.outputs import ChatResult
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import BaseTool, tool
from opentelemetry.sdk.trace import SpanProcessor
from pydantic import PrivateAttr

from tests.support.models import ScriptedChat
from tests.support.recorded_spans import RecordedSpans

LIMIT_S = 30
"""Ends a test that would otherwise hang for ever; nothing waits that long in a test that passes."""


class Hanging:
    """Makes runnables that hang. Create it inside the event loop.

    Attributes:
        begun: Set as soon as a body hangs.
    """

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    async def forever(self) -> Any:
        self.begun.set()
        return await asyncio.Event().wait()

    async def cancel(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run the coroutine in a task, and cancel that as soon as a body hangs."""
        task = asyncio.ensure_future(work)
        await self.begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    def chat(self) -> "HangingChat":
        model = HangingChat(script=["hi"])
        model._hanging = self
        return model

    def retriever(self) -> "HangingRetriever":
        retriever = HangingRetriever()
        retriever._hanging = self
        return retriever

    def tool(self) -> BaseTool:
        @tool
        async def ask(city: str) -> str:
            """Asks, and gets no answer."""
            return await self.forever()

        return ask


class HangingChat(ScriptedChat):
    """A chat model that never answers an async call; its stream stops after "a" and " b"."""

    _hanging: Any = PrivateAttr()

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        return await self._hanging.forever()

    async def _astream(self, *args: Any, **kwargs: Any) -> Any:
        for chunk in super()._stream([]):
            yield chunk
        await self._hanging.forever()


class HangingRetriever(BaseRetriever):
    """A retriever that never answers an async call."""

    _hanging: Any = PrivateAttr()

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        return []

    async def _aget_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        return await self._hanging.forever()


async def exported(telemetry: RecordedSpans, spans: int) -> None:
    """Let the event loop run until that many spans are exported."""
    await until(telemetry, lambda: len(telemetry.spans) >= spans)


async def until(telemetry: RecordedSpans, condition: Callable[[], bool]) -> None:
    """Let the event loop run until the condition holds, which is checked now and after each end of a span."""
    more = asyncio.Event()
    loop = asyncio.get_running_loop()
    watcher = SpanProcessor()
    watcher.on_end = lambda _: None if loop.is_closed() else loop.call_soon_threadsafe(more.set)
    telemetry.tracer_provider.add_span_processor(watcher)
    while not condition():
        await asyncio.wait_for(more.wait(), LIMIT_S)
        more.clear()
