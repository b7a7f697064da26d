"""docs/privacy.md lists what really leaves at each setting: the table comes from runs whose content is marked."""

import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import dispatch_custom_event
from langchain_core.documents import Document
from langchain_core.language_models import FakeListLLM
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt

from tests.support.models import ScriptedChat
from tests.support.programs import State, needs_agent_marks, needs_create_agent
from tests.support.recorded_spans import RecordedSpans

PAGE = Path(__file__).parents[2] / "docs" / "privacy.md"
SETTINGS = ("no_content", "span_only", "event_only", "span_and_event")
CONTENT = "purple-walrus"
"""All content is this text; names and identities use other words."""
WHAT = {
    "gen_ai.input.messages": "messages and prompts to models; what agents and workflows are given",
    "gen_ai.output.messages": "answers of models, agents and workflows",
    "gen_ai.system_instructions": "instructions given apart from the messages",
    "gen_ai.tool.definitions": "tools offered to a model",
    "langchain.output_schema": "schema that an answer has to follow",
    "gen_ai.tool.call.arguments": "arguments of a tool",
    "gen_ai.tool.call.result": "what a tool gave back",
    "gen_ai.retrieval.query.text": "what a retriever was asked",
    "gen_ai.retrieval.documents": "what it found",
    "langchain.run.input": "input of nodes, chains, other workflows",
    "langchain.run.output": "their output",
    "langchain.custom_event.data": "data of custom events",
    "langgraph.interrupt.values": "what a graph asks a person",
    "exception.message": "message of an exception",
}


class Shelf(BaseRetriever):
    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        return [Document(CONTENT)]


class Named(ScriptedChat):
    """A chat model that reports everything about its requests."""

    def _get_ls_params(self, stop: Any = None, **_: Any) -> Any:
        return {"ls_provider": "openai", "ls_model_name": "model-name", "ls_model_type": "chat", "ls_stop": stop}


@tool("tool_name", description="tool-description")
def look(city: str) -> str:
    """Look."""
    return CONTENT


def run_everything(telemetry: RecordedSpans, where: Any) -> None:
    """Run programs with every kind of content and of identity."""
    call: Any = {
        "callbacks": [telemetry.new_handler(capture=where)],
        "tags": ["a-tag"],
        "metadata": {"session_id": "conversation-name"},
    }
    Named(script=[CONTENT]).invoke(CONTENT, {**call, "run_name": "run-name"}, stop=["stop-sequence"])
    FakeListLLM(responses=[CONTENT]).invoke(CONTENT, call)
    Shelf().invoke(CONTENT, call)
    look.invoke({"name": "tool_name", "args": {"city": CONTENT}, "id": "call-id", "type": "tool_call"}, call)
    handler = call["callbacks"][0]
    _report_a_model_with_tools(handler)

    def fail(_: Any) -> None:
        dispatch_custom_event("event-name", {"x": CONTENT})
        raise ValueError(CONTENT)

    with pytest.raises(ValueError, match=CONTENT):
        RunnableLambda(fail, name="run-name").invoke({"x": CONTENT}, call)
    RunnableLambda(lambda _: {"x": CONTENT}, name="run-name").invoke({"x": CONTENT}, call)
    builder = StateGraph(State).add_node("node-name", lambda _: {"seen": [interrupt(CONTENT)]})
    program = builder.add_edge(START, "node-name").compile(checkpointer=InMemorySaver(), name="run-name")
    program.invoke({"seen": [CONTENT]}, {**call, "configurable": {"thread_id": "1"}})
    _run_agent(call)


def _report_a_model_with_tools(handler: Any) -> None:
    import uuid

    from langchain_core.messages import AIMessage, HumanMessage
    from langchain_core.outputs import ChatGeneration, LLMResult

    run_id = uuid.uuid4()
    parameters = {
        "model": "model-name",
        "instructions": CONTENT,
        "tools": [{"type": "function", "function": {"name": CONTENT}}],
        "format": {"title": CONTENT},
        "stop": ["stop-sequence"],
    }
    handler.on_chat_model_start({}, [[HumanMessage(CONTENT)]], run_id=run_id, invocation_params=parameters)
    answer = AIMessage(CONTENT, response_metadata={"id": "response-id"})
    handler.on_llm_end(LLMResult(generations=[[ChatGeneration(message=answer)]]), run_id=run_id)


def _run_agent(call: Any) -> None:
    from langchain.agents import create_agent

    create_agent(Named(script=[CONTENT]), [look], name="agent-name").invoke({"messages": [("user", CONTENT)]}, call)


def attributes(telemetry: RecordedSpans) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Return key -> exported values: of spans, with their names and events, and of log events."""
    spans: dict[str, set[str]] = {}
    events: dict[str, set[str]] = {}
    for span in telemetry.spans:
        spans.setdefault("the span's name", set()).add(span.name)
        for bag in (span.attributes, *(event.attributes for event in span.events)):
            for key, value in (bag or {}).items():
                spans.setdefault(key, set()).add(repr(value))
    for record in telemetry.logs:
        for key, value in record.attributes.items():
            events.setdefault(key, set()).add(repr(value))
    return spans, events


def _holds(exported: dict[str, set[str]], key: str, text: str) -> bool:
    return any(text in value for value in exported.get(key, ()))


def _settings() -> str:
    rows = []
    for key, what in WHAT.items():
        cells = []
        for where in SETTINGS:
            spans, events = _EXPORTED[where]
            places = [name for name, bag in (("span", spans), ("event", events)) if _holds(bag, key, CONTENT)]
            cells.append(" + ".join(places) or "–")
        rows.append(f"| {what} | `{key}` | " + " | ".join(cells) + " |")
    head = "| What | Attribute | " + " | ".join(f"`{where}`" for where in SETTINGS) + " |\n" + "| --- " * 6 + "|\n"
    return head + "\n".join(rows)


_EXPORTED: dict[str, tuple[dict[str, set[str]], dict[str, set[str]]]] = {}


@pytest.fixture(scope="module", autouse=True)
def exported_content() -> None:
    """Run all programs once at each setting."""
    for where in SETTINGS:
        telemetry = RecordedSpans()
        run_everything(telemetry, where)
        _EXPORTED[where] = attributes(telemetry)
        telemetry.shutdown()


@needs_agent_marks
def test_page_says_what_leaves_at_each_setting(request: pytest.FixtureRequest):
    """The table in docs/privacy.md is what the runs exported; `--update-goldens` writes it."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split("<!-- settings -->\n")
    _, after = rest.split("<!-- end -->", 1)
    page = f"{before}<!-- settings -->\n{_settings()}\n<!-- end -->{after}"
    if request.config.getoption("--update-goldens"):
        PAGE.write_text(page, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page


@needs_create_agent
def test_no_content_is_in_what_leaves_by_default():
    """With capture off, the content's text is nowhere."""
    assert CONTENT not in json.dumps([sorted(map(str, bag.items())) for bag in _EXPORTED["no_content"]])


@needs_create_agent
def test_all_content_that_leaves_is_in_the_table():
    """No attribute holds content that the page does not list."""
    keys = {key for where in SETTINGS for bag in _EXPORTED[where] for key in bag if _holds(bag, key, CONTENT)}
    assert keys - set(WHAT) == set()
