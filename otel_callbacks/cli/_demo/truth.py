"""What the programs really did, as a plain LangChain callback sees it: figures that telemetry must agree with."""

import threading
from collections import Counter
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.outputs import LLMResult

from otel_callbacks import semconv


class GroundTruth(BaseCallbackHandler):
    """Counts runs by type, failed calls by error class, and tokens; independent of the tracer."""

    def __init__(self) -> None:
        self.runs: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.tokens: Counter[str] = Counter()
        self._lock = threading.Lock()

    def on_chat_model_start(self, *_args: Any, **_kwargs: Any) -> None:
        """Count a chat model's run."""
        self._count(self.runs, "chat")

    def on_chain_start(self, *_args: Any, **kwargs: Any) -> None:
        """Count a chain's, graph's or node's run, or a prompt's or parser's under its own type."""
        self._count(self.runs, kwargs.get("run_type") or "chain")

    def on_tool_start(self, *_args: Any, **_kwargs: Any) -> None:
        """Count a tool's run."""
        self._count(self.runs, "tool")

    def on_retriever_start(self, *_args: Any, **_kwargs: Any) -> None:
        """Count a retriever's run."""
        self._count(self.runs, "retriever")

    def on_llm_end(self, response: LLMResult, **_kwargs: Any) -> None:
        """Add the tokens that the provider reported."""
        usage = getattr(getattr(response.generations[0][0], "message", None), "usage_metadata", None) or {}
        self._count(self.tokens, "input", usage.get("input_tokens", 0))
        self._count(self.tokens, "output", usage.get("output_tokens", 0))

    def on_tool_end(self, output: Any, **_kwargs: Any) -> None:
        """Count a tool that answered with an error message."""
        if getattr(output, "status", None) == "error":
            self._count(self.errors, semconv.TOOL_ERROR)

    def on_llm_error(self, error: BaseException, **_kwargs: Any) -> None:
        """Count a failed model call."""
        self._failed(error)

    def on_tool_error(self, error: BaseException, **_kwargs: Any) -> None:
        """Count a tool that raised."""
        self._failed(error)

    def _failed(self, error: BaseException) -> None:
        if isinstance(error, Exception):  # the other kinds cancel: Ctrl-C, tasks, generators
            self._count(self.errors, type(error).__name__)

    def _count(self, counter: Counter[str], key: str, by: int = 1) -> None:
        # Parallel nodes call back from several threads, and += on a counter is not atomic.
        with self._lock:
            counter[key] += by
