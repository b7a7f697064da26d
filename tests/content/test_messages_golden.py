"""The exported content of every recorded payload matches its golden file and the conventions' schemas."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otel_callbacks._content.json import dumps
from otel_callbacks._content.messages.message import input_messages, output_messages, prompt_messages
from otel_callbacks._content.messages.run_values import run_value
from otel_callbacks._content.messages.tools import documents, tool_arguments, tool_definitions, tool_result
from tests.content.schemas import problems
from tests.replay.payload import SCENARIOS, NotLoadable, Objects, events

GOLDEN = Path(__file__).parent / "golden"
PLENTY = 1 << 20


def contents(scenario: str) -> list[dict[str, Any]]:
    """Return the content of each event of a scenario, by the names of the attributes that it becomes."""
    objects = Objects()
    result = []
    for event in events(scenario):
        args, kwargs = objects.arguments(event)
        if event.hook in _CONTENT:
            result.append({"hook": event.hook, **_CONTENT[event.hook](args, kwargs)})
    return result


_CONTENT: dict[str, Callable[[list[Any], dict[str, Any]], dict[str, Any]]] = {
    "on_chat_model_start": lambda args, kwargs: {
        "input_messages": input_messages(args[1][0]),
        "tool_definitions": tool_definitions(kwargs["invocation_params"]),
    },
    "on_llm_start": lambda args, _: {"input_messages": prompt_messages(args[1])},
    "on_llm_end": lambda args, _: {"output_messages": output_messages(args[0].generations[0])},
    "on_tool_start": lambda args, kwargs: {"tool_call_arguments": tool_arguments(kwargs.get("inputs"), args[1])},
    "on_tool_end": lambda args, _: {"tool_call_result": tool_result(args[0])},
    "on_retriever_end": lambda args, _: {"retrieval_documents": documents(args[0])},
    "on_chain_start": lambda args, _: {"input": run_value(args[1])},
    "on_chain_end": lambda args, _: {"output": run_value(args[0])},
}
"""Hook -> the content in its arguments."""


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_recorded_payload_gives_its_golden_content(scenario, request):
    """A recorded payload's messages, tool calls, documents and states are exactly those in its golden file."""
    try:
        actual = json.dumps(json.loads(dumps(contents(scenario), PLENTY)), indent=1, ensure_ascii=False) + "\n"
    except NotLoadable as reason:
        pytest.skip(str(reason))
    golden = GOLDEN / f"{scenario}.json"
    if request.config.getoption("--update-goldens"):
        golden.write_text(actual, encoding="utf-8")
    assert golden.read_text(encoding="utf-8") == actual


@pytest.mark.parametrize("max_bytes", [200, 400, 1000, PLENTY])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_recorded_payload_keeps_to_the_schemas_when_cut(scenario, max_bytes):
    """A recorded payload's content satisfies the conventions' schemas, whole or cut."""
    try:
        contents_of_events = contents(scenario)
    except NotLoadable as reason:
        pytest.skip(str(reason))
    for content in contents_of_events:
        for name, value in content.items():
            assert problems(name, json.loads(dumps(value, max_bytes))) == []


def test_every_golden_file_belongs_to_a_payload():
    """Every golden file belongs to a recorded payload, and every payload has one."""
    assert sorted(path.stem for path in GOLDEN.glob("*.json")) == SCENARIOS
