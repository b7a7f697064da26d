"""Failures that users of other tracers reported about content: its size, its form and secrets in it."""

import base64
import dataclasses
import datetime as dt
import enum
import json
import logging
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langgraph.errors import ParentCommand
from langgraph.types import Command, Send
from pydantic import BaseModel

from tests.semconv.otlp import documents
from tests.support.models import ScriptedChat
from tests.support.recorded_spans import RecordedSpans

PICTURE = base64.b64encode(bytes(range(256)) * 4000).decode()
LIMIT_OF_COLLECTORS = 4 * 1024 * 1024


def sizes(telemetry: RecordedSpans) -> list[int]:
    """Return the length of each exported span as OTLP/JSON."""
    [spans, *_] = documents(telemetry)
    return [len(json.dumps(span)) for r in spans["resourceSpans"] for s in r["scopeSpans"] for span in s["spans"]]


@pytest.mark.parametrize("kind", ["chain", "chat", "tool", "retriever"])
def test_large_state_makes_a_small_span(telemetry: RecordedSpans, kind):
    """aihub-core#1795, beeai-framework#1030: 20 MB of state and 6 MB of base64 stay far below a collector's limit."""
    handler, ids = telemetry.new_handler(capture="span_only"), {"run_id": uuid4()}
    text, picture = "lorem ipsum " * 1_700_000, {"type": "image", "base64": PICTURE * 5, "mime_type": "image/png"}
    message = HumanMessage([{"type": "text", "text": text}, picture])
    if kind == "chain":
        handler.on_chain_start({}, {"messages": [message] * 50, "text": text}, **ids)
        handler.on_chain_end({"messages": [message] * 50, "text": text}, **ids)
    elif kind == "chat":
        handler.on_chat_model_start({}, [[message] * 50], **ids)
        handler.on_llm_error(ValueError(text), **ids)
    elif kind == "tool":
        handler.on_tool_start({"name": "look"}, text, inputs={"a": text, "b": picture}, **ids)
        handler.on_tool_end(text, **ids)
    else:
        handler.on_retriever_start({}, text, **ids)
        handler.on_retriever_end([Document(text)] * 100, **ids)
    assert max(sizes(telemetry)) < LIMIT_OF_COLLECTORS / 10
    for key, value in telemetry.spans[0].attributes.items():
        if key.startswith(("gen_ai.input", "gen_ai.tool.call.", "gen_ai.retrieval.doc", "langchain.run.in")):
            json.loads(value)


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}},
        {"type": "image", "base64": PICTURE, "mime_type": "image/png"},
        {"type": "input_audio", "input_audio": {"data": PICTURE, "format": "wav"}},
        {"type": "audio", "base64": PICTURE, "mime_type": "audio/wav"},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PICTURE}"}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PICTURE}},
        {"type": "file", "base64": PICTURE, "mime_type": "application/pdf"},
    ],
    ids=["openai image", "anthropic image", "image", "openai audio", "audio", "openai file", "anthropic file", "file"],
)
def test_binary_data_is_described_and_not_sent(telemetry: RecordedSpans, block):
    """jui#4191: images, audio and files in any provider's form are exported as kind, type and size, without data."""
    model = ScriptedChat(script=["nice"])
    model.invoke([HumanMessage([block])], {"callbacks": [telemetry.new_handler(capture="span_only")]})
    text = telemetry.span("chat").attributes["gen_ai.input.messages"]
    [part] = json.loads(text)[0]["parts"]
    assert PICTURE[:40] not in text
    assert part["modality"] in {"image", "audio", "document"}
    assert part["mime_type"]
    assert str(len(PICTURE) * 3 // 4)[:4] in text


class Person(BaseModel):
    name: str = "Ada"


@dataclasses.dataclass
class Point:
    x: int = 1


class Colour(enum.Enum):
    RED = "red"


RING: dict[str, Any] = {"a": 1}
RING["self"] = RING
ODD = {
    "pydantic model": Person(),
    "pydantic class": Person,
    "dataclass": Point(),
    "datetime": dt.datetime(2024, 1, 2, tzinfo=dt.timezone.utc),
    "bytes": b"\xff\x00",
    "set": {1, 2},
    "enum": Colour.RED,
    "cycle": RING,
    "keys": {1: "a", None: "b", (1, 2): "c"},
    "nan": float("nan"),
}


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
def test_odd_values_are_valid_json_and_nothing_is_logged(telemetry: RecordedSpans, caplog, value):
    """ollm#2062, weave#4639: arguments and results of any kind become valid JSON without `repr` texts or a log."""
    run_id = uuid4()
    handler = telemetry.new_handler(capture="span_only")
    with caplog.at_level(logging.DEBUG):
        handler.on_tool_start({"name": "direct"}, "x", inputs={"value": value}, run_id=run_id)
        handler.on_tool_end({"value": value}, run_id=run_id)
    attributes = telemetry.span("execute_tool direct").attributes
    json.loads(attributes["gen_ai.tool.call.arguments"], parse_constant=pytest.fail)
    json.loads(attributes["gen_ai.tool.call.result"], parse_constant=pytest.fail)
    assert " object at 0x" not in attributes["gen_ai.tool.call.arguments"]
    assert [record for record in caplog.records if record.name.startswith(("opentelemetry", "otel_callbacks"))] == []


@pytest.mark.parametrize("value", [None, {"a": 1}, [1, "a", None], object()], ids=["none", "dict", "list", "object"])
def test_metadata_that_cannot_be_an_attribute_is_left_out(telemetry: RecordedSpans, caplog, value):
    """lf-py#1680, adk-python#4083: metadata that OpenTelemetry cannot hold is left out, and it logs nothing."""
    with caplog.at_level(logging.DEBUG):
        ScriptedChat(script=["hi"]).invoke(
            "x", {"callbacks": [telemetry.new_handler(metadata_keys=("odd",))], "metadata": {"odd": value}}
        )
    assert "langchain.metadata.odd" not in telemetry.span("chat").attributes
    assert [record for record in caplog.records if record.name.startswith("opentelemetry")] == []


@pytest.mark.parametrize("capture", ["no_content", "span_and_event"])
def test_secrets_in_metadata_and_parameters_never_leave(telemetry: RecordedSpans, capture):
    """lg#6047, lc#32184: values under keys of secrets are never exported, not even those that the options name."""
    keys = ("api_key", "authorization", "x-token", "password")
    secrets = {key: f"hush-{key}-hush" for key in keys}
    handler, run_id = telemetry.new_handler(capture=capture, metadata_keys=keys), uuid4()
    handler.on_chat_model_start(
        {"kwargs": secrets},
        [[HumanMessage("hi")]],
        run_id=run_id,
        metadata=secrets,
        invocation_params={**secrets, "model": "m", "extra_headers": secrets, "tools": [{"type": "mcp", **secrets}]},
        options=secrets,
    )
    handler.on_llm_error(ValueError("no"), run_id=run_id)
    exported = repr(list(documents(telemetry)))
    assert "hush" not in exported
    assert telemetry.span("chat m").attributes["langchain.metadata.password"] == "[REDACTED:password]"


def test_identities_of_any_size_make_a_small_span(telemetry: RecordedSpans):
    """Tags, stop sequences, names, descriptions and exported metadata are bounded in length and number."""
    long, many = "x" * 5_000_000, [f"{number}-{'y' * 5000}" for number in range(5000)]
    handler = telemetry.new_handler(metadata_keys=("note",))
    for kind in ("chat_model", "tool"):
        run_id = uuid4()
        start = getattr(handler, f"on_{kind}_start")
        more = {"invocation_params": {"stop": many}, "inputs": {}, "tool_call_id": long}
        start({"name": long, "description": long}, "x", run_id=run_id, tags=many, metadata={"note": long}, **more)
        getattr(handler, "on_tool_end" if kind == "tool" else "on_llm_end")("x", run_id=run_id)
    assert max(sizes(telemetry)) < LIMIT_OF_COLLECTORS / 10


def test_names_from_providers_and_graphs_make_a_small_span(telemetry: RecordedSpans):
    """Models, ids, providers, conversations, targets of a wide fan-out and ids of many interrupts are bounded."""
    long = "x" * 100_000
    model, graph, handler = uuid4(), uuid4(), telemetry.new_handler()
    words = dict.fromkeys(("model", "previous_response_id", "reasoning_effort", "service_tier"), long)
    response = dict.fromkeys(("id", "model_name", "finish_reason", "system_fingerprint", "service_tier"), long)
    handler.on_chat_model_start(
        {"kwargs": {"base_url": f"https://{long}.example.com"}},
        [[HumanMessage("x")]],
        run_id=model,
        invocation_params=words,
        metadata={"ls_provider": long, "thread_id": long},
    )
    handler.on_custom_event(long, None, run_id=model)
    answer = ChatGeneration(message=AIMessage("x", response_metadata=response))
    handler.on_llm_end(LLMResult(generations=[[answer]]), run_id=model)
    handler.on_chain_start({}, {}, run_id=graph, name="graph")
    interrupts = [SimpleNamespace(id=f"{number}-{long}", value=1) for number in range(1000)]
    handler.on_interrupt(SimpleNamespace(run_id=graph, interrupts=interrupts, checkpoint_id=long))
    handler.on_chain_error(ParentCommand(Command(goto=[Send(long, 1)] * 1000)), run_id=graph)
    assert max(sizes(telemetry)) < LIMIT_OF_COLLECTORS / 10


def test_secret_at_the_end_of_shortened_metadata_does_not_leave(telemetry: RecordedSpans):
    """lc#32184: secrets are removed before a value is shortened, so that no part of one remains."""
    secret = "sk-" + "ant-" + "a1b2c3d4" * 8
    for length in range(1000, 1030, 3):
        note = {"note": f"{'word ' * 300}"[:length] + secret + " end" * 300}
        run_id = uuid4()
        handler = telemetry.new_handler(metadata_keys=("note",))
        handler.on_chain_start({}, {}, run_id=run_id, metadata=note)
        handler.on_chain_end({}, run_id=run_id)
    assert "a1b2" not in repr(list(documents(telemetry)))
