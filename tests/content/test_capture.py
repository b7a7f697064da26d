"""Where content goes, what decides it, and what it looks like there."""

import asyncio
import json
import logging
import re
from typing import Any

import pytest
from langchain_core.callbacks import dispatch_custom_event
from langchain_core.documents import Document
from langchain_core.language_models import FakeListLLM
from langchain_core.messages import AIMessageChunk
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda, RunnablePassthrough
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from otel_callbacks import Config, OTelCallbackHandler, capture
from otel_callbacks._content.redaction import PII_RULES
from otel_callbacks.config import PERSONAL_RULES
from tests.support.models import ScriptedChat, calling
from tests.support.programs import State, create_agent, graph, needs_agent_marks, weather
from tests.support.recorded_spans import RecordedSpans

VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
SECRET = "sk-ant-abcdefghijklmnopqrstuvwxyz012345"
QUESTION = [{"role": "user", "parts": [{"type": "text", "content": "why?"}]}]
ANSWER = [{"role": "assistant", "parts": [{"type": "text", "content": "because"}]}]


def ask(handler: OTelCallbackHandler, question: str = "why?", **config: Any) -> None:
    """Call a model once."""
    ScriptedChat(script=["because"]).invoke(question, {"callbacks": [handler], **config})


def on_spans(telemetry: RecordedSpans) -> bool:
    """Tell whether any span has messages."""
    return any("gen_ai.input.messages" in (span.attributes or {}) for span in telemetry.spans)


def counted(telemetry: RecordedSpans, metric: str) -> dict[str, float]:
    """Return a counter's values by its only label."""
    return {value: point.value for point in telemetry.points(metric) for value in point.attributes.values()}


def read(telemetry: RecordedSpans, span: str, key: str) -> Any:
    """Return a captured value, parsed."""
    return json.loads(telemetry.span(span).attributes[key])


class Shelf(BaseRetriever):
    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        return [Document("text", metadata={"page": 3})]


# Where it goes


@pytest.mark.parametrize(
    ("where", "span", "event"),
    [
        ("no_content", False, False),
        ("span_only", True, False),
        ("event_only", False, True),
        ("span_and_event", True, True),
    ],
)
def test_content_goes_where_configured(telemetry: RecordedSpans, where, span, event):
    """Content goes to spans, to log events, to both or nowhere, as `capture` says."""
    ask(telemetry.new_handler(capture=where))
    assert on_spans(telemetry) is span
    assert len(telemetry.logs) == event


def test_nothing_is_captured_by_default(telemetry: RecordedSpans):
    """A handler without configuration keeps all content back."""
    ask(telemetry.new_handler())
    assert not on_spans(telemetry)
    assert telemetry.logs == ()


def test_event_of_a_model_call_is_structured_and_names_its_span(telemetry: RecordedSpans):
    """`gen_ai.client.inference.operation.details` has the span's ids, its attributes, and messages as structures."""
    ask(telemetry.new_handler(capture="span_and_event"))
    [record] = telemetry.logs
    span = telemetry.span("chat")
    assert record.event_name == "gen_ai.client.inference.operation.details"
    assert (record.trace_id, record.span_id) == (span.context.trace_id, span.context.span_id)
    assert record.attributes["gen_ai.operation.name"] == "chat"
    assert json.loads(json.dumps(record.attributes["gen_ai.input.messages"])) == QUESTION
    assert json.loads(json.dumps(record.attributes["gen_ai.output.messages"])) == ANSWER
    assert not [key for key in record.attributes if key.startswith(("langchain.", "otel_callbacks."))]


def test_failed_call_has_its_event_without_an_answer(telemetry: RecordedSpans):
    """The event of a failed call has the input and the error's type, and no invented output."""
    with pytest.raises(ValueError, match="broken"):
        ScriptedChat(script=[ValueError("broken")]).invoke(
            "why?", {"callbacks": [telemetry.new_handler(capture="event_only")]}
        )
    [record] = telemetry.logs
    assert record.attributes["error.type"] == "ValueError"
    assert "gen_ai.output.messages" not in record.attributes
    assert "broken" not in repr(telemetry.span("chat").events)


