"""Feeds runs from events: start, chunks, events, end. One per handler."""

from asyncio import CancelledError
from collections.abc import Callable
from functools import cached_property
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from opentelemetry import context as context_api
from opentelemetry.trace import SpanContext

from otel_callbacks import semconv
from otel_callbacks._langchain.run_start import RunStart
from otel_callbacks._mapping import error as errors
from otel_callbacks._mapping import model, tool
from otel_callbacks._mapping.bounds import few, short
from otel_callbacks._mapping.records import Ending
from otel_callbacks._runs import pauses as _links
from otel_callbacks._runs import recognition as _recognition
from otel_callbacks._runs import start as _start
from otel_callbacks._runs.closing import Closing, close_at_exit
from otel_callbacks._runs.destination import Destination, Pipeline
from otel_callbacks._runs.owner import Owner
from otel_callbacks._runs.run import OpenRun
from otel_callbacks.config import Capture, Config
from otel_callbacks.control import Block
from otel_callbacks.types import RunSummary

if TYPE_CHECKING:
    from uuid import UUID

    from opentelemetry._logs import LoggerProvider

    from otel_callbacks._content.capture import Capturing

_OK = Ending("ok")
_INTERRUPTED = Ending("interrupted")
_TOOL_FAILED = Ending("error", semconv.TOOL_ERROR)


