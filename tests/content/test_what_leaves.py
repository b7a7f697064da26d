"""What leaves with capture off, derived: one canary in each input a program can give, one run for each canary."""

import copy
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from langchain_core.agents import AgentAction, AgentFinish
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, Generation, LLMResult
from langgraph.errors import ParentCommand
from langgraph.types import Command

from tests.support.recorded_spans import RecordedSpans

PAGE = Path(__file__).parents[2] / "docs" / "privacy.md"
FEWEST = 600
"""Inputs that are tried."""

COMMON = {
    "name": "run",
    "tags": ["a", "seq:step:a", "langsmith:a"],
    "unknown": "x",
    "metadata": dict.fromkeys(
        (
            "thread_id", "session_id", "conversation_id", "user_id", "note", "traceparent", "tracestate", "baggage",
            "ls_provider", "ls_model_name", "ls_model_type", "ls_stop", "ls_method", "ls_extra",
            "ls_retriever_name", "ls_retriever_provider", "ls_vector_store_provider", "ls_embedding_provider",
            "lc_agent_name", "lc_versions", "langgraph_node", "langgraph_path", "langgraph_triggers",
            "langgraph_checkpoint_ns", "checkpoint_ns", "checkpoint_id", "run_id", "otel_callbacks.resume",
        ),
        "x",
    ),
    "serialized": {
        "id": ["module", "x"],
        "name": "x",
        "repr": "x",
        "doc": "x",
        "description": "x",
        "graph": {"nodes": ["x"]},
        "kwargs": {"api_key": "x", "model": "x", "base_url": "x", "endpoint": "x", "headers": {"x": "x"}},
    },
}  # fmt: skip
PARAMETERS = {
    **dict.fromkeys(
        (
            "model", "model_name", "model_id", "azure_deployment", "deployment_name", "user", "instructions", "system",
            "prompt", "suffix", "reasoning_effort", "service_tier", "previous_response_id", "conversation",
            "safety_identifier", "prompt_cache_key", "verbosity", "truncation", "cachePoint", "region_name", "_type",
            "temperature", "max_tokens", "seed", "top_p", "n", "base_url", "anthropic_version", "tool_choice",
        ),
        "x",
    ),
    "stop": ["x"],
    "reasoning": {"effort": "x", "summary": "x"},
    "metadata": {"x": "x"},
    "extra_headers": {"authorization": "x", "x-request": "x"},
    "extra_body": {"x": "x"},
    "response_format": {"type": "x", "json_schema": {"name": "x"}},
    "tools": [{"type": "x", "function": {"name": "x", "description": "x", "parameters": {"x": "x"}}}],
    "audio": {"voice": "x"},
    "include": ["x"],
}  # fmt: skip
MODEL = {
    **COMMON,
    "invocation_params": PARAMETERS,
    "options": {"stop": ["x"], "functions": "x", "tool_choice": "x", "extra_headers": {"x": "x"}},
}
ANSWER = {
    "content": "x",
    "id": "x",
    "name": "x",
    "reasoning": "x",
    "additional_kwargs": {"refusal": "x", "audio": {"transcript": "x"}, "reasoning_content": "x", "x": "x"},
    "response_metadata": dict.fromkeys(
        (
            "id", "model", "model_name", "model_provider", "finish_reason", "stop_reason", "done_reason", "status",
            "service_tier", "system_fingerprint", "logprobs", "headers", "prompt_feedback", "citations", "created_at",
            "object", "role", "container", "context_management", "safety_ratings",
        ),
        "x",
    ),
    "tool_call": {"name": "x", "id": "x", "argument": "x"},
    "generation_info": {"finish_reason": "x", "logprobs": "x", "safety": "x"},
    "llm_output": {"id": "x", "model_name": "x", "system_fingerprint": "x", "service_tier": "x", "error": "x"},
}  # fmt: skip
ERROR = {
    "message": "x",
    "body": "x",
    "url": "x",
    "header": "x",
    "cause": "x",
    "code": "x",
    "request_id": "x",
    "goto": "x",
}
EVENTS = {
    "token": "x",
    "chunk": "x",
    "custom": {"name": "x", "data": "x", "metadata": "x"},
    "retry": "x",
    "text": "x",
    "action": {"tool": "x", "input": "x", "log": "x"},
    "finish": {"output": "x", "log": "x"},
    "interrupt": {"id": "x", "value": "x", "ns": "x", "checkpoint": "x", "status": "x"},
    "resume": {"checkpoint": "x", "status": "x"},
}
MESSAGES = {
    "system": "x",
    "user": {"text": "x", "url": "x", "name": "x", "id": "x"},
    "answer": {"text": "x", "extra": "x", "call": "x", "call id": "x"},
    "tool": {"text": "x", "call id": "x", "artifact": "x", "name": "x"},
}
STATE = {"messages": "x", "nested": {"x": "x"}, "list": ["x"]}
CHAIN = {"start": COMMON, "inputs": STATE, "outputs": STATE, "error": ERROR, "events": EVENTS}
INPUTS: dict[str, dict[str, Any]] = {
    "chat": {"start": MODEL, "inputs": MESSAGES, "outputs": ANSWER, "error": ERROR, "events": EVENTS},
    "llm": {"start": MODEL, "inputs": {"prompt": "x"}, "outputs": ANSWER, "error": ERROR, "events": EVENTS},
    "chain": CHAIN,
    "node": CHAIN,
    "agent": CHAIN,
    "prompt": CHAIN,
    "parser": CHAIN,
    "tool": {
        "start": {**COMMON, "tool_call_id": "x"},
        "inputs": {"input": "x", "argument": "x"},
        "outputs": {"content": "x", "artifact": "x", "tool_call_id": "x", "name": "x", "id": "x"},
        "error": ERROR,
        "events": EVENTS,
    },
    "retriever": {
        "start": COMMON,
        "inputs": {"query": "x"},
        "outputs": {"content": "x", "id": "x", "source": "x"},
        "error": ERROR,
        "events": EVENTS,
    },
}
"""Kind of run -> every input that LangChain hands on; each text in it is one input."""

