"""The callback handler: one short method per LangChain hook."""

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import BaseCallbackHandler

from otel_callbacks._langchain.graph_handler import LANGGRAPH, graph_class
from otel_callbacks._langchain.place import starves_others
from otel_callbacks._langchain.run_start import RunStart
from otel_callbacks._mapping.bounds import plain_text
from otel_callbacks._runs import flush as _flush
from otel_callbacks._runs.destination import Destination
from otel_callbacks._runs.recorder import Recorder
from otel_callbacks.config import Config, sdk_disabled
from otel_callbacks.control import current
from otel_callbacks.semconv import DIALECTS
from otel_callbacks.types import RunSummary, RunType

if TYPE_CHECKING:
    from uuid import UUID

    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from otel_callbacks.feedback import TraceRef

logger = logging.getLogger("otel_callbacks")

_NOTHING: Mapping[str, Any] = {}
_INNER_CHAINS: Mapping[str, RunType] = {"prompt": "prompt", "parser": "parser"}
"""Chains whose own type LangChain tells."""
_ONE_PROMPT = (None, 1)
_frame = sys._getframe  # noqa: SLF001 - the documented way to one's own stack
_LONGEST_NAME = 256
"""Characters of a run's name that count."""


class OTelCallbackHandler(BaseCallbackHandler):
    """Turns the events of LangChain and LangGraph into OpenTelemetry GenAI spans and metrics.

    Make one and attach it wherever LangChain takes callbacks; it serves all threads, tasks and requests::

        handler = OTelCallbackHandler()
        chain.invoke(question, config={"callbacks": [handler]})

    No hook ever raises; what fails inside is counted in ``otel_callbacks.errors`` and logged once per kind.

    Args:
        tracer_provider: where spans go; the global provider by default, also one that is set later.
        meter_provider: where measurements go; the global provider by default, likewise.
        logger_provider: where events go; the global provider by default, likewise.
        config: options; `Config.from_env()` by default.

    Raises:
        TypeError: `config` is not a `Config`.
    """

    raise_error = False

    def __init__(
        self,
        *,
        tracer_provider: "TracerProvider | None" = None,
        meter_provider: "MeterProvider | None" = None,
        logger_provider: "LoggerProvider | None" = None,
        config: Config | None = None,
    ) -> None:
        if config is not None and not isinstance(config, Config):
            message = f"config={config!r}: must be a Config, or None to read the environment"
            raise TypeError(message)
        self.config = config if config is not None else Config.from_env()
        self._providers = (tracer_provider, meter_provider, logger_provider)
        self._ignored = sdk_disabled()
        destination = Destination(tracer_provider, meter_provider, DIALECTS[self.config.semconv])
        self._recorder = Recorder(self.config, destination, logger_provider)
        self._is_graph_handler = False
        if self._ignored:
            self._ignore_everything()
        self._become_graph_handler()

    # What the application may ask

    @property
    def open_runs(self) -> int:
        """Number of runs that have started and not ended, of all handlers on the same tracer provider."""
        return self._recorder.open_runs

    def trace_ref(self, run_id: "UUID | str") -> "TraceRef | None":
        """Where a run is found among the traces, while it runs and afterwards; ``None`` where it is not known.

        Args:
            run_id: LangChain's id of the run, such as ``config={"run_id": ...}``; a message's ``id`` will do, too. The
                last few thousand runs of the process are known. A hidden run is found at its nearest visible ancestor
                while it runs.
        """
        from otel_callbacks.feedback import TraceRef, run_key

        key = run_key(run_id)
        place = self._recorder.place(key) if key is not None else None
        return TraceRef.of(place) if place is not None else None

    def subscribe(self, callback: Callable[[RunSummary], object]) -> Callable[[], None]:
        """Have `callback` called in line after each span of this handler ended, with what is known of the run.

        For runs that start from now on. What it raises is counted in ``otel_callbacks.errors`` and logged once.

        Returns:
            A callable that ends the subscription.

        Raises:
            TypeError: `callback` cannot be called.
        """
        if not callable(callback):
            raise TypeError(f"callback={callback!r}: must be a callable that takes a RunSummary")
        return self._recorder.subscribe(callback)

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Have the providers export what they hold; true only if everything left within `timeout_s` seconds."""
        self._recorder.closing.tend()
        return _flush.flush(self._providers, timeout_s)

    def close(self) -> None:
        """End the runs that are open, as abandoned; later events are ignored. The providers stay as they are."""
        self._ignored = True
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

        Except where that would keep the event from other handlers.
        """
        # LangChain asks three times for each token of an async stream: only one of its functions needs a closer look.
        depth = 1
        function = _frame(depth).f_code.co_name
        if function == "<listcomp>":  # has a frame of its own before Python 3.12
            depth = 2
            function = _frame(depth).f_code.co_name
        return function != "on_llm_start" or not starves_others(self, _frame(depth))

    # Plain attributes where the base class has properties: LangChain reads one before every event.
    ignore_llm = False
    ignore_chat_model = False
    ignore_chain = False
    ignore_agent = False
    ignore_retriever = False
    ignore_retry = False
    ignore_custom_event = False

    def _ignore_everything(self) -> None:
        for event in ("llm", "chat_model", "chain", "agent", "retriever", "retry", "custom_event"):
            setattr(self, f"ignore_{event}", True)

    # Models

    def on_chat_model_start(
        self,
        serialized: Any,
        messages: Any,
        *,
        run_id: "UUID",
        parent_run_id: "UUID | None" = None,
        tags: Any = None,
        metadata: Any = None,
        name: Any = None,
        invocation_params: Any = None,
        options: Any = None,
        batch_size: Any = None,
        **_: Any,
    ) -> None:
        asked = invocation_params, options, batch_size
        self._start("chat", serialized, messages, run_id, parent_run_id, name, tags, metadata, asked)

    def on_llm_start(
        self,
        serialized: Any,
        prompts: Any,
        *,
        run_id: "UUID",
        parent_run_id: "UUID | None" = None,
        tags: Any = None,
        metadata: Any = None,
        name: Any = None,
        invocation_params: Any = None,
        options: Any = None,
        batch_size: Any = None,
        **_: Any,
    ) -> None:
        asked = invocation_params, options, batch_size
        self._start("llm", serialized, prompts, run_id, parent_run_id, name, tags, metadata, asked)

    def on_llm_new_token(
        self,
        token: Any = "",
        *,
        chunk: Any = None,
        run_id: "UUID",
        parent_run_id: "UUID | None" = None,  # noqa: ARG002
        tags: Any = None,  # noqa: ARG002
        **_: Any,
    ) -> None:
        """Named arguments, so that no dictionary is built: after the first chunk with content this is one look-up."""
        try:
            if run_id.int in self._recorder.awaiting:
                self._recorder.chunk(run_id, token, chunk)
        except Exception as error:  # noqa: BLE001 - telemetry never breaks the application
            self._failed("chunk", error)

    def on_stream_event(self, event: Any, *, run_id: "UUID", **_: Any) -> None:
        try:
            if run_id.int in self._recorder.awaiting and event.get("event") == "content-block-delta":
                self._recorder.chunk(run_id, event, None)
        except Exception as error:  # noqa: BLE001
            self._failed("chunk", error)

    def on_llm_end(self, response: Any, *, run_id: "UUID", **_: Any) -> None:
        self._end(run_id, response)

    def on_llm_error(self, error: BaseException, *, run_id: "UUID", **kwargs: Any) -> None:
        self._fail(run_id, error, kwargs.get("response"))

    # Chains

    def on_chain_start(
        self,
        serialized: Any,
        inputs: Any,
        *,
        run_id: "UUID",
        parent_run_id: "UUID | None" = None,
        tags: Any = None,
        metadata: Any = None,
        name: Any = None,
        run_type: Any = None,
        **_: Any,
    ) -> None:
        self._start("chain", serialized, inputs, run_id, parent_run_id, name, tags, metadata, None, run_type)

    def on_chain_end(self, outputs: Any, *, run_id: "UUID", inputs: Any = None, **_: Any) -> None:
        self._end(run_id, outputs, inputs)

    def on_chain_error(self, error: BaseException, *, run_id: "UUID", **_: Any) -> None:
        self._fail(run_id, error)

    # Tools

    def on_tool_start(
        self,
        serialized: Any,
        input_str: Any,
        *,
        run_id: "UUID",
        parent_run_id: "UUID | None" = None,
        tags: Any = None,
        metadata: Any = None,
        name: Any = None,
        inputs: Any = None,
        tool_call_id: Any = None,
        **_: Any,
    ) -> None:
        arguments = input_str if inputs is None else inputs
        asked = {"tool_call_id": tool_call_id}, None, None
        self._start("tool", serialized, arguments, run_id, parent_run_id, name, tags, metadata, asked)

    def on_tool_end(self, output: Any, *, run_id: "UUID", **_: Any) -> None:
        self._end(run_id, output)

    def on_tool_error(self, error: BaseException, *, run_id: "UUID", **_: Any) -> None:
        self._fail(run_id, error)

    # Retrievers

    def on_retriever_start(
        self,
        serialized: Any,
        query: Any,
        *,
        run_id: "UUID",
        parent_run_id: "UUID | None" = None,
        tags: Any = None,
        metadata: Any = None,
        name: Any = None,
        **_: Any,
    ) -> None:
        self._start("retriever", serialized, query, run_id, parent_run_id, name, tags, metadata)

    def on_retriever_end(self, documents: Any, *, run_id: "UUID", **_: Any) -> None:
        self._end(run_id, documents)

    def on_retriever_error(self, error: BaseException, *, run_id: "UUID", **_: Any) -> None:
        self._fail(run_id, error)

    # Everything else

    def on_agent_action(self, action: Any, *, run_id: "UUID", **_: Any) -> None:  # noqa: ARG002
        """Only an ``AgentExecutor`` sends this, whatever its run is called."""
        self._agent_acts(run_id)

    def on_agent_finish(self, finish: Any, *, run_id: "UUID", **_: Any) -> None:  # noqa: ARG002
        self._agent_acts(run_id)

    def _agent_acts(self, run_id: "UUID") -> None:
        try:
            self._recorder.agent_acts(run_id)
        except Exception as error:  # noqa: BLE001
            self._failed("agent_action", error)

    def on_retry(self, retry_state: Any, *, run_id: "UUID", **_: Any) -> None:  # noqa: ARG002
        try:
            self._recorder.retried(run_id)
        except Exception as error:  # noqa: BLE001
            self._failed("retry", error)

    def on_custom_event(self, name: str, data: Any, *, run_id: "UUID", **_: Any) -> None:
        try:
            self._recorder.custom_event(run_id, str(name), data)
        except Exception as error:  # noqa: BLE001
            self._failed("custom_event", error)

    def on_interrupt(self, event: Any) -> None:
        """LangGraph's ``GraphCallbackHandler.on_interrupt``: a graph pauses for a human."""
        try:
            self._recorder.interrupted(event.run_id, event.interrupts, event.checkpoint_id)
        except Exception as error:  # noqa: BLE001
            self._failed("interrupt", error)

    def on_resume(self, event: Any) -> None:
        """LangGraph's ``GraphCallbackHandler.on_resume``: a graph goes on from where it paused."""
        try:
            self._recorder.resumed(event.run_id, event.checkpoint_id)
        except Exception as error:  # noqa: BLE001
            self._failed("resume", error)

    # The guard around every event

    def _start(
        self,
        run_type: RunType,
        serialized: Any,
        inputs: Any,
        run_id: "UUID",
        parent_run_id: "UUID | None",
        name: Any,
        tags: Any,
        metadata: Any,
        asked: tuple[Any, Any, Any] | None = None,
        told: Any = None,
    ) -> None:
        """`asked`: parameters, options and number of prompts of a call. `told`: what LangChain says a chain is."""
        if self._ignored:
            return
        try:
            start = _normalise(run_type, serialized, inputs, name, tags, metadata, asked, told)
            block = current()
            if block.metadata:
                start.metadata = {**block.metadata, **start.metadata}
            self._recorder.start(run_id, parent_run_id, start, block)
            if not self._is_graph_handler and LANGGRAPH in sys.modules:
                self._become_graph_handler()
        except Exception as error:  # noqa: BLE001 - telemetry never breaks the application
            self._failed("start", error)

    def _end(self, run_id: "UUID", result: Any, inputs: Any = None) -> None:
        try:
            self._recorder.end(run_id, result, inputs)
        except Exception as error:  # noqa: BLE001
            self._failed("end", error)

    def _fail(self, run_id: "UUID", error: BaseException, partial: Any = None) -> None:
        try:
            self._recorder.fail(run_id, error, partial)
        except Exception as failure:  # noqa: BLE001
            self._failed("end", failure)

    def _failed(self, kind: str, error: BaseException) -> None:
        try:
            self._recorder.failed(kind, error)
        except Exception:  # noqa: BLE001 - not even the providers work
            logger.debug("otel_callbacks failed in %s", kind)

    def _become_graph_handler(self) -> None:
        made = graph_class(type(self))
        if made is not None:
            self._is_graph_handler = True
            self.__class__ = made


