"""What the matrix runs: one runnable of each kind, with a probe in its innermost body."""

import asyncio
import operator
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any, NamedTuple, TypedDict

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.llms import LLM
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult, GenerationChunk
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableLambda, RunnableParallel
from langchain_core.tools import StructuredTool
from opentelemetry.trace import Tracer
from pydantic import ConfigDict


class Probe:
    """Opens a span of its own in a body, then lets the body go on, fail, or hang until it is cancelled.

    Args:
        tracer: The application's tracer.
        ending: What happens after the span: "failed" and "cancelled" (async only) end the body, all others do not.
    """

    def __init__(self, tracer: Tracer, ending: str) -> None:
        self.tracer = tracer
        self.ending = ending
        self.hanging = asyncio.Event()

    def visit(self) -> None:
        with self.tracer.start_as_current_span("own"):
            pass
        if self.ending == "failed":
            raise ValueError("no")

    async def avisit(self) -> None:
        self.visit()
        if self.ending == "cancelled":
            self.hanging.set()
            await asyncio.Event().wait()


class _Model(BaseChatModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    probe: Probe

    @property
    def _llm_type(self) -> str:
        return "probe"

    def bind_tools(self, tools: Any, **_: Any) -> "_Model":
        return self


class ProbeChat(_Model):
    """Answers "a b c", in three chunks when streamed."""

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **_: Any) -> ChatResult:
        self.probe.visit()
        return ChatResult(generations=[ChatGeneration(message=AIMessage("a b c"))])

    async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **_: Any) -> ChatResult:
        await self.probe.avisit()
        return ChatResult(generations=[ChatGeneration(message=AIMessage("a b c"))])

    def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **_: Any) -> Iterator[Any]:
        yield ChatGenerationChunk(message=AIMessageChunk("a"))
        self.probe.visit()
        yield ChatGenerationChunk(message=AIMessageChunk(" b"))
        yield ChatGenerationChunk(message=AIMessageChunk(" c"))

    async def _astream(self, messages: Any, stop: Any = None, run_manager: Any = None, **_: Any) -> AsyncIterator[Any]:
        yield ChatGenerationChunk(message=AIMessageChunk("a"))
        await self.probe.avisit()
        yield ChatGenerationChunk(message=AIMessageChunk(" b"))
        yield ChatGenerationChunk(message=AIMessageChunk(" c"))


class FailingChat(_Model):
    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **_: Any) -> ChatResult:
        raise RuntimeError("down")


class ToolCallingChat(_Model):
    """Calls the tool once, then answers."""

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **_: Any) -> ChatResult:
        call = {"name": "probe_tool", "args": {"x": "1"}, "id": "call-1"}
        answered = any(message.type == "tool" for message in messages)
        message = AIMessage("done") if answered else AIMessage("", tool_calls=[call])
        return ChatResult(generations=[ChatGeneration(message=message)])


class ProbeLLM(LLM):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    probe: Probe

    @property
    def _llm_type(self) -> str:
        return "probe"

    def _call(self, prompt: str, stop: Any = None, run_manager: Any = None, **_: Any) -> str:
        self.probe.visit()
        return "a b c"

    async def _acall(self, prompt: str, stop: Any = None, run_manager: Any = None, **_: Any) -> str:
        await self.probe.avisit()
        return "a b c"

    def _stream(self, prompt: str, stop: Any = None, run_manager: Any = None, **_: Any) -> Iterator[Any]:
        yield GenerationChunk(text="a")
        self.probe.visit()
        yield GenerationChunk(text=" b")

    async def _astream(self, prompt: str, stop: Any = None, run_manager: Any = None, **_: Any) -> AsyncIterator[Any]:
        yield GenerationChunk(text="a")
        await self.probe.avisit()
        yield GenerationChunk(text=" b")


class ProbeRetriever(BaseRetriever):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    probe: Probe

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        self.probe.visit()
        return [Document("d")]

    async def _aget_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        await self.probe.avisit()
        return [Document("d")]