@pytest.mark.parametrize(
    ("own", "standard", "expected"),
    [
        (None, "SPAN_ONLY", "span_only"),
        (None, "Event_Only", "event_only"),
        ("no_content", "SPAN_AND_EVENT", "no_content"),
        ("span_only", "no_content", "span_only"),
    ],
)
def test_environment_chooses(monkeypatch, own, standard, expected):
    """The standard variable counts, in upper or lower case; our own takes precedence."""
    monkeypatch.setenv(VARIABLE, standard)
    if own is not None:
        monkeypatch.setenv("OTEL_CALLBACKS_CAPTURE", own)
    assert Config.from_env().capture == expected


@pytest.mark.parametrize("variable", [VARIABLE, "OTEL_CALLBACKS_CAPTURE"])
def test_wrong_value_in_the_environment_captures_nothing(monkeypatch, caplog, variable):
    """An invalid value lets nothing leave, whatever the other variable says; the warning lists the valid values."""
    monkeypatch.setenv(VARIABLE, "span_only")
    monkeypatch.setenv(variable, "true")
    with caplog.at_level(logging.WARNING, "otel_callbacks"):
        assert Config.from_env().capture == "no_content"
    [record] = caplog.records
    assert variable in record.message
    assert "no_content, span_only, event_only, span_and_event" in record.message


def test_wrong_value_in_code_is_an_error():
    """An invalid value in code is an error at set-up time."""
    with pytest.raises(ValueError, match="no_content, span_only"), capture("all"):  # type: ignore[arg-type]
        pass
    with pytest.raises(ValueError, match="span_and_event"):
        Config(capture="all")  # type: ignore[arg-type]


# What decides


def test_block_switches_capture_for_what_runs_inside(telemetry: RecordedSpans):
    """A block turns capture on or off against the configuration, and only inside it."""
    off, on = telemetry.new_handler(), telemetry.new_handler(capture="span_only")
    with capture("span_only"):
        ask(off)
    with capture("no_content"):
        ask(on)
    ask(off)
    assert ["gen_ai.input.messages" in span.attributes for span in telemetry.spans] == [True, False, False]


async def test_block_holds_in_tasks_and_threads(telemetry: RecordedSpans):
    """LangChain's own tasks and threads inherit the block; a concurrent task does not."""
    chain = RunnablePassthrough.assign(a=lambda _: ScriptedChat(script=["because"]).invoke("why?"))
    config = {"callbacks": [telemetry.new_handler()]}

    async def inside() -> None:
        with capture("span_only"):
            await asyncio.to_thread(chain.batch, [{}, {}], config)
            await chain.ainvoke({}, config)

    await asyncio.gather(inside(), ScriptedChat(script=["no"]).ainvoke("beside", config))
    texts = [span.attributes.get("gen_ai.input.messages") for span in telemetry.spans if span.name == "chat"]
    assert len(texts) == 4
    assert sum(text is None for text in texts) == 1


def test_each_run_can_be_decided_on(telemetry: RecordedSpans):
    """`capture_when` gets name, type, tags and metadata, and can keep single runs back."""
    handler = telemetry.new_handler(capture="span_only", capture_when=lambda info: "private" not in info.tags)
    ask(handler, tags=["private"])
    ask(handler)
    assert ["gen_ai.input.messages" in span.attributes for span in telemetry.spans] == [False, True]


def test_decision_that_fails_captures_nothing(telemetry: RecordedSpans):
    """A `capture_when` that raises is counted, and captures nothing."""
    ask(telemetry.new_handler(capture="span_only", capture_when=lambda info: info.metadata["missing"]))
    assert not on_spans(telemetry)
    assert counted(telemetry, "otel_callbacks.errors") == {"capture_when": 1}


def test_unsampled_runs_do_no_content_work(monkeypatch):
    """Content is read only for spans that are recorded."""
    telemetry = RecordedSpans(sampler=ALWAYS_OFF)
    texts: list[str] = []
    ask(telemetry.new_handler(capture="span_and_event", redact=(lambda text: texts.append(text) or text,)))
    assert texts == []
    assert telemetry.logs == ()


# What it is