class Recorder:
    """Turns the events of one handler into telemetry."""

    def __init__(
        self, config: Config, destination: Destination, logger_provider: "LoggerProvider | None" = None
    ) -> None:
        self._config = config
        self._destination = destination
        self._logger_provider = logger_provider
        cancelled = errors.ending(CancelledError(), cancel_is_error=config.cancel_is_error)
        self.owner = Owner(config, cancelled, self._count_redaction)
        self.closing = Closing(config, destination, self.owner)
        self._newest: Pipeline | None = None
        self.awaiting: dict[int, OpenRun] = {}

    def failed(self, kind: str, error: BaseException) -> None:
        """Count a failure that kept an event from being recorded."""
        self._destination.current().failed(kind, error)

    @property
    def open_runs(self) -> int:
        """Number of runs on this handler's destinations that have not ended."""
        self.closing.tend()
        return sum(len(pipeline.table.open) for pipeline in self._destination.all())

    def start(self, run_id: "UUID", parent_run_id: "UUID | None", start: RunStart, block: Block) -> None:
        """A run starts; the start of a run that is open already (the handler attached twice) is ignored."""
        pipeline = self._destination.current()
        if pipeline is not self._newest:
            self._arrive(pipeline)
        if run_id.int in pipeline.table.open:
            return
        self.closing.when_due(pipeline)
        current = context_api.get_current()
        run = _start.open_run(pipeline, self.owner, run_id, parent_run_id, start, current, self.closing.on_collected)
        if len(pipeline.table.open) > self._config.max_open_runs:
            self.closing.make_room(pipeline, run)
        if block.suppressed or run.dropped:
            run.dropped = True
            return
        if self.owner.subscribers:
            run.info = _start.info(start)
        _start.begin(pipeline, self._config, run, start, current)
        where = block.capture or self._config.capture
        if where != "no_content" and run.span is not None and run.span.is_recording():
            self._capture(pipeline, run, start, where)
        if run.parent is None:
            _start.watch_task(run, self.closing.on_task_done)

    def place(self, key: int) -> SpanContext | None:
        """Where a run is found, on whichever of this handler's destinations. `key`: the integer of the run's id."""
        places = (pipeline.table.place(key) for pipeline in self._destination.all())
        return next((place for place in places if place is not None and place.is_valid), None)

    def subscribe(self, callback: Callable[[RunSummary], object]) -> Callable[[], None]:
        """Add a subscriber; the result takes it out again."""
        subscription = object()
        self.owner.subscribers[subscription] = callback

        def unsubscribe() -> None:
            self.owner.subscribers.pop(subscription, None)

        return unsubscribe

    def _capture(self, pipeline: Pipeline, run: OpenRun, start: RunStart, where: Capture) -> None:
        ask = self._config.capture_when
        if ask is None or _start.allows(pipeline, "capture_when", ask, start, otherwise=False):
            run.content = self.capturing.begin(
                run.operation, start, where, pipeline.failed, is_given_later=run.deferred_inputs
            )

    @cached_property
    def capturing(self) -> "Capturing":
        """How content is captured; loaded when a run first does."""
        from otel_callbacks._content.capture import Capturing
        from otel_callbacks._content.policy import ContentPolicy

        policy = ContentPolicy(max_value_bytes=self._config.max_content_bytes, redactor=self.owner.redactor)
        return Capturing(policy, self._logger_provider)

    def _count_redaction(self, rule: str, count: int) -> None:
        self._destination.current().instruments.redactions[rule,] += count

    def _arrive(self, pipeline: Pipeline) -> None:
        self._newest = pipeline
        self.awaiting = pipeline.table.awaiting
        pipeline.table.caretakers.add(self.closing)
        close_at_exit(self.closing)

    def end(self, run_id: "UUID", result: Any, inputs: Any = None) -> None:
        """A run ends well, or so LangChain says. `inputs`: what a step of a stream had been given."""
        found = self._take(run_id)
        if found is None:
            return
        pipeline, run = found
        if run.operation == "node":
            _recognition.by_result(run, result)
        if run.content is not None and inputs is not None and run.deferred_inputs:
            run.content.take_inputs(run.operation, inputs)
        ending = _OK
        if run.paused:
            ending = _INTERRUPTED
        elif run.run_type == "tool" and tool.failed(result):
            ending = _TOOL_FAILED
        self.closing.finish(pipeline, run, ending, result)

    def fail(self, run_id: "UUID", error: BaseException, partial: Any = None) -> None:
        """A run ends with an exception. `partial`: what a model had answered until then, an ``LLMResult``."""
        found = self._take(run_id)
        if found is not None:
            pipeline, run = found
            ending = errors.ending(error, cancel_is_error=self._config.cancel_is_error)
            self.closing.finish(pipeline, run, ending, partial, error)

    def _take(self, run_id: "UUID") -> tuple[Pipeline, OpenRun] | None:
        """The run, taken out of the table; ``None`` where there is nothing to end."""
        found = self._destination.find(run_id.int)
        if found is not None and found[0].table.leave(found[1]):
            return None if found[1].dropped else found
        for pipeline in self._destination.all():
            if pipeline.table.forget_closed(run_id.int):
                pipeline.instruments.errors["late_end",] += 1
        return None

    def _open(self, run_id: "UUID") -> tuple[Pipeline, OpenRun] | None:
        """The open run, where this handler is the one that records it."""
        found = self._destination.find(run_id.int)
        return found if found is not None and found[1].owner is self.owner and not found[1].dropped else None

    def chunk(self, run_id: "UUID", token: Any, chunk: Any) -> None:
        """A model streams, and the run is among those `awaiting` a chunk."""
        found = self._open(run_id)
        if found is None:
            return
        pipeline, run = found
        run.active = run.streamed = True
        if run.first_chunk_ns == 0:
            if not model.has_content(token, chunk):
                return
            run.first_chunk_ns = run.last_chunk_ns = perf_counter_ns()
            run.last_chunk = chunk
        elif self._config.chunk_metrics and model.has_content(token, chunk) and chunk is not run.last_chunk:
            now = perf_counter_ns()
            pipeline.instruments.output_chunk((now - run.last_chunk_ns) / 1e9, run.attributes, run.context)
            run.last_chunk, run.last_chunk_ns = chunk, now
        if not self._config.chunk_metrics:
            self.awaiting.pop(run_id.int, None)

    def agent_acts(self, run_id: "UUID") -> None:
        """The run is an agent's (``on_agent_action``, ``on_agent_finish``)."""
        found = self._open(run_id)
        if found is not None:
            _recognition.by_agent_event(found[1])

    def retried(self, run_id: "UUID") -> None:
        """A provider's client tries again inside the run (``on_retry``)."""
        found = self._open(run_id)
        if found is not None:
            found[1].retries += 1

    def custom_event(self, run_id: "UUID", name: str, data: Any) -> None:
        """Application code reports something (``dispatch_custom_event``); the data is content."""
        found = self._open(run_id)
        run = found[1].visible if found is not None else None
        span = run.span if run is not None else None
        if run is not None and span is not None and span.is_recording():
            attributes: dict[str, Any] = {semconv.CUSTOM_EVENT_NAME: short(name)}
            if hasattr(data, "__len__"):
                attributes[semconv.CUSTOM_EVENT_SIZE] = len(data)
            text = run.content.text(data) if run.content is not None else None
            if text is not None:
                attributes[semconv.CUSTOM_EVENT_DATA] = text
            span.add_event(semconv.EVENT_CUSTOM, attributes)

    def interrupted(self, run_id: "UUID", interrupts: Any, checkpoint_id: Any) -> None:
        """A graph pauses for a human (LangGraph's ``on_interrupt``)."""
        found = self._open(run_id)
        if found is None:
            return
        _, run = found
        run.paused = True
        identities = [identity for identity in (getattr(entry, "id", None) for entry in interrupts) if identity]
        run.details[semconv.GRAPH_INTERRUPT_IDS] = few(str(identity) for identity in identities)
        run.details[semconv.GRAPH_CHECKPOINT_ID] = short(str(checkpoint_id))
        if run.content is not None and interrupts:
            run.content.take_interrupts(interrupts)
        if run.span is not None and not interrupts:  # before or after a node, so that no node tells of it
            _links.remember_pause(str(checkpoint_id), run.span.get_span_context())

    def resumed(self, run_id: "UUID", checkpoint_id: Any) -> None:
        """A graph goes on from a checkpoint (LangGraph's ``on_resume``)."""
        found = self._open(run_id)
        paused = _links.pause(str(checkpoint_id))
        if found is not None and found[1].span is not None and paused is not None:
            found[1].span.add_link(paused, {semconv.LINK_KIND: "resume"})
