"""Records and results as the mapping reads them, without LangChain."""

from types import SimpleNamespace
from typing import Any

from otel_callbacks._langchain.run_start import RunStart
from otel_callbacks.types import RunType


def start(run_type: RunType = "chat", name: str = "", **fields: Any) -> RunStart:
    """A start record; what is not given is empty."""
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
    """An ``LLMResult`` with one choice per message."""
    choices = [SimpleNamespace(message=message, generation_info=None, text="") for message in messages]
    return SimpleNamespace(generations=[choices], llm_output=llm_output)


def message(**fields: Any) -> SimpleNamespace:
    """A message of a model."""
    return SimpleNamespace(**{"response_metadata": {}, "usage_metadata": None, "id": None, **fields})