def _normalise(
    run_type: RunType,
    serialized: Any,
    inputs: Any,
    name: Any,
    tags: Any,
    metadata: Any,
    asked: tuple[Any, Any, Any] | None,
    told: Any,
) -> RunStart:
    """LangChain's arguments as plain values of known types; nothing below sees others."""
    known = serialized if isinstance(serialized, dict) else _NOTHING
    name, tags = _name(name, known), _tags(tags)
    if not isinstance(metadata, dict):
        metadata = _NOTHING
    if asked is None:
        if isinstance(told, str):
            run_type = _INNER_CHAINS.get(told, run_type)
        return RunStart(run_type, name, known, inputs, tags, metadata, _NOTHING, _NOTHING)
    if run_type == "chat" and isinstance(inputs, list) and inputs:
        inputs = inputs[0]  # a list of one prompt: LangChain starts a run for each
    params, options, prompts = asked
    single = prompts in _ONE_PROMPT
    return RunStart(run_type, name, known, inputs, tags, metadata, _mapping(params), _mapping(options), single)


def _name(given: Any, serialized: Mapping[str, Any]) -> str:
    if isinstance(given, str) and given:
        return plain_text(given)[:_LONGEST_NAME]
    name = serialized.get("name")
    if isinstance(name, str) and name:
        return plain_text(name)[:_LONGEST_NAME]
    path = serialized.get("id")
    return plain_text(path[-1]) if isinstance(path, (list, tuple)) and path and isinstance(path[-1], str) else ""


def _tags(tags: Any) -> Sequence[str]:
    if not isinstance(tags, (list, tuple)):
        return ()
    for tag in tags:
        if type(tag) is not str:
            return tuple([plain_text(tag) for tag in tags if isinstance(tag, str)])
    return tuple(tags)  # as nearly always: a third of the cost of choosing


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else _NOTHING


def _unpickle(config: Config) -> OTelCallbackHandler:
    return OTelCallbackHandler(config=config)