Path_ = tuple[Any, ...]


def places(tree: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Yield the path of each text."""
    if isinstance(tree, (dict, list)):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from places(value, (*path, key))
    else:
        yield path


TEMPLATES = {
    "endpoint": "https://{0}.example.com/v1",
    "base_url": "https://{0}:{0}@api.example.com/{0}?key={0}#{0}",
}
"""What stands around the canary in an input that would not be read otherwise."""


def alone(tree: Any, path: Path_, canary: str) -> Any:
    """Return the inputs with a canary at one place. Of what excludes each other, only that is left: ids and names."""
    marked = copy.deepcopy(tree)
    at = marked
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = TEMPLATES.get(path[-1], "{0}").format(canary)
    return keep(marked, canary)


def keep(tree: Any, canary: str) -> Any:
    """Leave out all other texts, so that no other input takes the place of this one."""
    if isinstance(tree, dict):
        return {key: kept for key, value in tree.items() if (kept := keep(value, canary)) not in (None, {}, [])}
    if isinstance(tree, list):
        return [kept for value in tree if (kept := keep(value, canary)) not in (None, {}, [])]
    return tree if canary in tree else None


class ProviderError(Exception):
    """An error as raised by providers' clients."""

    def __init__(self, given: Any) -> None:
        super().__init__(given.get("message", ""))
        self.body = {"error": {"message": given.get("body", "")}}
        self.code = given.get("code", "")
        self.status_code = 400
        self.request_id = given.get("request_id", "")
        self.request = SimpleNamespace(url=given.get("url", ""))
        self.response = SimpleNamespace(headers={"x-request": given.get("header", "")})
        self.__cause__ = ValueError(given.get("cause", ""))


def start(handler: Any, kind: str, given: Any, **ids: Any) -> None:
    """Send the start of a run."""
    arguments = dict(given.get("start", {}))
    serialized, inputs = arguments.pop("serialized", {}), given.get("inputs", {})
    if kind == "chat":
        handler.on_chat_model_start(serialized, [messages(inputs)], **ids, **arguments)
    elif kind == "llm":
        handler.on_llm_start(serialized, [inputs.get("prompt", "")], **ids, **arguments)
    elif kind == "tool":
        more = {"inputs": {"a": inputs["argument"]}} if "argument" in inputs else {}
        handler.on_tool_start(serialized, inputs.get("input", ""), **ids, **more, **arguments)
    elif kind == "retriever":
        handler.on_retriever_start(serialized, inputs.get("query", ""), **ids, **arguments)
    else:
        if kind == "node":
            arguments["tags"] = ["graph:step:1", *arguments.get("tags", [])]
        if kind == "agent":
            arguments["metadata"] = {"ls_integration": "langchain_create_agent", **arguments.get("metadata", {})}
        run_type = kind if kind in {"prompt", "parser"} else None
        handler.on_chain_start(serialized, inputs, run_type=run_type, **ids, **arguments)


def messages(given: Any) -> list[Any]:
    """Return one message of each kind."""
    user, answer, tool = (given.get(role, {}) for role in ("user", "answer", "tool"))
    blocks = [
        {"type": "text", "text": user.get("text", "")},
        {"type": "image_url", "image_url": {"url": user.get("url", "")}},
    ]
    calls = [{"name": answer.get("call", ""), "args": {}, "id": answer.get("call id", "")}]
    return [
        SystemMessage(given.get("system", "")),
        HumanMessage(blocks, name=user.get("name"), id=user.get("id")),
        AIMessage(answer.get("text", ""), additional_kwargs={"x": answer.get("extra", "")}, tool_calls=calls),
        ToolMessage(
            tool.get("text", ""),
            tool_call_id=tool.get("call id", ""),
            artifact=tool.get("artifact"),
            name=tool.get("name"),
        ),
    ]


def happen(handler: Any, given: Any, run_id: uuid.UUID) -> None:
    """Send everything that may happen inside a run, as far as it has the canary."""
    for name in given:
        value = given[name]
        if name == "token":
            handler.on_llm_new_token(value, run_id=run_id)
        elif name == "chunk":
            handler.on_llm_new_token("", chunk=ChatGenerationChunk(message=AIMessageChunk(value)), run_id=run_id)
        elif name == "custom":
            data = {"x": value.get("data", "")}
            handler.on_custom_event(value.get("name", "e"), data, run_id=run_id, metadata={"x": value.get("metadata")})
        elif name == "retry":
            handler.on_retry(SimpleNamespace(outcome=value), run_id=run_id)
        elif name == "text":
            handler.on_text(value, run_id=run_id)
        elif name == "action":
            action = AgentAction(value.get("tool", ""), value.get("input", ""), value.get("log", ""))
            handler.on_agent_action(action, run_id=run_id)
        elif name == "finish":
            finish = AgentFinish({"output": value.get("output", "")}, value.get("log", ""))
            handler.on_agent_finish(finish, run_id=run_id)
        elif name == "interrupt":
            question = SimpleNamespace(id=value.get("id", "i"), value=value.get("value"), ns=[value.get("ns")])
            event = {
                "interrupts": [question],
                "checkpoint_id": value.get("checkpoint", "c"),
                "status": value.get("status"),
            }
            handler.on_interrupt(SimpleNamespace(run_id=run_id, **event))
        else:
            event = {"checkpoint_id": value.get("checkpoint", "c"), "status": value.get("status")}
            handler.on_resume(SimpleNamespace(run_id=run_id, **event))


def finish(handler: Any, kind: str, given: Any, run_id: uuid.UUID) -> None:
    """Send the end of a run: with an error if that has the canary."""
    hooks = {"chat": "llm", "llm": "llm", "tool": "tool", "retriever": "retriever"}
    hook = hooks.get(kind, "chain")
    if "error" in given:
        goto = given["error"].get("goto")
        error = ProviderError(given["error"]) if goto is None else ParentCommand(Command(goto=goto))
        getattr(handler, f"on_{hook}_error")(error, run_id=run_id)
    else:
        getattr(handler, f"on_{hook}_end")(result(kind, given.get("outputs", {})), run_id=run_id)


def result(kind: str, given: Any) -> Any:
    """Return what a run gives back."""
    if kind == "tool":
        return ToolMessage(
            given.get("content", ""),
            tool_call_id=given.get("tool_call_id", "call"),
            **{key: given[key] for key in ("artifact", "name", "id") if key in given},
        )
    if kind == "retriever":
        return [Document(given.get("content", ""), id=given.get("id"), metadata={"source": given.get("source", "")})]
    if kind not in {"chat", "llm"}:
        return given
    output, info = given.get("llm_output", {}), given.get("generation_info")
    if kind == "llm":
        return LLMResult(
            generations=[[Generation(text=given.get("content", ""), generation_info=info)]], llm_output=output
        )
    call = given.get("tool_call", {})
    calls = [{"name": call.get("name", ""), "args": {"a": call.get("argument", "")}, "id": call.get("id", "")}]
    # Service tier and fingerprint are OpenAI's.
    metadata = {"model_provider": "openai", **given.get("response_metadata", {})}
    answer = AIMessage(
        [
            {"type": "text", "text": given.get("content", "")},
            {"type": "reasoning", "reasoning": given.get("reasoning", "")},
        ],
        id=given.get("id"),
        name=given.get("name"),
        additional_kwargs=given.get("additional_kwargs", {}),
        response_metadata=metadata,
        tool_calls=calls,
    )
    return LLMResult(generations=[[ChatGeneration(message=answer, generation_info=info)]], llm_output=output)


def leaves(telemetry: RecordedSpans) -> Iterator[tuple[str, str]]:
    """Yield where and what: every name, every attribute and every label of everything that was exported."""
    for span in telemetry.spans:
        yield "the span's name", span.name
        yield "the span's status", str(span.status.description)
        holders = (span, *span.events, *span.links)
        yield from ((key, repr(value)) for holder in holders for key, value in (holder.attributes or {}).items())
        yield from (("the event's name", event.name) for event in span.events)
    for metric in telemetry.metrics():
        yield "the metric's name", f"{metric.name} {metric.description}"
        for point in metric.data.data_points:
            yield from ((key, repr(value)) for key, value in point.attributes.items())
    for record in telemetry.logs:
        yield "a log record", repr(record)


@pytest.fixture(scope="module")
def derived() -> dict[str, set[str]]:
    """Where -> the inputs that leave there, from one run for each input."""
    telemetry = RecordedSpans()
    handler = telemetry.handler
    labels: dict[str, str] = {}
    for kind, inputs in INPUTS.items():
        for path in places(inputs):
            canary = f"canary{len(labels):04}x"
            labels[canary] = f"{kind} {'.'.join(map(str, path))}"
            given = alone(inputs, path, canary)
            if kind == "chat" and path[-1] == "service_tier":
                given["start"] = {**given.get("start", {}), "metadata": {"ls_provider": "openai"}}
            run_id = uuid.uuid4()
            start(handler, kind, given, run_id=run_id)
            happen(handler, given.get("events", {}), run_id)
            finish(handler, kind, given, run_id)
    assert handler.open_runs == 0
    assert len(labels) >= FEWEST
    found: dict[str, set[str]] = {}
    for where, what in leaves(telemetry):
        for canary in re.findall(r"canary\d{4}x", what):
            found.setdefault(where, set()).add(labels[canary])
    telemetry.shutdown()
    return found


ROWS = {
    "name of a run, chain, workflow": r"(chain|prompt|parser|retriever) start\.(name|serialized\.(name|id\.\d))",
    "name of an agent": r"agent start\.(name|serialized\.(name|id\.\d)|metadata\.lc_agent_name)",
    "name of a node": r"node start\.(name|serialized\.(name|id\.\d))",
    "name of a tool": r"tool start\.(name|serialized\.(name|id\.\d))",
    "description of a tool": r"tool start\.serialized\.description",
    "id of a tool call": r"tool (start|outputs)\.tool_call_id",
    "tags": r"\w+ start\.tags\.\d",
    "provider, or the class of a model": (
        r"(chat|llm) start\.(name|serialized\.(name|id\.\d)|metadata\.ls_provider|invocation_params\._type)"
    ),
    "class, vector store and embeddings of a retriever": (
        r"retriever start\.metadata\.ls_(retriever_name|(vector_store|embedding)_provider)"
    ),
    "model": (
        r"(chat|llm) start\.(metadata\.ls_model_name"
        r"|invocation_params\.(model|model_name|model_id|azure_deployment|deployment_name))"
    ),
    "host of a model's server": r"(chat|llm) start\.serialized\.kwargs\.endpoint",
    "conversation, from metadata": r"\w+ start\.metadata\.(thread|session|conversation)_id",
    "stop sequences": r"(chat|llm) start\.(invocation_params|options)\.stop\.0",
    "reasoning level": r"(chat|llm) start\.invocation_params\.reasoning(_effort|\.effort)",
    "service tier asked for": r"(chat|llm) start\.invocation_params\.service_tier",
    "id of the answer before": r"(chat|llm) start\.invocation_params\.previous_response_id",
    "model of the answer": r"(chat|llm) outputs\.(llm_output|response_metadata)\.model(_name)?",
    "id of the answer": r"(chat|llm) outputs\.(id|(llm_output|response_metadata)\.id)",
    "why the answer ended": (
        r"(chat|llm) outputs\.(generation_info|response_metadata)\.((finish|stop|done)_reason|status)"
    ),
    "service tier of the answer": r"(chat|llm) outputs\.(llm_output|response_metadata)\.service_tier",
    "fingerprint of the provider's system": r"(chat|llm) outputs\.(llm_output|response_metadata)\.system_fingerprint",
    "name of a custom event": r"\w+ events\.custom\.name",
    "ids of what a graph waits for": r"\w+ events\.interrupt\.id",
    "node that another hands off to": r"\w+ error\.goto",
    "id of a graph's checkpoint": r"\w+ events\.interrupt\.checkpoint",
}
"""Row of the page -> the inputs that it stands for."""


def table(derived: dict[str, set[str]]) -> str:
    """Return the page's table of what always leaves."""
    lines = ["| What | Where |", "| --- | --- |"]
    for what, inputs in ROWS.items():
        keys = [key for key, sources in derived.items() if any(re.fullmatch(inputs, source) for source in sources)]
        lines.append(f"| {what} | " + ", ".join(key if " " in key else f"`{key}`" for key in sorted(keys)) + " |")
    return "\n".join(lines)


def test_every_input_that_leaves_has_its_row(derived):
    """No input leaves that the page does not name, and every row of the page stands for one that does."""
    leaving = {source for sources in derived.values() for source in sources}
    assert [one for one in sorted(leaving) if not any(re.fullmatch(row, one) for row in ROWS.values())] == []
    assert [row for row, inputs in ROWS.items() if not any(re.fullmatch(inputs, one) for one in leaving)] == []


def test_page_says_where_each_input_leaves(request, derived):
    """The table in docs/privacy.md is what the canaries showed; `--update-goldens` writes it."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split("<!-- identities -->\n")
    _, after = rest.split("<!-- end -->", 1)
    page = f"{before}<!-- identities -->\n{table(derived)}\n<!-- end -->{after}"
    if request.config.getoption("--update-goldens"):
        PAGE.write_text(page, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page