@needs_agent_marks
def test_agent_has_its_conversation_on_every_level(telemetry: RecordedSpans):
    """Agents and models have messages, tools their arguments and result, nodes their input and output."""
    program = create_agent(ScriptedChat(script=[calling("weather", city="Oslo"), "because"]), [weather], name="helper")
    program.invoke({"messages": [("user", "why?")]}, {"callbacks": [telemetry.new_handler(capture="span_only")]})
    assert read(telemetry, "invoke_agent helper", "gen_ai.input.messages") == QUESTION
    assert read(telemetry, "invoke_agent helper", "gen_ai.output.messages") == [{**ANSWER[0], "name": "helper"}]
    assert read(telemetry, "execute_tool weather", "gen_ai.tool.call.arguments") == {"city": "Oslo"}
    assert read(telemetry, "execute_tool weather", "gen_ai.tool.call.result") == "sunny in Oslo"
    assert read(telemetry, "node tools", "langchain.run.input")[0]["args"] == {"city": "Oslo"}
    assert read(telemetry, "node tools", "langchain.run.output")["messages"][0]["role"] == "tool"


def test_text_model_retriever_and_workflow(telemetry: RecordedSpans):
    """Prompts become a user's messages, a query stays text, documents are listed, other values use our own keys."""
    handler = telemetry.new_handler(capture="span_only")
    model = FakeListLLM(responses=["because"])
    chain = RunnableLambda(
        lambda inputs: {"found": Shelf().invoke(inputs["q"]), "said": model.invoke("why?")}, name="do"
    )
    chain.invoke({"q": "where?"}, {"callbacks": [handler]})
    assert read(telemetry, "text_completion", "gen_ai.input.messages") == QUESTION
    assert read(telemetry, "text_completion", "gen_ai.output.messages") == ANSWER
    assert telemetry.span("retrieval").attributes["gen_ai.retrieval.query.text"] == "where?"
    assert read(telemetry, "retrieval", "gen_ai.retrieval.documents") == [{"content": "text", "metadata": {"page": 3}}]
    assert read(telemetry, "invoke_workflow do", "langchain.run.input") == {"q": "where?"}
    assert read(telemetry, "invoke_workflow do", "langchain.run.output")["said"] == "because"


def test_step_of_a_stream_has_its_late_input(telemetry: RecordedSpans):
    """A streamed step has its input, which LangChain reports only when the step ends."""
    chain = RunnableLambda(lambda text: text + "?", name="ask") | RunnableLambda(lambda text: text * 2, name="twice")
    list(chain.stream("why", {"callbacks": [telemetry.new_handler(capture="span_only")]}))
    assert read(telemetry, "chain twice", "langchain.run.input") == "why?"
    assert read(telemetry, "chain twice", "langchain.run.output") == "why?why?"


def test_broken_off_stream_keeps_the_partial_answer(telemetry: RecordedSpans):
    """The partial answer that LangChain reports with the error is the output."""
    stream = ScriptedChat(script=[[AIMessageChunk("one "), AIMessageChunk("three")]]).stream(
        "why?", {"callbacks": [telemetry.new_handler(capture="span_only")]}
    )
    next(stream)
    stream.close()
    [message] = read(telemetry, "chat", "gen_ai.output.messages")
    assert message["parts"][0]["content"]
    assert "three" not in message["parts"][0]["content"]


def test_exception_messages_and_custom_events(telemetry: RecordedSpans):
    """Exception messages and custom event data are on the span's events when captured, without secrets."""

    def fail(_: Any) -> None:
        dispatch_custom_event("tick", {"at": 1})
        raise ValueError(f"refused {SECRET}")

    with pytest.raises(ValueError, match="refused"):
        RunnableLambda(fail, name="f").invoke("x", {"callbacks": [telemetry.new_handler(capture="span_only")]})
    custom, exception = telemetry.span("invoke_workflow f").events
    assert json.loads(custom.attributes["langchain.custom_event.data"]) == {"at": 1}
    assert exception.attributes["exception.message"] == "refused [REDACTED:anthropic_key]"


def test_interrupt_shows_what_it_asks(telemetry: RecordedSpans):
    """The value shown to a person is on the node that waits."""
    builder = StateGraph(State).add_node("ask", lambda _: {"seen": [interrupt({"question": "refund?"})]})
    program = builder.add_edge(START, "ask").compile(checkpointer=InMemorySaver(), name="approval")
    config = {"callbacks": [telemetry.new_handler(capture="span_only")], "configurable": {"thread_id": "1"}}
    program.invoke({"seen": []}, config)
    assert read(telemetry, "node ask", "langgraph.interrupt.values") == [{"question": "refund?"}]


