"""The life of a run, from its first event to its last. One recorder per handler."""

from asyncio import CancelledError
from collections.abc import Callable
from functools import cached_property
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any
from uuid import UUID

from opentelemetry import context as context_api
from opentelemetry.trace import SpanContext

from otel_callbacks import semconv
from otel_callbacks._langchain.place import child_config
from otel_callbacks._langchain.run_id import TextId, run_key
from otel_callbacks._langchain.run_start import RunStart
from otel_callbacks._mapping import error as errors
from otel_callbacks._mapping import tables, tool
from otel_callbacks._mapping.bounds import few, short
from otel_callbacks._mapping.chunk import VISIBLE, chunk_content
from otel_callbacks._mapping.records import Ending
from otel_callbacks._runs import end as run_end
from otel_callbacks._runs import pauses, recognition, unanswered
from otel_callbacks._runs import start as steps
from otel_callbacks._runs.closing import MOST_AT_ONCE, Closing, close_at_exit
from otel_callbacks._runs.destination import Destination, Destinations
from otel_callbacks._runs.end import RunEnd
from otel_callbacks._runs.owner import Owner
from otel_callbacks._runs.parents import parent_of
from otel_callbacks._runs.run import OpenRun, Stream
from otel_callbacks.config import Capture, Config
from otel_callbacks.control import Block
from otel_callbacks.types import OutcomeName, RunSummary

if TYPE_CHECKING:
    from opentelemetry._logs import LoggerProvider

    from otel_callbacks._content.capture import ContentCapture

_OK = Ending("ok")
_INTERRUPTED = Ending("interrupted")
_TOOL_FAILED = Ending("error", semconv.TOOL_ERROR)


