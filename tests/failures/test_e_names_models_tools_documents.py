import logging
from uuid import uuid4

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.prompt_values import ChatPromptValue
from langchain_core.retrievers import BaseRetriever

from otel_callbacks.testing import OtelSpans
from tests.mapping.test_provider import PROVIDERS
from tests.support.models import ScriptedChat, calling
from tests.support.programs import (
    MESSAGES,
    agent,
    broken,
    create_agent,
    graph,
    needs_agent_marks,
    needs_call_id_at_start,
    tool_that,
    weather,
)
from tests.support.recorded_spans import RecordedSpans

# Models


def test_streamed_answer_has_its_model_and_id(telemetry: RecordedSpans):
    """genai#503: the response's model, id and finish reason are taken from the chunks if only those have them."""
    chunks = [
        AIMessageChunk(content="hello", response_metadata={"model_name": "m-2026-01-01"}),
        AIMessageChunk(content="", response_metadata={"id": "resp-1", "finish_reason": "stop"}),
    ]
    list(ScriptedChat(script=[chunks]).stream("x", {"callbacks": [telemetry.new_handler()]}))
    attributes = telemetry.span("chat").attributes
    assert attributes["gen_ai.response.model"] == "m-2026-01-01"
    assert attributes["gen_ai.response.id"] == "resp-1"
    assert attributes["gen_ai.response.finish_reasons"] == ("stop",)


@pytest.mark.parametrize(("ls_provider", "expected"), [*PROVIDERS, ("azure", "azure.ai.inference")])
def test_model_span_names_its_provider(telemetry: RecordedSpans, ls_provider, expected):
    """ollm#3098, lcaz#509: every model span names its operation and provider in the convention's words."""
    ScriptedChat(script=["hi"], ls_params={"ls_provider": ls_provider}).invoke(
        "x", {"callbacks": [telemetry.new_handler()]}
    )
    attributes = telemetry.span("chat").attributes
    assert attributes["gen_ai.operation.name"] == "chat"
    assert attributes["gen_ai.provider.name"] == expected


# Agents


@needs_agent_marks
@pytest.mark.parametrize(
    ("name", "title"), [("weather_assistant", "invoke_agent weather_assistant"), (None, "invoke_agent")]
)
def test_agent_is_an_agent_and_its_nodes_are_not(telemetry: RecordedSpans, name, title):
    """genai#387, genai#742: `create_agent` gives one agent with its name, and plain nodes below."""
    model = ScriptedChat(script=[calling("weather", city="Oslo"), "sunny"])
    agent(model, [weather], name).invoke(MESSAGES, {"callbacks": [telemetry.new_handler()]})
    assert telemetry.tree() == (
        f"{title}\n  node model\n    chat\n  node tools\n    execute_tool weather\n  node model\n    chat"
    )


@needs_agent_marks
def test_sub_graphs_and_sub_agents_have_spans(otel_spans: OtelSpans):
    """genai#578, deepagents#730: a graph as a node and an agent in a tool have spans, and each tool names its agent."""
    inner = create_agent(ScriptedChat(script=[calling("weather", city="Oslo"), "sunny"]), [weather], name="forecaster")
    outer = create_agent(
        ScriptedChat(script=[calling("ask", city="Oslo"), "done"]),
        [tool_that(lambda: inner.invoke(MESSAGES))],
        name="boss",
    )
    program = graph("office", desk=graph("form", fill=lambda state: {"seen": [outer.invoke(MESSAGES)]}))
    program.invoke({"seen": []}, {"callbacks": [otel_spans.handler]})
    otel_spans.assert_tree(
        """
        invoke_workflow office
          node desk
            graph form
              node fill
                invoke_agent boss gen_ai.agent.name='boss'
                  node model
                    chat
                  node tools
                    execute_tool ask gen_ai.agent.name='boss'
                      invoke_agent forecaster gen_ai.agent.name='forecaster'
                        node model
                          chat
                        node tools
                          execute_tool weather gen_ai.agent.name='forecaster'
                        node model
                          chat
                  node model
                    chat
        """,
        "gen_ai.agent.name",
    )


# Tools


def two_calls() -> AIMessage:
    """Return an answer that calls two tools at once, of which the second fails."""
    good, bad = calling("weather", "call-good", city="Oslo"), calling("broken", "call-bad", city="Rome")
    return AIMessage("", tool_calls=[*good.tool_calls, *bad.tool_calls])


@needs_call_id_at_start
def test_parallel_tools_name_their_calls_even_when_they_fail(telemetry: RecordedSpans):
    """genai#510, ls#3570: each tool's span has the model's id of the call and the tool's name, description and type."""
    program = agent(ScriptedChat(script=[two_calls()]), [weather, broken])
    with pytest.raises(ValueError, match="Rome"):
        program.invoke(MESSAGES, {"callbacks": [telemetry.new_handler()]})
    tools = {
        span.name: {key: value for key, value in span.attributes.items() if key.startswith("gen_ai.tool.")}
        for span in telemetry.spans
        if span.name.startswith("execute_tool")
    }
    assert tools == {
        "execute_tool weather": {
            "gen_ai.tool.call.id": "call-good",
            "gen_ai.tool.name": "weather",
            "gen_ai.tool.description": "Tells the weather of a city.",
            "gen_ai.tool.type": "function",
        },
        "execute_tool broken": {
            "gen_ai.tool.call.id": "call-bad",
            "gen_ai.tool.name": "broken",
            "gen_ai.tool.description": "Always fails.",
            "gen_ai.tool.type": "function",
        },
    }


