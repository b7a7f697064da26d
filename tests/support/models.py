"""Models that answer from a script, inside real LangChain and without a network."""

import json
from collections.abc import Iterator
from typing import Any

from langchain_core.language_models import BaseChatModel, BaseLLM
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult, Generation, LLMResult
from pydantic import Field


class ScriptedChat(BaseChatModel):
    """A chat model that answers each call with the next entry of its script, and repeats the last one.

    Attributes:
        script: Each entry is a message, a text, a whole ``ChatResult``, a list of chunks to stream, or an exception to
            raise.
        params: Its invocation parameters.
        ls_params: What it reports to LangSmith in addition to LangChain's own entries, such as ``ls_provider``.
        calls: The number of calls up to now.
    """

    script: list[Any]
    params: dict[str, Any] = Field(default_factory=dict)
    ls_params: dict[str, Any] = Field(default_factory=dict)
    calls: int = 0

    @property
    def _llm_type(self) -> str:
        return "scripted"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return self.params

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        return {**super()._get_ls_params(stop=stop, **kwargs), **self.ls_params}

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _next(self) -> Any:
        entry = self.script[min(self.calls, len(self.script) - 1)]
        self.calls += 1
        if isinstance(entry, BaseException):
            raise entry
        return entry

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        entry = self._next()
        if isinstance(entry, ChatResult):
            return entry
        message = AIMessage(entry) if isinstance(entry, str) else entry
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        entry = self._next()
        for chunk in entry if isinstance(entry, list) else [_as_chunk(entry)]:
            if isinstance(chunk, BaseException):
                raise chunk
            yield ChatGenerationChunk(message=chunk)


class ScriptedText(BaseLLM):
    """A text model that gives the same answer to every prompt."""

    llm_output: dict[str, Any] | None = None
    generation_info: dict[str, Any] | None = None

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(self, prompts: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> LLMResult:
        generations = [[Generation(text="answer", generation_info=self.generation_info)] for _ in prompts]
        return LLMResult(generations=generations, llm_output=self.llm_output)


def usage(inputs: int, outputs: int, **details: Any) -> dict[str, Any]:
    """Return a ``usage_metadata`` as LangChain has it."""
    return {"input_tokens": inputs, "output_tokens": outputs, "total_tokens": inputs + outputs, **details}


def calling(tool: str, call_id: str = "call-1", **arguments: Any) -> AIMessage:
    """Return an answer that calls a tool."""
    return AIMessage("", tool_calls=[{"name": tool, "args": arguments, "id": call_id, "type": "tool_call"}])


def _as_chunk(entry: Any) -> AIMessageChunk:
    if isinstance(entry, str):
        return AIMessageChunk(content=entry)
    calls = [
        {
            "name": call["name"],
            "args": json.dumps(call["args"]),
            "id": call["id"],
            "index": index,
            "type": "tool_call_chunk",
        }
        for index, call in enumerate(entry.tool_calls)
    ]
    fields = {name: getattr(entry, name) for name in ("content", "usage_metadata", "response_metadata")}
    return AIMessageChunk(tool_call_chunks=calls, **fields)