# Bounds


def test_sdks_own_length_limit_leaves_valid_json():
    """A value that the SDK would cut is fitted into the SDK's limit instead, even the first one."""
    telemetry = RecordedSpans()
    provider = TracerProvider(span_limits=SpanLimits(max_span_attribute_length=200), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(telemetry.exporter))
    handler = OTelCallbackHandler(tracer_provider=provider, config=Config(capture="span_only"))
    for _ in range(2):
        ask(handler, "why " * 500)
    for span in telemetry.spans:
        text = span.attributes["gen_ai.input.messages"]
        assert len(text) <= 200
        assert json.loads(text)[0]["role"] == "user"


def test_long_value_keeps_to_the_bound(telemetry: RecordedSpans):
    """No value exceeds `max_content_bytes`."""
    ask(telemetry.new_handler(capture="span_only", max_content_bytes=1000), "why? " * 100_000)
    text = telemetry.span("chat").attributes["gen_ai.input.messages"]
    assert len(text.encode()) <= 1000
    assert re.search(r"500,?000|500003", text) or "500" in text
    assert json.loads(text)[0]["role"] == "user"


# Redaction


def test_secrets_are_removed_and_counted(telemetry: RecordedSpans):
    """Built-in rules, custom patterns and callables, and optional rules apply, each counted under its name."""
    own = (re.compile(r"ACME-\d+"), lambda text: text.replace("Rumpelstiltskin", "?"), "email")
    ask(telemetry.new_handler(capture="span_only", redact=own), f"{SECRET} ACME-77 Rumpelstiltskin a@example.com")
    text = telemetry.span("chat").attributes["gen_ai.input.messages"]
    assert not [word for word in (SECRET, "ACME-77", "Rumpelstiltskin", "a@example.com") if word in text]
    assert counted(telemetry, "otel_callbacks.redactions") == {"anthropic_key": 1, "custom": 2, "email": 1}


class People:
    """A stand-in for a recogniser such as Presidio, which finds positions in a text."""

    def analyze(self, text: str) -> list[tuple[int, int]]:
        """Return the begin and end of each name."""
        return [match.span() for match in re.finditer("Ada|Grace", text)]


def test_recogniser_of_people_runs_as_a_redactor(telemetry: RecordedSpans):
    """The privacy page's recipe works: analyse, then replace; with a stand-in for the recogniser."""
    people = People()

    def without_people(text: str) -> str:
        for begin, end in reversed(people.analyze(text)):
            text = f"{text[:begin]}<PERSON>{text[end:]}"
        return text

    ask(telemetry.new_handler(capture="span_only", redact=(without_people,)), "Ada met Grace")
    assert "<PERSON> met <PERSON>" in telemetry.span("chat").attributes["gen_ai.input.messages"]


def test_redactor_that_fails_drops_the_value_and_not_the_span(telemetry: RecordedSpans):
    """A failing redactor drops the value, keeps the span, and is counted."""
    ask(telemetry.new_handler(capture="span_only", redact=(lambda text: text["x"],)))  # type: ignore[index]
    assert "why?" not in telemetry.span("chat").attributes["gen_ai.input.messages"]
    assert counted(telemetry, "otel_callbacks.redactions")["failed"] > 0


@pytest.mark.parametrize("where", ["no_content", "span_only"])
def test_secrets_in_metadata_never_leave(telemetry: RecordedSpans, where):
    """Exported metadata loses its secrets, recognised by shape or key, even where nothing is captured."""
    keys = ("tenant", "note", "api_key", "level")
    metadata = {"tenant": "acme", "note": f"use {SECRET}", "api_key": "hunter2", "level": 3}
    ask(telemetry.new_handler(capture=where, metadata_keys=keys), metadata=metadata)
    attributes = telemetry.span("chat").attributes
    output = {key: attributes[f"langchain.metadata.{key}"] for key in keys}
    assert output == {
        "tenant": "acme",
        "note": "use [REDACTED:anthropic_key]",
        "api_key": "[REDACTED:api_key]",
        "level": 3,
    }