class Recorder:
    """Records the runs of one handler: one method per event.

    The life of a run:

    - `start`: find its parent, enter it into the table, decide what it becomes, start its span, make that current, and
      capture its inputs.
    - `chunk`, `retried`, `custom_event`, `agent_acts`, `interrupted`, `resumed`: note on the open run what happens.
    - `end` or `fail`: take it out of the table, so that it ends once, and finish it: complete its span, measure, end
      the span, and restore what was current (`end.finish`).
    - A run that gets no end event is taken out and finished by `Closing`, which also looks after runs that outlive
      their parent.

    Methods may raise what hostile values raise; the handler guards each call.
    """

    def __init__(
        self, config: Config, destinations: Destinations, logger_provider: "LoggerProvider | None" = None
    ) -> None:
        self._config = config
        self._destinations = destinations
        self._logger_provider = logger_provider
        cancelled = errors.ending(CancelledError(), cancel_is_error=config.cancel_is_error)
        self._owner = Owner(config, cancelled, destinations.count_redaction)
        if config.capture != "no_content":
            _ = self._content_capture  # loaded now, so that no callback waits for it
        self.closing = Closing(destinations, self._owner)
        self._newest: Destination | None = None
        self.awaiting: dict[int, OpenRun] = {}
        """Model runs whose next chunk matters, by the integer of their id; the handler looks here at each token."""

    # The events of a run, in the order of its life

    def start(  # noqa: C901 - one story in one place
        self, run_id: UUID, parent_run_id: UUID | None, start: RunStart, block: Block
    ) -> None:
        """Record that a run starts."""
        destination = self._destinations.current()
        if destination is not self._newest:
            self._settle_at(destination)
        table = destination.table
        try:  # costs UUIDs nothing, unlike a look at the type
            key = run_id.int
        except AttributeError:
            key = run_key(run_id)
        if key in table.open:
            # Another handler on the provider, or this one attached twice, has recorded it; or its text is used twice.
            self._start_again(table.open[key])
            return
        # Before anything else, close what is overdue: a run that is over must not become a parent.
        closed = self.closing.close_due_at(destination, MOST_AT_ONCE - 1)
        current = context_api.get_current()
        runnable_config = child_config()
        parent = parent_of(table, parent_run_id, runnable_config, current)
        if parent is None and parent_run_id is not None and table.has_forgotten:
            destination.discrepancy("parent")
        run = steps.open_run(table, self._owner, run_id, start, parent, runnable_config, self.closing.on_collected)
        if len(table.open) > self._config.max_open_runs:
            self.closing.make_room(destination, run, MOST_AT_ONCE - closed)
        # A suppressed run is in the table as well: the runs below it have to find it to be suppressed.
        if block.suppressed or run.suppressed:
            run.suppressed = True
            return
        # The plan comes before the span, so that samplers see its attributes and hidden runs have no span at all. What
        # the run reveals about the runs around it comes before as well: its span may link to where a node paused.
        plan = steps.plan(destination, run, start)
        run.adopt(plan)
        recognition.by_start(run, start, destination.dialect)
        if steps.is_visible(destination, run, start):
            steps.start_span(destination, run, start, current, plan.presence)
        if run.operation in tables.MODEL_OPERATIONS:
            table.awaiting[key] = run
        where = block.capture or self._config.capture
        if where != "no_content" and run.span is not None and (run.span is run.late or run.span.is_recording()):
            self._capture_inputs(destination, run, start, where)
        if run.parent is None:
            self.closing.watch_task(run)

    def chunk(self, run_id: UUID, token: Any, chunk: Any) -> None:
        """Record that a model streams; called for runs in `awaiting`."""
        entry = self._find_own(run_id)
        if entry is None:
            return
        destination, run = entry
        now = perf_counter_ns()
        destination.table.touch(run.tree, now)
        stream = run.stream
        if stream is None:
            stream = run.stream = Stream()
        content = chunk_content(token, chunk)
        if content is None:
            return
        if stream.first_chunk_ns == 0:
            stream.first_chunk_ns = stream.last_chunk_ns = now
            stream.last_chunk = chunk
            destination.table.streams[run.id.key] = run
        elif self._config.chunk_metrics and chunk is not stream.last_chunk:
            seconds = (now - stream.last_chunk_ns) / 1e9
            destination.instruments.output_chunk(seconds, run.dimensions, run.context)
            stream.last_chunk, stream.last_chunk_ns = chunk, now
        if content == VISIBLE and stream.first_visible_ns == 0:
            stream.first_visible_ns = now
        if stream.first_visible_ns and not self._config.chunk_metrics:
            self.awaiting.pop(run.id.key, None)  # later tokens cost the handler one look-up

    def agent_acts(self, run_id: UUID) -> None:
        """Record that the run is an agent's (``on_agent_action``, ``on_agent_finish``)."""
        entry = self._find_own(run_id)
        if entry is not None:
            recognition.by_agent_event(entry[1])

    def retried(self, run_id: UUID) -> None:
        """Record that a provider's client tries again inside the run (``on_retry``)."""
        entry = self._find_own(run_id)
        if entry is not None:
            entry[1].retries += 1

    def custom_event(self, run_id: UUID, name: str, data: Any) -> None:
        """Record an event of the application (``dispatch_custom_event``); its data is content."""
        entry = self._find_own(run_id)
        run = entry[1].visible if entry is not None else None
        span = run.span if run is not None else None
        if run is not None and span is not None and span.is_recording():
            attributes: dict[str, Any] = {semconv.CUSTOM_EVENT_NAME: self._owner.identities.text(short(name))}
            if hasattr(data, "__len__"):
                attributes[semconv.CUSTOM_EVENT_SIZE] = len(data)
            text = run.content.text(data) if run.content is not None else None
            if text is not None:
                attributes[semconv.CUSTOM_EVENT_DATA] = text
            span.add_event(semconv.EVENT_CUSTOM, attributes)

    def interrupted(self, run_id: UUID, interrupts: Any, checkpoint_id: Any) -> None:
        """Record that a graph pauses for a person (LangGraph's ``on_interrupt``)."""
        entry = self._find_own(run_id)
        if entry is None:
            return
        run = entry[1]
        run.paused = True
        ids = [interrupt_id for interrupt_id in (getattr(item, "id", None) for item in interrupts) if interrupt_id]
        run.end_attributes[semconv.GRAPH_INTERRUPT_IDS] = few(str(interrupt_id) for interrupt_id in ids)
        run.end_attributes[semconv.GRAPH_CHECKPOINT_ID] = short(str(checkpoint_id))
        self._owner.identities.clean(run.end_attributes)
        if run.content is not None and interrupts:
            run.content.add_interrupts(interrupts)
        # Without interrupts it pauses before or after a node, and no node run is there to be linked to.
        if run.span is not None and not interrupts:
            pauses.remember_pause(str(checkpoint_id), run.span.get_span_context())

    def resumed(self, run_id: UUID, checkpoint_id: Any) -> None:
        """Record that a graph goes on from a checkpoint (LangGraph's ``on_resume``)."""
        entry = self._find_own(run_id)
        paused = pauses.paused_span(str(checkpoint_id))
        if entry is not None and entry[1].span is not None and paused is not None:
            entry[1].span.add_link(paused, pauses.RESUME_LINK)

    def end(self, run_id: UUID, result: Any, inputs: Any = None) -> None:
        """Record that LangChain reports a run as successful. `inputs`: a streaming step's, which come only now."""
        entry = self._take_out(run_id)
        if entry is None:
            # A streaming chain, the only run with inputs here, ends successfully even when it is broken off.
            if inputs is None:
                self._end_late(run_id, "ok")
            return
        destination, run = entry
        ending = _OK
        try:
            if run.content is not None and inputs is not None and run.deferred_inputs:
                run.content.add_late_inputs(run.operation, inputs)
            if run.paused:
                ending = _INTERRUPTED
            elif run.run_type == "tool" and tool.failed(result):
                ending = _TOOL_FAILED
            if run.operation == "node":
                recognition.by_result(run, result)
                unanswered.record(destination, run, result)
        except Exception as failure:  # noqa: BLE001 - whatever a hostile result raises
            destination.failed("outcome", failure)
        self.closing.finish(destination, run, RunEnd(ending, result))

    def fail(self, run_id: UUID, error: BaseException, partial: Any = None) -> None:
        """Record that a run ends with an exception. `partial`: a failed model's answer so far."""
        entry = self._take_out(run_id)
        ending = errors.ending(error, cancel_is_error=self._config.cancel_is_error)
        if entry is None:
            # What is left of a cancelled body may fail in Python itself when it is taken down.
            self._end_late(run_id, "cancelled" if errors.is_from_teardown(error) else ending.outcome)
            return
        destination, run = entry
        if ending.outcome in errors.CONTROL_FLOW:
            destination.collect(errors.control_flow, error, ending.attributes)
            run_end.clean(destination, run, ending.attributes)
        self.closing.finish(destination, run, RunEnd(ending, partial, error))

    # Queries

    @property
    def open_runs(self) -> int:
        """Number of open runs at this handler's destinations."""
        self.closing.close_due()
        return sum(len(destination.table.open) for destination in self._destinations.all())

    def place(self, key: int) -> SpanContext | None:
        """Return the span of a run, at whichever destination. `key`: the integer of the run's id."""
        places = (destination.table.place(key) for destination in self._destinations.all())
        return next((place for place in places if place is not None and place.is_valid), None)

    def subscribe(self, callback: Callable[[RunSummary], object]) -> Callable[[], None]:
        """Add a subscriber, and return a callable that removes it."""
        subscribers, subscription = self._owner.subscribers, object()
        subscribers[subscription] = callback

        def unsubscribe() -> None:
            subscribers.pop(subscription, None)

        return unsubscribe

    def failed(self, kind: str, error: BaseException) -> None:
        """Count a failure that kept an event from being recorded."""
        self._destinations.current().failed(kind, error)

    # Steps

    def _settle_at(self, destination: Destination) -> None:
        self._newest = destination
        self.awaiting = destination.table.awaiting
        destination.table.add_closer(self.closing)
        close_at_exit(self.closing)

    # Applications can use one text for several runs at once. Only the first is recorded, and the ends of the others are
    # not its own.

    def _start_again(self, run: OpenRun) -> None:
        text_id = run.id.text_id
        if text_id is not None and run.owner is self._owner:
            text_id.count_others(1)

    def _ends_another(self, run: OpenRun, text_id: TextId) -> bool:
        if run.owner is not self._owner:
            return True
        if text_id.others == 0:
            return False
        text_id.count_others(-1)
        return True

    def _find_own(self, run_id: UUID) -> tuple[Destination, OpenRun] | None:
        """Return the open run, if this handler is the one that records it."""
        entry = self._destinations.find(run_key(run_id))
        return entry if entry is not None and entry[1].owner is self._owner and not entry[1].suppressed else None

    def _take_out(self, run_id: UUID) -> tuple[Destination, OpenRun] | None:
        """Take the run out of the table; ``None`` where there is nothing to end."""
        try:
            key = run_id.int
        except AttributeError:
            key = run_key(run_id)
        entry = self._destinations.find(key)
        if entry is not None:
            destination, run = entry
            text_id = run.id.text_id
            if text_id is not None and self._ends_another(run, text_id):
                return None
            if destination.table.leave(run):
                return None if run.suppressed else entry
        return None

    def _end_late(self, run_id: UUID, outcome: OutcomeName) -> None:
        """Compare the end event of a run that is not open with how the run was closed, if it was."""
        for destination in self._destinations.all():
            closed = destination.table.forget_closed(run_key(run_id))
            if closed is not None and not _agree(closed, outcome):
                destination.discrepancy("end")

    def _capture_inputs(self, destination: Destination, run: OpenRun, start: RunStart, where: Capture) -> None:
        condition = self._config.capture_when
        if condition is None or steps.allows(destination, "capture_when", condition, start, otherwise=False):
            run.content = self._content_capture.begin(
                run.operation, start, where, destination.failed, has_inputs=not run.deferred_inputs
            )

    @cached_property
    def _content_capture(self) -> "ContentCapture":
        """How content is captured; without ``Config.capture`` loaded by the first `capture()` block."""
        from otel_callbacks._content.capture import ContentCapture
        from otel_callbacks._content.policy import ContentPolicy

        policy = ContentPolicy(max_value_bytes=self._config.max_content_bytes, redactor=self._owner.redactor)
        return ContentCapture(policy, self._logger_provider)


def _agree(closed: OutcomeName, reported: OutcomeName) -> bool:
    """Tell whether a late end event says the same as how the run was closed."""
    # A stream that failed or was abandoned may be thrown away later, which is no news.
    return reported == closed or (reported == "cancelled" and closed in ("error", "abandoned"))
