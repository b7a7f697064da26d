"""The content of a run, under the convention's keys or our own; values are still unbounded and unredacted."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from otel_callbacks import semconv
from otel_callbacks._content.messages.message import answer_messages, input_messages, output_messages, prompt_messages
from otel_callbacks._content.messages.parts import content_parts
from otel_callbacks._content.messages.run_values import run_value
from otel_callbacks._content.messages.tools import (
    documents,
    output_schema,
    tool_arguments,
    tool_definitions,
    tool_result,
)
from otel_callbacks._langchain.run_start import RunStart

Content = dict[str, Any]
"""Attribute key -> value of any type, to become JSON; a text under a key of `TEXTS` stays text."""

TEXTS = frozenset({semconv.RETRIEVAL_QUERY_TEXT})
_CONVERSATIONS = frozenset({semconv.INVOKE_AGENT, semconv.INVOKE_WORKFLOW})
_INSTRUCTION_PARAMS = ("instructions", "system", "system_instruction")
"""Parameters in which providers take instructions apart from the messages."""


def input_content(operation: str, start: RunStart, max_items: int) -> Content:
    """Return the content of a run's input, of which at most `max_items` messages are read."""
    extractor = _INPUT.get(operation)
    return extractor(start, max_items) if extractor is not None else {semconv.RUN_INPUT: run_value(start.inputs)}


def late_input_content(operation: str, inputs: object, max_items: int) -> Content:
    """Return the content of a streamed step's input, which LangChain reports only when the step ends."""
    if operation in _CONVERSATIONS:
        return _conversation_input(inputs, max_items)
    return {semconv.RUN_INPUT: run_value(inputs)}


def output_content(operation: str, result: object) -> Content:
    """Return the content of a run's output."""
    extractor = _OUTPUT.get(operation)
    return extractor(result) if extractor is not None else {semconv.RUN_OUTPUT: run_value(result)}


def interrupt_content(interrupts: Sequence[Any]) -> Content:
    """Return what a graph asks a person, one value per interrupt."""
    return {semconv.GRAPH_INTERRUPT_VALUES: [run_value(getattr(entry, "value", None)) for entry in interrupts]}


def _chat_input(start: RunStart, max_items: int) -> Content:
    content: Content = {semconv.INPUT_MESSAGES: input_messages(start.inputs, max_items)}
    instructions = next((start.params[key] for key in _INSTRUCTION_PARAMS if start.params.get(key)), None)
    if instructions is not None:
        content[semconv.SYSTEM_INSTRUCTIONS] = content_parts(instructions)
    definitions = tool_definitions(start.params)
    if definitions:
        content[semconv.TOOL_DEFINITIONS] = definitions
    schema = output_schema(start.params, start.options)
    if schema:
        content[semconv.OUTPUT_SCHEMA] = schema
    return content


def _tool_input(start: RunStart, _: int) -> Content:
    inputs = start.inputs
    arguments = tool_arguments(inputs if isinstance(inputs, Mapping) else None, inputs)
    return {semconv.TOOL_CALL_ARGUMENTS: arguments}


def _conversation_input(inputs: object, max_items: int) -> Content:
    """Return messages if there are any, else the whole input: a workflow takes values of any type."""
    messages = input_messages(inputs, max_items)
    return {semconv.INPUT_MESSAGES: messages} if messages else {semconv.RUN_INPUT: run_value(inputs)}


def _model_output(result: Any) -> Content:
    generations = result.generations[0] if result.generations else ()
    messages = [message for message in output_messages(generations) if message["parts"] or "finish_reason" in message]
    return {semconv.OUTPUT_MESSAGES: messages} if messages else {}


def _conversation_output(result: object) -> Content:
    messages = answer_messages(result)
    return {semconv.OUTPUT_MESSAGES: messages} if messages else {semconv.RUN_OUTPUT: run_value(result)}


_INPUT: Mapping[str, Callable[[RunStart, int], Content]] = {
    semconv.CHAT: _chat_input,
    semconv.TEXT_COMPLETION: lambda start, _: {semconv.INPUT_MESSAGES: prompt_messages(start.inputs)},
    semconv.EXECUTE_TOOL: _tool_input,
    semconv.RETRIEVAL: lambda start, _: {semconv.RETRIEVAL_QUERY_TEXT: start.inputs},
    **dict.fromkeys(_CONVERSATIONS, lambda start, max_items: _conversation_input(start.inputs, max_items)),
}
_OUTPUT: Mapping[str, Callable[[Any], Content]] = {
    semconv.CHAT: _model_output,
    semconv.TEXT_COMPLETION: _model_output,
    semconv.EXECUTE_TOOL: lambda result: {semconv.TOOL_CALL_RESULT: tool_result(result)},
    semconv.RETRIEVAL: lambda result: {semconv.RETRIEVAL_DOCUMENTS: documents(result)},
    semconv.INVOKE_AGENT: _conversation_output,
    semconv.INVOKE_WORKFLOW: _conversation_output,
}