def test_tool_that_succeeds_names_its_call(telemetry: RecordedSpans):
    """deepagents#876: a tool's span has the call's id, whether LangChain reports it at the start or with the result."""
    call = calling("weather", "call-1", city="Oslo").tool_calls[0]
    weather.invoke(call, {"callbacks": [telemetry.new_handler()]})
    assert telemetry.span("execute_tool weather").attributes["gen_ai.tool.call.id"] == "call-1"


# Unusual but legal values


@pytest.mark.parametrize(
    "messages",
    [
        "hi",
        [("user", "hi")],
        [{"role": "user", "content": "hi"}],
        [HumanMessage("hi")],
        ChatPromptValue(messages=[HumanMessage("hi")]),
    ],
    ids=["text", "pair", "dict", "message", "prompt value"],
)
def test_every_form_of_messages_has_its_span(telemetry: RecordedSpans, caplog, messages):
    """genai#388, lc#30703: in whatever form messages are written, the call has its span and nothing is logged."""
    caplog.set_level(logging.WARNING)
    ScriptedChat(script=["hello"]).invoke(messages, {"callbacks": [telemetry.new_handler()]})
    assert telemetry.span("chat").attributes["otel_callbacks.outcome"] == "ok"
    assert caplog.records == []


def end_of(text: str) -> LLMResult:
    """Return a model's result."""
    return LLMResult(generations=[[ChatGeneration(message=AIMessage(text))]])


@pytest.mark.parametrize(
    "messages", [[[{"role": "user", "content": "hi"}]], [[("user", "hi")]], [["hi"]], [[]], [], None]
)
def test_messages_that_langchain_did_not_convert(telemetry: RecordedSpans, caplog, messages):
    """genai#388: a framework that calls the hook with raw messages also gets its span."""
    run_id = uuid4()
    handler = telemetry.new_handler()
    handler.on_chat_model_start({}, messages, run_id=run_id)
    handler.on_llm_end(end_of("hello"), run_id=run_id)
    assert telemetry.span("chat").attributes["otel_callbacks.outcome"] == "ok"
    assert telemetry.points("otel_callbacks.errors") == []


@pytest.mark.parametrize("token", ["a", "", None, ["a"], [{"type": "text", "text": "a"}], {"text": "a"}, 7])
def test_every_kind_of_token_is_accepted(telemetry: RecordedSpans, caplog, token):
    """lc#34739, langchain-google#1460: tokens that are lists, dicts or `None` mark a stream and log nothing."""
    run_id = uuid4()
    handler = telemetry.new_handler()
    handler.on_chat_model_start({}, [[HumanMessage("hi")]], run_id=run_id)
    handler.on_llm_new_token(token, run_id=run_id)
    handler.on_llm_end(end_of("hello"), run_id=run_id)
    assert telemetry.span("chat").attributes["gen_ai.request.stream"] is True
    assert caplog.records == []


STARTS = {
    "on_chat_model_start": [[[HumanMessage("hi")]], "chat", "on_llm_end", end_of("a")],
    "on_llm_start": [["hi"], "text_completion", "on_llm_end", end_of("a")],
    "on_chain_start": [{}, "invoke_workflow", "on_chain_end", {}],
    "on_tool_start": ["input", "execute_tool tool", "on_tool_end", "output"],
    "on_retriever_start": ["query", "retrieval", "on_retriever_end", []],
}


@pytest.mark.parametrize("serialized", [None, {}, {"name": None, "id": None}, {"id": []}, "text"])
@pytest.mark.parametrize("hook", STARTS)
def test_start_of_an_unknown_release(telemetry: RecordedSpans, caplog, hook, serialized):
    """lc#26773, ollm#1984, oinf#2426: runs with missing or odd `serialized` and unknown arguments have their spans."""
    inputs, title, end_hook, result = STARTS[hook]
    run_id = uuid4()
    handler = telemetry.new_handler()
    getattr(handler, hook)(serialized, inputs, run_id=run_id, new_in_2030=object())
    getattr(handler, end_hook)(result, run_id=run_id, new_in_2030=object())
    assert telemetry.span(title).attributes["otel_callbacks.outcome"] == "ok"
    assert handler.open_runs == 0
    assert caplog.records == []


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [({}, None), ({"done_reason": "stop"}, ("stop",)), ({"finish_reason": "tool_calls"}, ("tool_calls",))],
)
def test_tool_call_needs_no_finish_reason(telemetry: RecordedSpans, metadata, expected):
    """genai#679, genai#705: an answer with tool calls has the finish reason its provider reports, if any."""
    answer = calling("weather", city="Oslo")
    answer.response_metadata = metadata
    ScriptedChat(script=[answer]).invoke("x", {"callbacks": [telemetry.new_handler()]})
    assert telemetry.span("chat").attributes.get("gen_ai.response.finish_reasons") == expected


# Documents


class Library(BaseRetriever):
    """Finds the documents it was made with."""

    documents: list[Document]

    def _get_relevant_documents(self, query, *, run_manager):
        return self.documents


@pytest.mark.parametrize(
    "documents",
    [
        [],
        [Document("cats")],
        [Document("cats", id="a", metadata={"score": 0.9}), Document("dogs", metadata={"score": None})],
    ],
    ids=["none", "bare", "with and without score"],
)
def test_retrieval_counts_its_documents_and_invents_nothing(telemetry: RecordedSpans, documents):
    """genai#584, oinf#3421: a retrieval's span has the number of documents, and no invented score or provider."""
    Library(documents=documents).invoke("x", {"callbacks": [telemetry.new_handler()]})
    assert dict(telemetry.span("retrieval").attributes) == {
        "gen_ai.operation.name": "retrieval",
        "langchain.run.name": "Library",
        "otel_callbacks.retriever.name": "Library",
        "langchain.retriever.document_count": len(documents),
        "otel_callbacks.outcome": "ok",
    }