def test_token_in_place_of_a_conversation_never_leaves(telemetry: RecordedSpans):
    """A session id that is a secret is redacted, even where nothing is captured; other ids stay."""
    for session in (SECRET, "0f8fad5b-d9cb-469f-a165-70867728950e", "customer-4711/first talk", "7"):
        ask(telemetry.new_handler(), metadata={"session_id": session})
    ids = [span.attributes["gen_ai.conversation.id"] for span in telemetry.spans]
    assert ids == [
        "[REDACTED:anthropic_key]",
        "0f8fad5b-d9cb-469f-a165-70867728950e",
        "customer-4711/first talk",
        "7",
    ]


@pytest.mark.parametrize(
    ("redact", "good"),
    [
        ("email", "a sequence"),
        ((3,), "regular expressions and callables"),
        ((re.compile(b"x"),), "regular expressions and callables"),
        ((r"ACME-\d+",), "a pattern must be compiled with re.compile"),
        (("email", "phones"), "did you mean 'phone'.*email, phone, ip_address, iban, us_ssn"),
        (("emails",), "did you mean 'email'"),
        (("Email",), "did you mean 'email'"),
        (("e-mail",), "did you mean 'email'"),
        (("ip",), "did you mean 'ip_address'"),
        (("SSN",), "did you mean 'us_ssn'"),
        (("postcode",), "'postcode': must be one of"),
        (("",), "'': must be one of"),
    ],
)
def test_wrong_redactors_are_refused_at_set_up_time(redact, good):
    """An invalid redactor is an error in code, and a text that names no rule is invalid."""
    with pytest.raises(ValueError, match=good):
        Config(redact=redact)


def test_personal_rules_can_be_chosen_by_the_environment(monkeypatch, caplog):
    """The environment may name personal rules, in any case."""
    monkeypatch.setenv("OTEL_CALLBACKS_REDACT", "email, Phone")
    assert Config.from_env().redact == ("email", "phone")
    assert not caplog.records


def test_mistyped_rule_in_the_environment_leaves_the_others_in_force(monkeypatch, caplog):
    """Each name that is no rule costs one warning; the other rules apply."""
    monkeypatch.setenv("OTEL_CALLBACKS_REDACT", "emails, phone, ip, iban")
    assert Config.from_env().redact == ("phone", "iban")
    choices = "email, phone, ip_address, iban, us_ssn"
    assert [record.getMessage().split(";")[0] for record in caplog.records] == [
        f"OTEL_CALLBACKS_REDACT: redact='emails': did you mean 'email'? must be one of {choices}",
        f"OTEL_CALLBACKS_REDACT: redact='ip': did you mean 'ip_address'? must be one of {choices}",
    ]


def test_configuration_knows_the_rules_for_personal_data():
    """The names that configuration accepts are the rules' own."""
    assert tuple(rule.name for rule in PII_RULES) == PERSONAL_RULES


def test_configuration_that_loses_its_redactor_captures_nothing():
    """A pickled handler loses its callables, so it captures nothing: they may have kept content back."""
    config = Config(capture="span_only", redact=("email", str.upper))
    assert config.without_callables() == Config(redact=("email",))


def test_graph_steps_have_their_state(telemetry: RecordedSpans):
    """A node shows its input state and the update it returned."""
    graph("g", look=lambda state: {"seen": [2]}).invoke(
        {"seen": [1]}, {"callbacks": [telemetry.new_handler(capture="span_only")]}
    )
    assert read(telemetry, "node look", "langchain.run.input") == {"seen": [1]}
    assert read(telemetry, "node look", "langchain.run.output") == {"seen": [2]}


def test_tool_that_answers_with_an_object(telemetry: RecordedSpans):
    """A tool's result that is an object stays an object."""

    @tool
    def look(city: str) -> dict[str, int]:
        """Look."""
        return {"degrees": len(city)}

    look.invoke({"city": "Oslo"}, {"callbacks": [telemetry.new_handler(capture="span_only")]})
    assert read(telemetry, "execute_tool look", "gen_ai.tool.call.result") == {"degrees": 4}
