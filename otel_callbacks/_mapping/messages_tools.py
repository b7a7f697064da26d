"""What tools and retrievers are defined as, are given and give back, in the form of the GenAI conventions."""

from collections.abc import Mapping
from typing import Any

MOST_DOCUMENTS = 256
_SCORES = ("score", "relevance_score", "similarity_score", "_score")
_PARAMETERS = ("parameters", "input_schema", "inputSchema", "parametersJsonSchema", "parameters_json_schema")


def tool_definitions(invocation_params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tools a model was offered, each ``{"type": "function", "name", "description"?, "parameters"?}``.

    Tools that the provider runs itself keep their own type and get a name. Source: ``gen_ai.tool.definitions``.

    Args:
        invocation_params: what ``on_chat_model_start`` tells of the request; OpenAI's, Anthropic's, Google's and
            Bedrock's forms are read.
    """
    tools = invocation_params.get("tools") or invocation_params.get("functions") or _bedrock_tools(invocation_params)
    definitions = (_definitions(tool) for tool in tools) if isinstance(tools, (list, tuple)) else ()
    return [definition for several in definitions for definition in several]
