"""Definitions, arguments and results of tools, schemas and documents, in the form of the GenAI conventions."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from otel_callbacks._content.messages.parts import both_ends, content_parts, parse_json
from otel_callbacks._mapping.reading import first_text, mapping

MOST_DOCUMENTS = 256
MOST_TOOLS = 512

_SCORES = ("score", "relevance_score", "similarity_score", "_score")
_PARAMETERS = ("parameters", "input_schema", "inputSchema", "parameters_json_schema", "parametersJsonSchema")
_GROUPS = ("function_declarations", "functionDeclarations")
_PAIR = 2
_FIELDS = ("id", "page_content", "metadata")


def tool_definitions(invocation_params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the tools a model was offered, each ``{"type": "function", "name", "description"?, "parameters"?}``.

    Tools that the provider runs keep their own type and a name, but no settings: those hold addresses and credentials.
    Source: ``gen_ai.tool.definitions``.

    Args:
        invocation_params: The request as ``on_chat_model_start`` reports it, in OpenAI's, Anthropic's, Google's or
            Bedrock's form.
    """
    tools = invocation_params.get("tools") or invocation_params.get("functions")
    tools = tools or mapping(invocation_params.get("toolConfig")).get("tools")  # Bedrock's
    if not isinstance(tools, (list, tuple)):
        return []
    return [definition for tool in tools[:MOST_TOOLS] if isinstance(tool, Mapping) for definition in _definitions(tool)]


def output_schema(invocation_params: Mapping[str, Any], options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the JSON schema that the answer has to follow, empty if there is none.

    Args:
        invocation_params: The request; OpenAI's ``response_format`` and Ollama's ``format`` hold a schema.
        options: What LangChain knows about the call: ``with_structured_output`` notes its schema here.
    """
    noted = mapping(options.get("ls_structured_output_format")).get("schema")
    response_format = mapping(mapping(invocation_params.get("response_format")).get("json_schema")).get("schema")
    schemas = (noted, response_format, invocation_params.get("format"))
    return next((schema for schema in schemas if isinstance(schema, Mapping)), {})


def _definitions(tool: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    group = next((tool[key] for key in _GROUPS if isinstance(tool.get(key), (list, tuple))), None)
    if group is not None:
        yield from (_function(entry) for entry in group if isinstance(entry, Mapping))
        return
    nested = next((tool[key] for key in ("function", "toolSpec", "custom") if isinstance(tool.get(key), Mapping)), None)
    kind = tool.get("type")
    if nested is not None:
        yield _function(nested)
    elif "name" in tool and (kind is None or (isinstance(kind, str) and kind in {"function", "custom"})):
        yield _function(tool)
    else:
        yield _server_tool(tool)


def _function(function: Mapping[str, Any]) -> dict[str, Any]:
    definition: dict[str, Any] = {"type": "function", "name": first_text(function, ("name",)) or "unknown"}
    if isinstance(function.get("description"), str):
        definition["description"] = function["description"]
    parameters = next((function[key] for key in _PARAMETERS if isinstance(function.get(key), Mapping)), None)
    if parameters is not None:
        definition["parameters"] = parameters.get("json", parameters)
    return definition


def _server_tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    """Define a tool by its type, which OpenAI and Anthropic give; Google's tool is a dictionary with one key."""
    kind = tool.get("type")
    if not isinstance(kind, str) or kind == "function":
        kind = str(next(iter(tool), "unknown"))
    label = tool.get("server_label") or kind
    name = first_text(tool, ("name",)) or (label if isinstance(label, str) else "unknown")
    return {"type": kind, "name": name}


def tool_arguments(inputs: object, input_str: object) -> object:
    """Return a tool's arguments: an object if LangChain or the text gives one.

    Args:
        inputs: ``inputs`` of ``on_tool_start``; ``None`` in older LangChain releases.
        input_str: The hook's positional text.
    """
    return parse_json(input_str) if inputs is None else inputs


def tool_result(output: object) -> object:
    """Return a tool's result: its message's content, as an object if it is JSON of one, as parts if it has blocks.

    Args:
        output: The output in ``on_tool_end``: a ``ToolMessage``, a ``Command``, content blocks, anything.
    """
    content = getattr(output, "content", output) if hasattr(output, "tool_call_id") else output
    first = content[0] if isinstance(content, (list, tuple)) and content else None
    has_blocks = isinstance(first, Mapping) and isinstance(first.get("type"), str)
    return content_parts(content) if has_blocks else parse_json(content)


def documents(results: Sequence[Any]) -> list[dict[str, Any]]:
    """Return retrieved documents in order, each ``{"id"?, "score"?, "content", "metadata"?}``; no score is invented.

    Args:
        results: Documents, ``(document, score)`` pairs, dictionaries or texts. Source: ``gen_ai.retrieval.documents``.
    """
    return [_document(entry) for entry in both_ends(results, MOST_DOCUMENTS, "documents")]


def _document(value: Any) -> dict[str, Any]:
    try:
        return _read_document(value)
    except Exception:  # noqa: BLE001 - a hostile object must not take the other documents with it
        return {"content": None}


def _read_document(value: Any) -> dict[str, Any]:
    score = None
    if isinstance(value, tuple) and len(value) == _PAIR:
        value, score = value
    if isinstance(value, str):
        return {"content": value}
    fields = value if isinstance(value, Mapping) else {name: getattr(value, name, None) for name in _FIELDS}
    identity = fields.get("id")
    metadata = mapping(fields.get("metadata"))
    scores = map(_finite_score, (score, *map(metadata.get, _SCORES)))
    content = fields.get("page_content")
    document = {
        "id": None if identity is None else str(identity),
        "score": next((number for number in scores if number is not None), None),
        "content": fields.get("content") if content is None else content,
        "metadata": metadata or None,
    }
    return {key: entry for key, entry in document.items() if entry is not None or key == "content"}


def _finite_score(value: Any) -> float | None:
    """Return a score as a float, ``None`` for anything else; vector stores also give numpy scalars."""
    if value is None or isinstance(value, (str, bytes, bool)):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
