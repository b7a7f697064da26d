"""The schema that an answer has to follow, captured where definitions of tools are."""

import json

import pytest

from otel_callbacks._content.messages.tools import output_schema
from tests.support.models import ScriptedChat
from tests.support.recorded_spans import RecordedSpans

SCHEMA = {"title": "City", "type": "object", "properties": {"name": {"type": "string"}}}
KEY = "langchain.output_schema"


@pytest.mark.parametrize(
    ("params", "options"),
    [
        ({}, {"ls_structured_output_format": {"kwargs": {"method": "json_schema"}, "schema": SCHEMA}}),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "City", "schema": SCHEMA}}}, {}),
        ({"format": SCHEMA}, {}),
        ({"response_format": object, "format": "json"}, {"ls_structured_output_format": {"schema": SCHEMA}}),
    ],
    ids=["LangChain's note", "OpenAI", "Ollama", "several"],
)
def test_schema_is_found_in_every_form(params, options):
    """The schema is the same whether LangChain notes it or only the request of OpenAI or Ollama has it."""
    assert output_schema(params, options) == SCHEMA


@pytest.mark.parametrize("params", [{}, {"response_format": {"type": "json_object"}}, {"format": "json"}])
def test_answers_without_a_schema_have_none(params):
    """An answer in free JSON has no schema."""
    assert output_schema(params, {}) == {}


@pytest.mark.parametrize("capture", ["no_content", "span_only"])
def test_schema_is_content(telemetry: RecordedSpans, capture):
    """The schema of `with_structured_output` is on the span where content is captured, as definitions of tools are."""
    model = ScriptedChat(script=["{}"]).bind(ls_structured_output_format={"kwargs": {}, "schema": SCHEMA})
    model.invoke("x", {"callbacks": [telemetry.new_handler(capture=capture)]})
    captured = telemetry.span("chat").attributes.get(KEY)
    assert (json.loads(captured) if captured else None) == (SCHEMA if capture == "span_only" else None)
