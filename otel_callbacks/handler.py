"""The callback handler: one short method per LangChain hook."""

import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler

from otel_callbacks._langchain.graph_handler import LANGGRAPH, graph_class
from otel_callbacks._langchain.place import starves_others
from otel_callbacks._langchain.run_id import possible_keys, run_key
from otel_callbacks._langchain.run_start import NOTHING, RunStart, chain_type, normalise
from otel_callbacks._runs.destination import Destinations
from otel_callbacks._runs.flush import flush
from otel_callbacks._runs.recorder import Recorder
from otel_callbacks.config import Config, sdk_disabled
from otel_callbacks.control import current_block
from otel_callbacks.semconv import DIALECTS
from otel_callbacks.types import RunSummary, RunType

if TYPE_CHECKING:
    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from otel_callbacks.feedback import TraceRef

logger = logging.getLogger("otel_callbacks")

_frame = sys._getframe  # noqa: SLF001 - the documented way to one's own stack


class OTelCallbackHandler(BaseCallbackHandler):
    """Turns the events of LangChain and LangGraph into OpenTelemetry GenAI spans and metrics.

    Make one and attach it wherever LangChain takes callbacks; it serves all threads, tasks and requests::

        handler = OTelCallbackHandler()
        chain.invoke(question, config={"callbacks": [handler]})

    No hook ever raises; what fails inside is counted in ``otel_callbacks.errors`` and logged once per kind.

    Args:
        tracer_provider: Where spans go; the global provider by default, even one that is set later.
        meter_provider: Where measurements go; the global provider by default, likewise.
        logger_provider: Where events go; the global provider by default, likewise.
        config: Options; `Config.from_env()` by default.

    Raises:
        TypeError: `config` is not a `Config`.
    """

    def __init__(
        self,
        *,
        tracer_provider: "TracerProvider | None" = None,
        meter_provider: "MeterProvider | None" = None,
        logger_provider: "LoggerProvider | None" = None,
        config: Config | None = None,
    ) -> None:
        if config is not None and not isinstance(config, Config):
            raise TypeError(f"config={config!r}: must be a Config, or None to read the environment")
        self.config = config if config is not None else Config.from_env()
        self._providers = (tracer_provider, meter_provider, logger_provider)
        destinations = Destinations(tracer_provider, meter_provider, DIALECTS[self.config.semconv])
        self._recorder = Recorder(self.config, destinations, logger_provider)
        self._is_graph_handler = self._ignored = False
        if sdk_disabled():
            self._ignore_everything()
        self._become_graph_handler()

    # For the application

    @property
    def open_runs(self) -> int:
        """Number of runs that have not ended, of all handlers on the same tracer provider."""
        return self._recorder.open_runs

    def trace_ref(self, run_id: UUID | str) -> "TraceRef | None":
        """Return where to find a run among the traces, while it runs and afterwards; ``None`` if it is not known.

        Args:
            run_id: LangChain's id of the run, such as ``config={"run_id": ...}``, or the ``id`` of a message. At least
                the last 4096 runs are remembered; a hidden one is found at its nearest visible ancestor.
        """
        from otel_callbacks.feedback import TraceRef

        places = map(self._recorder.place, possible_keys(run_id))
        return next((TraceRef.of(place) for place in places if place is not None), None)

    def subscribe(self, callback: Callable[[RunSummary], object]) -> Callable[[], None]:
        """Call `callback` with a summary of each run whose span has ended, on the thread that ended it.

        Applies to runs that start from now on. Its exceptions are counted in ``otel_callbacks.errors`` and logged once.

        Returns:
            A callable that ends the subscription.

        Raises:
            TypeError: `callback` cannot be called.
        """
        if not callable(callback):
            raise TypeError(f"callback={callback!r}: must be a callable that takes a RunSummary")
        return self._recorder.subscribe(callback)

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Have the providers export what they hold; return true only if everything left within `timeout_s` seconds."""
        self._recorder.closing.close_due()
        return flush(self._providers, timeout_s)

    def close(self) -> None:
        """End open runs as abandoned, and ignore later events. The providers are left alone."""
        self._ignore_everything()
        self._recorder.closing.close_all()

    def __enter__(self) -> "OTelCallbackHandler":  # noqa: PYI034 - typing.Self needs Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Copies: models and graphs are copied with the handlers attached to them

    def __copy__(self) -> "OTelCallbackHandler":
        return self

    def __deepcopy__(self, _: Any) -> "OTelCallbackHandler":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as a new handler with the same options on the other side's global providers."""
        return _unpickle, (self.config.without_callables(),)

    # How and which events LangChain sends

    @property
    def run_inline(self) -> bool:  # type: ignore[override]
        """True: callbacks run where the event happens, the only way to make a span current in an async body.

        False where that would keep the event from other handlers.
        """
        # LangChain reads this three times per token of an async stream; only one of its functions needs a closer look.
        depth = 1
        function = _frame(depth).f_code.co_name
        if function == "<listcomp>":  # has a frame of its own before Python 3.12
            depth = 2
            function = _frame(depth).f_code.co_name
        return function != "on_llm_start" or not starves_others(self, _frame(depth))

    raise_error = False
    # Plain attributes where the base class has properties: LangChain reads one before every event.
    ignore_llm = ignore_chat_model = ignore_chain = ignore_agent = False
    ignore_retriever = ignore_retry = ignore_custom_event = False

    def _ignore_everything(self) -> None:
        self._ignored = True  # for callers that skip the `ignore_*` attributes
        for event in ("llm", "chat_model", "chain", "agent", "retriever", "retry", "custom_event"):
            setattr(self, f"ignore_{event}", True)

    # Models

    def on_chat_model_start(
        self,
        serialized: Any,
        messages: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: Any = None,
        metadata: Any = None,
        name: Any = None,
        invocation_params: Any = None,
        options: Any = None,
        batch_size: Any = None,
        **_: Any,
    ) -> None:
        start = RunStart("chat", name, serialized, messages, tags, metadata, invocation_params, options, batch_size)
        self._start(run_id, parent_run_id, start)

    def on_llm_start(
        self,
        serialized: Any,
        prompts: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: Any = None,
        metadata: Any = None,
        name: Any = None,
        invocation_params: Any = None,
        options: Any = None,
        batch_size: Any = None,
        **_: Any,
    ) -> None:
        start = RunStart("llm", name, serialized, prompts, tags, metadata, invocation_params, options, batch_size)
        self._start(run_id, parent_run_id, start)

    def on_llm_new_token(
        self,
        token: Any = "",
        *,
        chunk: Any = None,
        run_id: UUID,
        parent_run_id: UUID | None = None,  # noqa: ARG002
        tags: Any = None,  # noqa: ARG002
        **_: Any,
    ) -> None:
        """Named arguments, so that no dictionary is built: after the first chunk with content this is one look-up."""
        try:
            if (run_id.int if type(run_id) is UUID else run_key(run_id)) in self._recorder.awaiting:
                self._recorder.chunk(run_id, token, chunk)
        except Exception as error:  # noqa: BLE001 - telemetry never breaks the application
            self._failed("chunk", error)

    def on_stream_event(self, event: Any, *, run_id: UUID, **_: Any) -> None:
        try:
            key = run_id.int if type(run_id) is UUID else run_key(run_id)
            if key in self._recorder.awaiting and event.get("event") == "content-block-delta":
                self._recorder.chunk(run_id, event, None)
        except Exception as error:  # noqa: BLE001
            self._failed("chunk", error)

    def on_llm_end(self, response: Any, *, run_id: UUID, **_: Any) -> None:
        self._end(run_id, response)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._fail(run_id, error, kwargs.get("response"))

    # Chains

    def on_chain_start(
        self,
        serialized: Any,
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: Any = None,
        metadata: Any = None,
        name: Any = None,
        run_type: Any = None,
        **_: Any,
    ) -> None:
        kind: RunType = "chain" if run_type is None else chain_type(run_type)
        self._start(run_id, parent_run_id, RunStart(kind, name, serialized, inputs, tags, metadata, NOTHING, NOTHING))

    def on_chain_end(self, outputs: Any, *, run_id: UUID, inputs: Any = None, **_: Any) -> None:
        self._end(run_id, outputs, inputs)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        self._fail(run_id, error)

    # Tools

    def on_tool_start(
        self,
        serialized: Any,
        input_str: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: Any = None,
        metadata: Any = None,
        name: Any = None,
        inputs: Any = None,
        tool_call_id: Any = None,
        **_: Any,
    ) -> None:
        arguments = input_str if inputs is None else inputs  # older releases of LangChain pass the text only
        params = {"tool_call_id": tool_call_id}
        start = RunStart("tool", name, serialized, arguments, tags, metadata, params, NOTHING)
        self._start(run_id, parent_run_id, start)

    def on_tool_end(self, output: Any, *, run_id: UUID, **_: Any) -> None:
        self._end(run_id, output)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        self._fail(run_id, error)

    # Retrievers

    def on_retriever_start(
        self,
        serialized: Any,
        query: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: Any = None,
        metadata: Any = None,
        name: Any = None,
        **_: Any,
    ) -> None:
        start = RunStart("retriever", name, serialized, query, tags, metadata, NOTHING, NOTHING)
        self._start(run_id, parent_run_id, start)

    def on_retriever_end(self, documents: Any, *, run_id: UUID, **_: Any) -> None:
        self._end(run_id, documents)

    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        self._fail(run_id, error)

    # Events inside a run

    def on_agent_action(self, action: Any, *, run_id: UUID, **_: Any) -> None:  # noqa: ARG002
        """Only an ``AgentExecutor`` sends this, whatever its run is called."""
        self._guard("agent_action", lambda: self._recorder.agent_acts(run_id))

    def on_agent_finish(self, finish: Any, *, run_id: UUID, **_: Any) -> None:  # noqa: ARG002
        self._guard("agent_action", lambda: self._recorder.agent_acts(run_id))

    def on_retry(self, retry_state: Any, *, run_id: UUID, **_: Any) -> None:  # noqa: ARG002
        self._guard("retry", lambda: self._recorder.retried(run_id))

    def on_custom_event(self, name: str, data: Any, *, run_id: UUID, **_: Any) -> None:
        self._guard("custom_event", lambda: self._recorder.custom_event(run_id, str(name), data))

    def on_interrupt(self, event: Any) -> None:
        """LangGraph's ``GraphCallbackHandler.on_interrupt``: a graph pauses for a person."""
        recorder = self._recorder
        self._guard("interrupt", lambda: recorder.interrupted(event.run_id, event.interrupts, event.checkpoint_id))

    def on_resume(self, event: Any) -> None:
        """LangGraph's ``GraphCallbackHandler.on_resume``: a graph goes on from where it paused."""
        self._guard("resume", lambda: self._recorder.resumed(event.run_id, event.checkpoint_id))

    # The guard around every event. Frequent events spell it out, which saves a call each

    def _start(self, run_id: UUID, parent_run_id: UUID | None, start: RunStart) -> None:
        if self._ignored:
            return
        try:
            normalise(start)
            block = current_block()
            if block.metadata:
                start.metadata = {**block.metadata, **start.metadata}
            self._recorder.start(run_id, parent_run_id, start, block)
            if not self._is_graph_handler and LANGGRAPH in sys.modules:
                self._become_graph_handler()
        except Exception as error:  # noqa: BLE001 - telemetry never breaks the application
            self._failed("start", error)

    def _end(self, run_id: UUID, result: Any, inputs: Any = None) -> None:
        try:
            self._recorder.end(run_id, result, inputs)
        except Exception as error:  # noqa: BLE001
            self._failed("end", error)

    def _fail(self, run_id: UUID, error: BaseException, partial: Any = None) -> None:
        try:
            self._recorder.fail(run_id, error, partial)
        except Exception as failure:  # noqa: BLE001
            self._failed("end", failure)

    def _guard(self, kind: str, record: Callable[[], None]) -> None:
        try:
            record()
        except Exception as error:  # noqa: BLE001
            self._failed(kind, error)

    def _failed(self, kind: str, error: BaseException) -> None:
        try:
            self._recorder.failed(kind, error)
        except Exception:  # noqa: BLE001 - not even the providers work
            logger.debug("otel_callbacks failed in %s", kind)

    def _become_graph_handler(self) -> None:
        """Turn into LangGraph's own handler class, which alone gets its events, once LangGraph is loaded."""
        graph_handler = graph_class(type(self))
        if graph_handler is not None:
            self._is_graph_handler = True
            self.__class__ = graph_handler


def _unpickle(config: Config) -> OTelCallbackHandler:
    return OTelCallbackHandler(config=config)
