"""Records and results in the form that the mapping reads, without LangChain."""

from types import SimpleNamespace
from typing import Any

from otel_callbacks._langchain.run_start import RunStart
from otel_callbacks.types import RunType


def start(run_type: RunType = "chat", name: str = "", **fields: Any) -> RunStart:
    """Make a start record whose other fields are empty."""
    empty = {
        "serialized": {},
        "inputs": None,
        "tags": (),
        "metadata": {},
        "params": {},
        "options": {},
        "batch_size": None,
    }
    return RunStart(run_type, name, **{**empty, **fields})


def answer(*messages: Any, llm_output: Any = None) -> SimpleNamespace:
    """Make what looks like an ``LLMResult`` with one choice per message."""
    choices = [SimpleNamespace(message=message, generation_info=None, text="") for message in messages]
    return SimpleNamespace(generations=[choices], llm_output=llm_output)


def message(**fields: Any) -> SimpleNamespace:
    """Make what looks like a model's message."""
    return SimpleNamespace(**{"response_metadata": {}, "usage_metadata": None, "id": None, **fields})