class _State(TypedDict):
    xs: Annotated[list[str], operator.add]


def _tool(probe: Probe) -> StructuredTool:
    def work(x: str) -> str:
        probe.visit()
        return x

    async def awork(x: str) -> str:
        await probe.avisit()
        return x

    return StructuredTool.from_function(work, awork, name="probe_tool", description="A tool.")


def _graph(probe: Probe) -> Any:
    graph = pytest.importorskip("langgraph.graph")

    def work(state: _State) -> dict[str, Any]:
        probe.visit()
        return {"xs": ["w"]}

    async def awork(state: _State) -> dict[str, Any]:
        await probe.avisit()
        return {"xs": ["w"]}

    builder = graph.StateGraph(_State)
    builder.add_node("work", RunnableLambda(work, awork).with_config(tags=[]))
    builder.add_edge(graph.START, "work")
    return builder.compile(name="flow")


def _sub_graph(probe: Probe) -> Any:
    graph = pytest.importorskip("langgraph.graph")
    builder = graph.StateGraph(_State)
    builder.add_node("inner", _graph(probe))
    builder.add_edge(graph.START, "inner")
    return builder.compile(name="outer")


def _agent(probe: Probe) -> Any:
    agents = pytest.importorskip("langchain.agents")
    if not hasattr(agents, "create_agent"):
        pytest.skip("this LangChain has no create_agent")
    return agents.create_agent(ToolCallingChat(probe=probe), [_tool(probe)], name="helper")


class Subject(NamedTuple):
    """A runnable to trace, its input, and the name of the span that is the parent of the probe's own."""

    build: Callable[[Probe], Runnable[Any, Any]]
    value: Any
    own_parent: str
    streams: bool = True
    """Whether its first chunk comes before the probe is visited or the run is over."""


_QUESTION = {"messages": [("user", "q")]}
_NOTHING: dict[str, Any] = {"xs": []}

SUBJECTS: dict[str, Subject] = {
    "chat": Subject(lambda probe: ProbeChat(probe=probe), "q", "chat"),
    "text model": Subject(lambda probe: ProbeLLM(probe=probe), "q", "text_completion"),
    "LCEL chain": Subject(
        lambda probe: ChatPromptTemplate.from_template("{q}") | ProbeChat(probe=probe) | StrOutputParser(),
        {"q": "q"},
        "chat",
    ),
    "parallel": Subject(
        lambda probe: RunnableParallel(a=ProbeChat(probe=probe), b=ProbeChat(probe=probe)), "q", "chat"
    ),
    "fallback": Subject(lambda probe: FailingChat(probe=probe).with_fallbacks([ProbeChat(probe=probe)]), "q", "chat"),
    "retry": Subject(
        lambda probe: ProbeChat(probe=probe).with_retry(stop_after_attempt=2, wait_exponential_jitter=False),
        "q",
        "chat",
    ),
    "tool": Subject(_tool, {"x": "1"}, "execute_tool probe_tool", streams=False),
    "create_agent": Subject(_agent, _QUESTION, "execute_tool probe_tool"),
    "graph": Subject(_graph, _NOTHING, "chain work"),
    "sub-graph": Subject(_sub_graph, _NOTHING, "chain work"),
    "retriever": Subject(lambda probe: ProbeRetriever(probe=probe), "q", "retrieval", streams=False),
}


class RunCounter(BaseCallbackHandler):
    """Counts the runs that LangChain announces, independently of the tracer."""

    def __init__(self, *, run_inline: bool) -> None:
        self.run_inline = run_inline
        self.runs: set[int] = set()

    def _note(self, *_: Any, run_id: Any, **__: Any) -> None:
        self.runs.add(run_id.int)  # not the id object: by its end the tracer notices that LangChain dropped a run

    on_chain_start = on_tool_start = on_retriever_start = on_chat_model_start = on_llm_start = _note
