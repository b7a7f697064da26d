"""The LangChain programs that are measured: real chains, agents and graphs around a model that answers at once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypedDict

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolCall, ToolMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.tools import BaseTool, tool

_MODEL = "gpt-4o-mini"
_USAGE: Any = {"input_tokens": 120, "output_tokens": 30, "total_tokens": 150}
_TOOL_TURNS = 3


class OfflineChat(BaseChatModel):
    """A model that answers at once, with usage and metadata as a provider reports them.

    With tools, it calls one of them in each of three turns and then answers, whatever runs beside it.
    """

    model: str = _MODEL
    tokens: int = 0
    """Number of chunks of a streamed answer."""
    fails: bool = False
    """Raise instead of answering."""
    calls_tools: bool = False

    @property
    def _llm_type(self) -> str:
        return "openai-chat"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": self.model, "temperature": 0.2}

    def _get_ls_params(self, stop: list[str] | None = None, **_: Any) -> Any:
        return {
            "ls_provider": "openai", "ls_model_name": self.model, "ls_model_type": "chat", "ls_temperature": 0.2,
            **({"ls_stop": stop} if stop else {}),
        }  # fmt: skip

    @property
    def _metadata(self) -> dict[str, Any]:
        return {"model_name": f"{self.model}-2024-07-18", "finish_reason": "stop"}

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        """Return a model that calls tools."""
        return self.model_copy(update={"calls_tools": True})

    def _answer(self, messages: list[BaseMessage]) -> ChatResult:
        if self.fails:
            raise ConnectionError("no answer")
        answer = AIMessage("It is sunny.", usage_metadata=_USAGE, response_metadata=self._metadata, id="chatcmpl-1")
        turn = sum(isinstance(message, ToolMessage) for message in messages)
        if self.calls_tools and turn < _TOOL_TURNS:
            call = ToolCall(name="weather", args={"city": "Oslo"}, id=f"call_{turn}", type="tool_call")
            answer.tool_calls = [call]
        return ChatResult(generations=[ChatGeneration(message=answer)])

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        return self._answer(messages)

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        return self._answer(messages)

    def _chunks(self) -> Iterator[ChatGenerationChunk]:
        for _ in range(self.tokens):
            yield ChatGenerationChunk(message=AIMessageChunk(content="word ", id="chatcmpl-1"))
        yield ChatGenerationChunk(
            message=AIMessageChunk(content="", usage_metadata=_USAGE, response_metadata=self._metadata, id="chatcmpl-1")
        )


class StreamingChat(OfflineChat):
    """The same model with an answer in chunks."""

    def _stream(self, messages: list[BaseMessage], *_: Any, run_manager: Any = None, **__: Any) -> Iterator[Any]:
        for chunk in self._chunks():
            if run_manager is not None:
                run_manager.on_llm_new_token(str(chunk.message.content), chunk=chunk)
            yield chunk

    async def _astream(
        self, messages: list[BaseMessage], *_: Any, run_manager: Any = None, **__: Any
    ) -> AsyncIterator[Any]:
        for chunk in self._chunks():
            if run_manager is not None:
                await run_manager.on_llm_new_token(str(chunk.message.content), chunk=chunk)
            yield chunk


class SilentChat(OfflineChat):
    """A model that never answers asynchronous calls."""

    async def _agenerate(self, *_: Any, **__: Any) -> Any:
        return await asyncio.Event().wait()


def shout(text: str) -> str:
    """Return the text in capitals: the step after the parser."""
    return text.upper()


def lcel(model: BaseChatModel | None = None) -> Runnable[Any, Any]:
    """Make a chain of five runs: sequence, prompt, model, parser, function."""
    prompt = ChatPromptTemplate.from_messages([("system", "You are terse."), ("human", "{question}")])
    return prompt | (model or OfflineChat()) | StrOutputParser() | RunnableLambda(shout)


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"Sunny in {city}."


def agent() -> Runnable[Any, Any]:
    """Make an agent that calls a tool three times: fifteen runs."""
    from langchain.agents import create_agent

    tools: list[BaseTool] = [weather]
    return create_agent(OfflineChat(), tools, name="assistant")


class Count(TypedDict):
    """State of the graph below."""

    count: int


def _step(state: Any) -> Count:
    return {"count": state["count"] + 1}


def graph(nodes: int = 20, state: type = Count, step: Callable[..., Any] = _step) -> Runnable[Any, Any]:
    """Make a LangGraph of `nodes` nodes in a row."""
    from langgraph.graph import StateGraph

    builder: Any = StateGraph(state)
    names = [f"step_{number}" for number in range(nodes)]
    for name in names:
        builder.add_node(name, step)
    for before, after in zip(["__start__", *names], [*names, "__end__"], strict=True):
        builder.add_edge(before, after)
    compiled: Runnable[Any, Any] = builder.compile()
    return compiled


def nested(depth: int = 50) -> Runnable[Any, Any]:
    """Make functions that call each other `depth` levels deep."""
    innermost: Runnable[Any, Any] = RunnableLambda(shout)
    for level in range(depth - 1):
        innermost = RunnableLambda(_calls(innermost)).with_config(run_name=f"level_{level}")
    return innermost


def _calls(inner: Runnable[Any, Any]) -> Any:
    def call(text: str) -> Any:
        return inner.invoke(text)

    return call


def text_of(size: int) -> str:
    """Return about `size` characters, with quotes and line breaks as in real prompts."""
    line = 'The user said: "Tell me more about it."\n'
    return line * (size // len(line))
