"""The bound: the least that a tracer with metrics can do."""

import json
from time import perf_counter
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import BaseCallbackHandler
from opentelemetry import trace
from opentelemetry.context import Context

if TYPE_CHECKING:
    from uuid import UUID

    from benchmarks.providers import Providers


class Bound(BaseCallbackHandler):
    """Per run one span with three attributes and one measurement with three labels; no safety of any kind.

    With `capture`, also the input and output of every run as JSON from the standard library.
    """

    run_inline = True

    def __init__(self, target: "Providers", *, capture: bool = False) -> None:
        self._capture = capture
        self._tracer = target.tracer_provider.get_tracer("bound")
        self._histogram = target.meter_provider.get_meter("bound").create_histogram("run.duration", "s")
        self._open: dict[UUID, tuple[trace.Span, dict[str, str], float]] = {}

    def _start(self, name: str, inputs: Any, run_id: "UUID", parent_run_id: "UUID | None") -> None:
        parent = self._open.get(parent_run_id) if parent_run_id else None
        context = trace.set_span_in_context(parent[0], Context()) if parent else None
        labels = {"operation": name, "provider": "openai", "model": "gpt-4o-mini"}
        attributes = {**labels, "input": _as_json(inputs)} if self._capture else labels
        self._open[run_id] = self._tracer.start_span(name, context, attributes=attributes), labels, perf_counter()

    def _end(self, run_id: "UUID", output: Any = None) -> None:
        span, labels, started = self._open.pop(run_id)
        if self._capture:
            span.set_attribute("output", _as_json(output))
        span.end()
        self._histogram.record(perf_counter() - started, labels)

    def on_chain_start(
        self, serialized: Any, inputs: Any, *, run_id: "UUID", parent_run_id: "UUID | None" = None, **kwargs: Any
    ) -> None:
        self._start("chain", inputs, run_id, parent_run_id)

    def on_tool_start(
        self, serialized: Any, input_str: Any, *, run_id: "UUID", parent_run_id: "UUID | None" = None, **kwargs: Any
    ) -> None:
        self._start("tool", input_str, run_id, parent_run_id)

    def on_chat_model_start(
        self, serialized: Any, messages: Any, *, run_id: "UUID", parent_run_id: "UUID | None" = None, **kwargs: Any
    ) -> None:
        self._start("chat", messages[0], run_id, parent_run_id)

    def on_chain_end(self, outputs: Any, *, run_id: "UUID", **kwargs: Any) -> None:
        self._end(run_id, outputs)

    def on_tool_end(self, output: Any, *, run_id: "UUID", **kwargs: Any) -> None:
        self._end(run_id, output)

    def on_llm_end(self, response: Any, *, run_id: "UUID", **kwargs: Any) -> None:
        self._end(run_id, [generation.message for generation in response.generations[0]])

    def on_chain_error(self, error: BaseException, *, run_id: "UUID", **kwargs: Any) -> None:
        self._end(run_id)

    on_llm_error = on_tool_error = on_chain_error


def _as_json(value: Any) -> str:
    return json.dumps(value, default=_plain)


def _plain(value: Any) -> Any:
    if hasattr(value, "to_messages"):
        return value.to_messages()
    if hasattr(value, "content"):
        return {"role": value.type, "parts": [{"type": "text", "content": value.content}]}
    return str(value)
