"""Names, tags, descriptions and ids always leave, but never with a secret in them."""

import re
import uuid
from typing import Any

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.language_models import FakeListLLM
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.graph import START, StateGraph

from otel_callbacks import Config, trace_embeddings
from otel_callbacks._content import identities
from otel_callbacks._content.identities import Identities
from otel_callbacks._content.redaction import redactor_for
from tests.content.test_what_leaves import INPUTS, alone, finish, happen, leaves, places, start
from tests.support.models import ScriptedChat, calling
from tests.support.programs import State, create_agent, needs_create_agent
from tests.support.recorded_spans import RecordedSpans

SECRET = "sk-" + "a1B2" * 8
PLAIN = "kept"


def exported(telemetry: RecordedSpans) -> str:
    """Return everything that left, as one text."""
    return "\n".join(f"{where} {what}" for where, what in leaves(telemetry))


def test_no_input_that_leaves_carries_a_secret(telemetry: RecordedSpans):
    """A token in any input, names and ids included, is in no name, attribute, event or label."""
    for kind, inputs in INPUTS.items():
        for path in places(inputs):
            given, run_id = alone(inputs, path, SECRET), uuid.uuid4()
            start(telemetry.handler, kind, given, run_id=run_id)
            happen(telemetry.handler, given.get("events", {}), run_id)
            finish(telemetry.handler, kind, given, run_id)
    text = exported(telemetry)
    assert SECRET not in text
    assert text.count("[REDACTED:openai_key]") > 100


@needs_create_agent
def test_names_of_a_real_agent(telemetry: RecordedSpans):
    """An agent, its tool, their spans, the runs below and their measurements have names without secrets."""
    look = tool(f"look_{PLAIN}", description=f"uses {SECRET}")(lambda city: city)
    script = [calling(look.name, city="x"), "done"]
    program = create_agent(ScriptedChat(script=script), [look], name=f"{PLAIN} {SECRET}")
    program.invoke(
        {"messages": [("user", "q")]}, {"callbacks": [telemetry.handler], "tags": [f"t {SECRET}", f"{PLAIN}-tag"]}
    )
    text = exported(telemetry)
    assert SECRET not in text
    assert telemetry.span(f"invoke_agent {PLAIN} [REDACTED:openai_key]")
    assert telemetry.span(f"execute_tool look_{PLAIN}").attributes["gen_ai.agent.name"].startswith(PLAIN)
    assert f"{PLAIN}-tag" in text
    assert telemetry.count("gen_ai.invoke_agent.duration", gen_ai__agent__name=f"{PLAIN} [REDACTED:openai_key]") == 1


def test_names_of_a_graph_that_is_recognised_late(telemetry: RecordedSpans):
    """A chain that turns out to be a graph gets its new name without secrets as well."""
    program = StateGraph(State).add_node("work", lambda _: {"seen": []}).add_edge(START, "work").compile(name=SECRET)
    (RunnableLambda(lambda state: state) | program).invoke({"seen": []}, {"callbacks": [telemetry.handler]})
    assert SECRET not in exported(telemetry)
    assert telemetry.span("graph [REDACTED:openai_key]")


def test_models_of_embeddings(telemetry: RecordedSpans):
    """The model of `trace_embeddings` is searched like any other name."""

    class Named(DeterministicFakeEmbedding):
        model: str = SECRET

    traced = trace_embeddings(
        Named(size=2), tracer_provider=telemetry.tracer_provider, meter_provider=telemetry.meter_provider
    )
    traced.embed_query("x")
    assert telemetry.spans
    assert SECRET not in exported(telemetry)


def test_own_patterns_apply_and_own_functions_do_not(telemetry: RecordedSpans):
    """Functions may take long or fail, which would cost every name; patterns and rules for personal data apply."""
    seen: list[str] = []
    rules: tuple[Any, ...] = ("email", re.compile("ACME"), lambda text: seen.append(text) or text)
    handler = telemetry.new_handler(Config(redact=rules))
    call = {"callbacks": [handler], "run_name": "ACME", "tags": ["ann@example.com"]}
    RunnableLambda(lambda x: x).invoke(1, call)
    assert telemetry.spans[0].name == "invoke_workflow [REDACTED:custom]"
    assert telemetry.spans[0].attributes["langchain.tags"] == ("[REDACTED:email]",)
    assert seen == []


def test_ids_are_left_alone(telemetry: RecordedSpans):
    """An id that looks like a card, an address or an assignment stays: other data has the same id."""
    ids = ("4111111111111111", "password=hunter2hunter2", "call_" + "a1B2" * 6, "10.1.2.3", f"call_{SECRET}")
    for one in ids:
        run_id = uuid.uuid4()
        telemetry.handler.on_tool_start({"name": "t"}, "x", run_id=run_id, tool_call_id=one)
        telemetry.handler.on_tool_end("x", run_id=run_id)
    assert [span.attributes["gen_ai.tool.call.id"] for span in telemetry.spans] == list(ids)


class Counting:
    """A redactor that counts what it is given."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._redactor = redactor_for(())

    def redact_text(self, text: str) -> str:
        self.texts.append(text)
        return self._redactor.redact_text(text)


def test_each_text_is_searched_once():
    """Names come again in every run; each is searched the first time only, and plain words never."""
    redactor = Counting()
    names = Identities(lambda: redactor)  # type: ignore[arg-type,return-value]
    for _ in range(3):
        for text in ("support_agent", "gpt-4o-mini", "a longer name 1234", f"with {SECRET}"):
            names.text(text)
    assert redactor.texts == ["a longer name 1234", f"with {SECRET}"]


@pytest.mark.parametrize("what", ["clean", "marked", "plans"])
def test_made_up_names_do_not_fill_memory(telemetry: RecordedSpans, monkeypatch, what):
    """However many names a program makes up, a bounded number is remembered, and all are searched."""
    monkeypatch.setattr(identities, "_MOST", 10)
    for number in range(100):
        model = FakeListLLM(responses=["x"]).with_config(run_name=f"run {number}", tags=[f"tag {number} {SECRET}"])
        (RunnableLambda(lambda x: x) | model).invoke("x", {"callbacks": [telemetry.handler], "run_name": f"r {number}"})
    remembered = getattr(telemetry.handler._recorder._owner.identities, f"_{what}")
    assert 0 < len(remembered) <= 10
    assert SECRET not in exported(telemetry)
