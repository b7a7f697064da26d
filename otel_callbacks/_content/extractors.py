"""Which content a run has, under the conventions' keys or our own; values still unbounded and unredacted."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from otel_callbacks import semconv
from otel_callbacks._content.messages.message import answer_messages, input_messages, output_messages, prompt_messages
from otel_callbacks._content.messages.parts import content_parts
from otel_callbacks._content.messages.run_values import run_value
from otel_callbacks._content.messages.tools import documents, tool_arguments, tool_definitions, tool_result
from otel_callbacks._langchain.run_start import RunStart

Content = dict[str, Any]
"""Attribute key -> value of any kind, to become JSON; a text under a key of `TEXTS` stays one."""

TEXTS = frozenset({semconv.RETRIEVAL_QUERY_TEXT})
_CONVERSATIONS = frozenset({semconv.INVOKE_AGENT, semconv.INVOKE_WORKFLOW})
_INSTRUCTIONS = ("instructions", "system", "system_instruction")
"""Parameters by which providers take instructions apart from the messages."""


def given(operation: str, start: RunStart, max_items: int) -> Content:
    """What a run was given. `max_items`: messages to look at."""
    read = _GIVEN.get(operation)
    return read(start, max_items) if read is not None else {semconv.RUN_INPUT: run_value(start.inputs)}


def given_late(operation: str, inputs: object, max_items: int) -> Content:
    """What a step of a stream was given, which LangChain tells when it ends."""
    return _conversation(inputs, max_items) if operation in _CONVERSATIONS else {semconv.RUN_INPUT: run_value(inputs)}


def answered(operation: str, result: object) -> Content:
    """What a run gave back."""
    read = _ANSWERED.get(operation)
    return read(result) if read is not None else {semconv.RUN_OUTPUT: run_value(result)}


def interrupt_values(interrupts: Sequence[Any]) -> Content:
    """What a graph asks a person, one value for each interrupt."""
    return {semconv.GRAPH_INTERRUPT_VALUES: [run_value(getattr(entry, "value", None)) for entry in interrupts]}


def _chat(start: RunStart, max_items: int) -> Content:
    content: Content = {semconv.INPUT_MESSAGES: input_messages(start.inputs, max_items)}
    instructions = next((start.params[key] for key in _INSTRUCTIONS if start.params.get(key)), None)
    if instructions is not None:
        content[semconv.SYSTEM_INSTRUCTIONS] = content_parts(instructions)
    definitions = tool_definitions(start.params)
    if definitions:
        content[semconv.TOOL_DEFINITIONS] = definitions
    return content


def _text_completion(start: RunStart, _: int) -> Content:
    return {semconv.INPUT_MESSAGES: prompt_messages(start.inputs)}


def _tool(start: RunStart, _: int) -> Content:
    inputs = start.inputs
    arguments = tool_arguments(inputs if isinstance(inputs, Mapping) else None, inputs)
    return {semconv.TOOL_CALL_ARGUMENTS: arguments}


def _retriever(start: RunStart, _: int) -> Content:
    return {semconv.RETRIEVAL_QUERY_TEXT: start.inputs}


def _started_conversation(start: RunStart, max_items: int) -> Content:
    return _conversation(start.inputs, max_items)


def _conversation(inputs: object, max_items: int) -> Content:
    """Messages where there are any: a workflow may be given anything."""
    messages = input_messages(inputs, max_items)
    return {semconv.INPUT_MESSAGES: messages} if messages else {semconv.RUN_INPUT: run_value(inputs)}


def _model_answer(result: Any) -> Content:
    generations = result.generations[0] if result.generations else ()
    messages = [message for message in output_messages(generations) if message["parts"] or "finish_reason" in message]
    return {semconv.OUTPUT_MESSAGES: messages} if messages else {}


def _conversation_answer(result: object) -> Content:
    messages = answer_messages(result)
    return {semconv.OUTPUT_MESSAGES: messages} if messages else {semconv.RUN_OUTPUT: run_value(result)}


def _tool_answer(result: object) -> Content:
    return {semconv.TOOL_CALL_RESULT: tool_result(result)}


def _documents(result: Any) -> Content:
    return {semconv.RETRIEVAL_DOCUMENTS: documents(result)}


_GIVEN: Mapping[str, Callable[[RunStart, int], Content]] = {
    semconv.CHAT: _chat,
    semconv.TEXT_COMPLETION: _text_completion,
    semconv.EXECUTE_TOOL: _tool,
    semconv.RETRIEVAL: _retriever,
    semconv.INVOKE_AGENT: _started_conversation,
    semconv.INVOKE_WORKFLOW: _started_conversation,
}
_ANSWERED: Mapping[str, Callable[[Any], Content]] = {
    semconv.CHAT: _model_answer,
    semconv.TEXT_COMPLETION: _model_answer,
    semconv.EXECUTE_TOOL: _tool_answer,
    semconv.RETRIEVAL: _documents,
    semconv.INVOKE_AGENT: _conversation_answer,
    semconv.INVOKE_WORKFLOW: _conversation_answer,
}
