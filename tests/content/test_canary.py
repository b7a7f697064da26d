"""A secret in every field of every hook: with capture off, nothing that leaves the process has it."""

import logging
import uuid
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from langchain_core.agents import AgentAction, AgentFinish
from langchain_core.callbacks import adispatch_custom_event, dispatch_custom_event
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, Generation, LLMResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt
from opentelemetry import baggage, propagate

from otel_callbacks import OTelCallbackHandler
from tests.semconv.otlp import documents
from tests.support.models import ScriptedChat, calling
from tests.support.programs import State, create_agent, needs_contexts_of_tasks, needs_create_agent
from tests.support.recorded_spans import RecordedSpans

CANARY = "wobbly-teapot-of-the-emperor"
"""No redaction rule recognises it: only capturing nothing keeps it back."""


@pytest.fixture(autouse=True)
def nothing_leaks(telemetry: RecordedSpans, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Search everything exported and logged for the canary."""
    with caplog.at_level(logging.DEBUG):
        yield
    exported = repr(list(documents(telemetry)))
    assert telemetry.spans, "the test must export something"
    assert CANARY not in exported
    logged = (caplog.handler.format(record) for record in caplog.records if record.name != "asyncio")
    assert CANARY not in "\n".join(logged), "neither in a message nor in a traceback"


class ProviderError(Exception):
    """An error as raised by providers' clients: message, body, response with headers, and an address with a query."""

    def __init__(self) -> None:
        super().__init__(f"could not answer {CANARY}")
        self.body = {"error": {"message": CANARY}}
        self.status_code = 400
        self.request = SimpleNamespace(url=f"https://api.example.com/v1?q={CANARY}", headers={"authorization": CANARY})
        self.response = SimpleNamespace(text=CANARY, headers={"x-request": CANARY})
        self.__cause__ = ValueError(CANARY)


# Every field of every hook

SERIALIZED = {
    "id": ["langchain", "chat_models", "FakeChat"],
    "kwargs": {"api_key": CANARY, "base_url": f"https://user:{CANARY}@api.example.com/v1?key={CANARY}", "x": CANARY},
    "repr": f"FakeChat(key={CANARY})",
    "graph": {"nodes": [CANARY]},
    "doc": CANARY,
}
COMMON = {
    "metadata": {
        "note": CANARY,
        "user_id": CANARY,
        "ls_extra": CANARY,
        "otel_callbacks.resume": CANARY,
        "traceparent": CANARY,
    },
    "unknown": CANARY,
}
MODEL = {
    **COMMON,
    "invocation_params": {
        "model": "gpt-4o-mini",
        "user": CANARY,
        "extra_headers": {"authorization": CANARY},
        "extra_body": {"x": CANARY},
        "tools": [
            {"type": "function", "function": {"name": CANARY, "description": CANARY, "parameters": {"x": CANARY}}}
        ],
        "tool_choice": {"function": {"name": CANARY}},
        "response_format": {"type": "json_schema", "json_schema": {"name": CANARY}},
        "instructions": CANARY,
        "system": CANARY,
        "metadata": {"x": CANARY},
        "logit_bias": {CANARY: 1},
        "base_url": f"https://api.example.com/v1?key={CANARY}",
    },
    "options": {"functions": CANARY, "stop": None},
}
MESSAGES = [
    [
        SystemMessage(CANARY),
        HumanMessage([{"type": "text", "text": CANARY}, {"type": "image_url", "image_url": {"url": CANARY}}], name="n"),
        AIMessage(
            CANARY, additional_kwargs={"x": CANARY}, tool_calls=[{"name": CANARY, "args": {"a": CANARY}, "id": CANARY}]
        ),
        ToolMessage(CANARY, tool_call_id=CANARY, artifact=CANARY),
    ]
]
ANSWER = AIMessage(
    [{"type": "text", "text": CANARY}, {"type": "reasoning", "reasoning": CANARY}],
    additional_kwargs={"refusal": CANARY, "audio": {"transcript": CANARY}},
    response_metadata={"headers": {"x": CANARY}, "logprobs": CANARY, "safety": CANARY},
    tool_calls=[{"name": CANARY, "args": {"a": CANARY}, "id": CANARY}],
    usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
)
RESULT = LLMResult(
    generations=[[ChatGeneration(message=ANSWER, generation_info={"logprobs": CANARY})]],
    llm_output={"prompt_feedback": CANARY, "headers": {"x": CANARY}, "error": CANARY},
)
TEXT_RESULT = LLMResult(
    generations=[[Generation(text=CANARY, generation_info={"x": CANARY})]], llm_output={"x": CANARY}
)
DOCUMENTS = [Document(CANARY, id=CANARY, metadata={"source": CANARY})]
STATE = {"messages": MESSAGES[0], CANARY: CANARY, "nested": [{"x": CANARY}]}

STARTS: dict[str, Callable[..., None]] = {
    "chat": lambda h, **ids: h.on_chat_model_start(SERIALIZED, MESSAGES, **ids, **MODEL),
    "llm": lambda h, **ids: h.on_llm_start(SERIALIZED, [CANARY], **ids, **MODEL),
    "chain": lambda h, **ids: h.on_chain_start(SERIALIZED, STATE, **ids, **COMMON, name="step"),
    "prompt": lambda h, **ids: h.on_chain_start(SERIALIZED, CANARY, **ids, **COMMON, run_type="prompt", name="step"),
    "tool": lambda h, **ids: h.on_tool_start(
        {"name": "look", "description": "Looks."}, CANARY, inputs={"a": CANARY}, **ids, **COMMON
    ),
    "retriever": lambda h, **ids: h.on_retriever_start(SERIALIZED, CANARY, **ids, **COMMON, name="shelf"),
}
ENDS: dict[str, Callable[..., None]] = {
    "chat": lambda h, **ids: h.on_llm_end(RESULT, **ids, unknown=CANARY),
    "llm": lambda h, **ids: h.on_llm_end(TEXT_RESULT, **ids),
    "chain": lambda h, **ids: h.on_chain_end(STATE, inputs=STATE, **ids, unknown=CANARY),
    "prompt": lambda h, **ids: h.on_chain_end(CANARY, **ids),
    "tool": lambda h, **ids: h.on_tool_end(ToolMessage(CANARY, tool_call_id="call-1", artifact=CANARY), **ids),
    "retriever": lambda h, **ids: h.on_retriever_end(DOCUMENTS, **ids),
}
FAILURES = {
    "chat": lambda h, **ids: h.on_llm_error(ProviderError(), response=RESULT, **ids),
    "llm": lambda h, **ids: h.on_llm_error(ProviderError(), response=TEXT_RESULT, **ids),
    "chain": lambda h, **ids: h.on_chain_error(ProviderError(), inputs=STATE, **ids),
    "prompt": lambda h, **ids: h.on_chain_error(ProviderError(), **ids),
    "tool": lambda h, **ids: h.on_tool_error(ProviderError(), tool_call_id="call-1", **ids),
    "retriever": lambda h, **ids: h.on_retriever_error(ProviderError(), **ids),
}


def happen(handler: OTelCallbackHandler, run_id: uuid.UUID) -> None:
    """Report everything that may happen inside a run."""
    chunk = ChatGenerationChunk(message=AIMessageChunk(CANARY))
    handler.on_llm_new_token(CANARY, chunk=chunk, run_id=run_id)
    handler.on_custom_event("tick", {CANARY: CANARY}, run_id=run_id, metadata={"x": CANARY}, tags=[])
    handler.on_retry(SimpleNamespace(outcome=CANARY, kwargs={"x": CANARY}), run_id=run_id)
    handler.on_text(CANARY, run_id=run_id)
    handler.on_agent_action(AgentAction("look", CANARY, CANARY), run_id=run_id)
    handler.on_agent_finish(AgentFinish({"output": CANARY}, CANARY), run_id=run_id)
    question = SimpleNamespace(id="1", value=CANARY, ns=[CANARY])
    handler.on_interrupt(SimpleNamespace(run_id=run_id, interrupts=[question], checkpoint_id="c", status=CANARY))
    handler.on_resume(SimpleNamespace(run_id=run_id, checkpoint_id="c", status=CANARY))


@pytest.mark.parametrize("ending", [ENDS, FAILURES], ids=["end", "error"])
@pytest.mark.parametrize("kind", STARTS)
def test_no_field_of_a_hook_leaves(telemetry: RecordedSpans, kind, ending):
    """No argument of a hook leaves but names and identities, neither from a root nor from a child."""
    handler = telemetry.new_handler(detail="all", chunk_metrics=True, remote_parent=True)
    for parent in (None, uuid.uuid4()):
        if parent is not None:
            STARTS["chain"](handler, run_id=parent)
        run_id = uuid.uuid4()
        STARTS[kind](handler, run_id=run_id, parent_run_id=parent)
        happen(handler, run_id)
        ending[kind](handler, run_id=run_id)
        if parent is not None:
            FAILURES["chain"](handler, run_id=parent)


# Real programs


@tool
def look(city: str) -> str:
    """Looks something up."""
    return f"{city} {CANARY}"


@tool
def fail(city: str) -> str:
    """Fails."""
    raise ProviderError


def _chain() -> Any:
    def work(message: Any) -> str:
        dispatch_custom_event("tick", {"x": CANARY})
        headers: dict[str, str] = {}
        propagate.inject(headers)
        assert CANARY not in repr(headers)
        assert not baggage.get_all()
        return message.content * 2

    prompt = ChatPromptTemplate.from_messages([("system", CANARY), ("user", "{q}")])
    return prompt | ScriptedChat(script=[CANARY]) | RunnableLambda(work)


def test_chain_in_every_call_style(telemetry: RecordedSpans):
    """In every call style, question, prompt, answer and result stay here."""
    config = {"callbacks": [telemetry.new_handler(detail="all")]}
    _chain().invoke({"q": CANARY}, config)
    _chain().batch([{"q": CANARY}] * 2, config)
    list(_chain().stream({"q": CANARY}, config))


async def test_chain_in_every_async_call_style(telemetry: RecordedSpans):
    """In every async call style, question, prompt, answer and result stay here."""
    config = {"callbacks": [telemetry.new_handler(detail="all")]}

    async def work(text: str) -> str:
        await adispatch_custom_event("tick", CANARY, config=config)
        return text

    await ScriptedChat(script=[CANARY]).ainvoke(CANARY, config)
    await (RunnableLambda(str.upper) | ScriptedChat(script=[CANARY])).abatch([CANARY] * 2, config)
    [chunk async for chunk in ScriptedChat(script=[CANARY]).astream(CANARY, config)]
    [event async for event in ScriptedChat(script=[CANARY]).astream_events(CANARY, config, version="v2")]


@needs_create_agent
@pytest.mark.parametrize("name", ["look", "fail"])
def test_agent_with_a_tool(telemetry: RecordedSpans, name):
    """Arguments, results and errors of tools stay here, on the agent, its nodes and its models as well."""
    program = create_agent(ScriptedChat(script=[calling(name, city=CANARY), CANARY]), [look, fail], name="helper")
    try:
        program.invoke({"messages": [("user", CANARY)]}, {"callbacks": [telemetry.new_handler(detail="all")]})
    except ProviderError:
        assert name == "fail"


@needs_contexts_of_tasks
@needs_create_agent
async def test_agent_with_a_tool_in_async_code(telemetry: RecordedSpans):
    """In async code, arguments and results of tools stay here as well."""
    program = create_agent(ScriptedChat(script=[calling("look", city=CANARY), CANARY]), [look], name="helper")
    config = {"callbacks": [telemetry.new_handler(detail="all")]}
    [part async for part in program.astream({"messages": [("user", CANARY)]}, config, stream_mode="messages")]


def test_graph_that_asks_a_person(telemetry: RecordedSpans):
    """A graph's question to a person and the answer stay here."""
    builder = StateGraph(State).add_node("ask", lambda _: {"seen": [interrupt(CANARY)]})
    program = builder.add_edge(START, "ask").compile(checkpointer=InMemorySaver(), name="approval")
    config = {"callbacks": [telemetry.new_handler(detail="all")], "configurable": {"thread_id": "1"}}
    program.invoke({"seen": [CANARY]}, config)
    program.invoke(Command(resume=CANARY), config)


@pytest.mark.parametrize("way", ["invoke", "stream"])
def test_failing_model(telemetry: RecordedSpans, way):
    """A provider's error keeps its message, body and headers here, and those of its cause."""
    config = {"callbacks": [telemetry.new_handler(detail="all")]}
    with pytest.raises(ProviderError):
        list(getattr(ScriptedChat(script=[ProviderError()]), way)(CANARY, config))
