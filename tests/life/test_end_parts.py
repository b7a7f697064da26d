"""A run's end has many parts. Whatever one of them meets, the others are recorded."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from uuid import uuid4

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, ToolMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableLambda
from langgraph.errors import GraphInterrupt, ParentCommand
from opentelemetry import context as context_api
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanProcessor

from otel_callbacks import Price
from otel_callbacks._content.identities import Identities
from tests.life.hostile import Faceless, HostileDict, HostileError
from tests.support.models import ScriptedChat, usage
from tests.support.programs import CORE
from tests.support.recorded_spans import RecordedSpans

KIND = "otel_callbacks.error.kind"


def hands_off(*_: Any, **__: Any) -> Any:
    """Stand for code of others that fails."""
    raise RuntimeError("hands off")


class Unpayable(float):
    """A price that cannot be multiplied."""

    __mul__ = __rmul__ = hands_off


class Endless(str):
    """A text without a length."""

    __slots__ = ()
    __len__ = hands_off


class Refused(Exception):  # noqa: N818
    """A provider's error."""

    status_code = 429


class Breaking(BaseChatModel):
    """A model whose stream gives one chunk with everything in it, and then breaks."""

    error: Any
    sabotage: Any
    """Gets the chunk just before the stream breaks."""

    @property
    def _llm_type(self) -> str:
        return "breaking"

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        raise NotImplementedError

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        facts = {"model_name": "acme-1", "finish_reason": "stop"}
        message = AIMessageChunk("partial", usage_metadata=usage(7, 5), response_metadata=facts)
        chunk = ChatGenerationChunk(message=message)
        yield chunk
        self.sabotage(chunk)
        raise self.error


class BadSpans(SpanProcessor):
    """Replaces one method of each span with one that fails."""

    def __init__(self, method: str) -> None:
        self.method = method

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        setattr(span, self.method, hands_off)


class BadEnd(SpanProcessor):
    """Fails at the end of each span."""

    on_end = hands_off


class BadLogs(LogRecordProcessor):
    """Fails at every log record."""

    on_emit = emit = hands_off

    def shutdown(self) -> None:
        pass

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


class BadMeters(MeterProvider):
    """Makes histograms of one name that fail."""

    def __init__(self, reader: InMemoryMetricReader, bad: str) -> None:
        super().__init__([reader], shutdown_on_exit=False)
        self.bad = bad

    def get_meter(self, *args: Any, **kwargs: Any) -> Any:
        meter = super().get_meter(*args, **kwargs)
        create = meter.create_histogram

        def create_histogram(name: str, *args: Any, **kwargs: Any) -> Any:
            histogram = create(name, *args, **kwargs)
            if name == self.bad:
                histogram.record = hands_off
            return histogram

        meter.create_histogram = create_histogram  # type: ignore[method-assign]
        return meter


def spoil_message(**values: Any) -> Callable[[Any], None]:
    """Make a sabotage that puts values into the fields of the message, unchecked."""
    return lambda chunk: chunk.message.__dict__.update(values)


def spoil_choice(chunk: Any) -> None:
    """Make the chunk's own metadata unreadable."""
    chunk.__dict__["generation_info"] = Faceless()


def spoil_text(chunk: Any) -> None:
    """Give the chunk a text without a length."""
    chunk.__dict__["text"] = Endless("partial")


def spoil_metadata(key: str) -> Callable[[Any], None]:
    """Make a sabotage that replaces one entry of the response's metadata."""
    return lambda chunk: chunk.message.response_metadata.update({key: Faceless()})


def facts(telemetry: RecordedSpans, summaries: list[Any]) -> set[str]:
    """Return which facts of the broken call were recorded, each by what a reader of the telemetry sees."""
    span = telemetry.span("chat")
    attributes = dict(span.attributes or {})
    event = dict(span.events[0].attributes or {}) if span.events else {}
    found = {
        "outcome": attributes.get("otel_callbacks.outcome") == "error",
        "error type": "error.type" in attributes,
        "status": not span.status.is_unset,
        "model": attributes.get("gen_ai.response.model") == "acme-1",
        "finish reason": attributes.get("gen_ai.response.finish_reasons") == ("stop",),
        "usage": attributes.get("gen_ai.usage.input_tokens") == 7,
        "cost": "otel_callbacks.cost.usd" in attributes,
        "first chunk": "gen_ai.response.time_to_first_chunk" in attributes,
        "partial length": attributes.get("otel_callbacks.stream.partial_length") == len("partial"),
        "input": "gen_ai.input.messages" in attributes,
        "output": "gen_ai.output.messages" in attributes,
        "log event": len(telemetry.logs) == 1,
        "exception": {"exception.type", "exception.stacktrace"} <= event.keys(),
        "exception's status": event.get("http.response.status_code") == 429,
        "exception's message": "exception.message" in event,
        "exception once": telemetry.span("invoke_workflow outer").events == (),
        "run": telemetry.total("otel_callbacks.runs", langchain__run_type="chat") == 1,
        "duration point": telemetry.count("gen_ai.client.operation.duration") == 1,
        "first chunk point": telemetry.count("gen_ai.client.operation.time_to_first_chunk") == 1,
        "token points": telemetry.count("gen_ai.client.token.usage") == 2,
        "finish reason point": telemetry.total("otel_callbacks.finish_reasons") == 1,
        "cost point": telemetry.total("otel_callbacks.cost") > 0,
        "summary": [summary.operation for summary in summaries] == ["chat", "invoke_workflow"],
    }
    return {name for name, is_recorded in found.items() if is_recorded}


MODEL = {"model", "finish reason", "finish reason point"}
COST = {"cost", "cost point"}
ON_SPAN = {"outcome", "error type", "model", "finish reason", "usage", "cost", "first chunk", "partial length"}
CONTENT = {"input", "output"}
MESSAGE = {"exception's status", "exception's message"}

PARTS: dict[str, tuple[dict[str, Any], set[str], set[str]]] = {
    "nothing": ({}, set(), set()),
    "response": ({"sabotage": spoil_metadata("model_name")}, {"mapping"}, MODEL | COST),
    "usage": ({"sabotage": spoil_message(usage_metadata=Faceless())}, {"usage"}, COST | {"usage", "token points"}),
    "price": ({"price": Price(Unpayable(1.0), 1.0)}, {"price"}, COST),
    "price of one part": ({"price": Price(1.0, Unpayable(1.0))}, {"price"}, COST),
    "stream": ({"sabotage": spoil_text}, {"stream"}, {"partial length"}),
    "message": ({"sabotage": spoil_message(content=[HostileDict(type="text")])}, set(), set()),
    "content": ({"sabotage": spoil_choice}, {"mapping", "content"}, {"finish reason", "finish reason point", "output"}),
    "log event": ({"logs": BadLogs()}, {"content"}, {"log event"}),
    "attributes": ({"spans": BadSpans("set_attributes")}, {"attributes"}, ON_SPAN | CONTENT),
    "status": ({"spans": BadSpans("set_status")}, {"status"}, {"status"}),
    "exception": ({"error": HostileError()}, {"exception", "content"}, MESSAGE),
    "exception event": ({"spans": BadSpans("add_event")}, {"exception"}, MESSAGE | {"exception"}),
    "end of the span": ({"spans": BadEnd()}, {"end_span"}, set()),
    "duration": ({"histogram": "gen_ai.client.operation.duration"}, {"measure"}, {"duration point"}),
    "tokens": ({"histogram": "gen_ai.client.token.usage"}, {"measure"}, {"token points"}),
    "subscriber": ({"subscriber": hands_off}, {"subscriber"}, set()),
}
"""What fails, the kinds under which it is counted, and the facts that depend on it."""


def record(
    *,
    error: Exception | None = None,
    sabotage: Callable[[Any], None] = lambda _: None,
    price: Price = Price(1.0, 1.0),  # noqa: B008 - immutable
    logs: LogRecordProcessor | None = None,
    spans: SpanProcessor | None = None,
    histogram: str = "",
    subscriber: Callable[[Any], None] = lambda _: None,
) -> tuple[RecordedSpans, set[str]]:
    """Record a chain whose model breaks, and return the telemetry and the facts in it."""
    telemetry = RecordedSpans()
    telemetry.reader = telemetry._metrics = InMemoryMetricReader()
    telemetry.meter_provider = BadMeters(telemetry.reader, histogram)
    if logs is not None:
        telemetry.logger_provider = LoggerProvider(shutdown_on_exit=False)
        telemetry.logger_provider.add_log_record_processor(logs)
    if spans is not None:
        telemetry.tracer_provider.add_span_processor(spans)
    handler = telemetry.new_handler(prices={"acme-1": price}, capture="span_and_event")
    summaries: list[Any] = []
    handler.subscribe(subscriber)
    handler.subscribe(summaries.append)
    error = error or Refused("no")
    model = Breaking(error=error, sabotage=sabotage)
    outer = RunnableLambda(lambda text: list(model.stream(text))).with_config(run_name="outer")
    before = context_api.get_current()
    with pytest.raises(type(error)) as caught:
        outer.invoke("x", {"callbacks": [handler]})
    assert caught.value is error
    assert context_api.get_current() == before
    assert handler.open_runs == 0
    return telemetry, facts(telemetry, summaries)


@pytest.fixture(scope="module")
def everything() -> set[str]:
    """Return the facts of the call when only its model fails."""
    return record()[1]


@pytest.mark.parametrize("part", PARTS)
def test_part_that_fails_loses_only_what_depends_on_it(part: str, everything: set[str], caplog):
    """When a part of a run's end fails, all else is recorded, and the failure is counted and logged under its name."""
    if CORE < (1, 0) and part in ("stream", "message"):
        pytest.skip("before LangChain 1.0 a choice keeps a copy of its message's text")
    spoiled, kinds, lost = PARTS[part]
    telemetry, recorded = record(**spoiled)
    assert len(everything) == 23
    assert everything - recorded == lost
    assert {point.labels[KIND] for point in telemetry.metric("otel_callbacks.errors")} == kinds
    ours = [message.args[0] for message in caplog.records if message.name == "otel_callbacks" and message.args]
    assert sorted(ours) == sorted(kinds)


def test_answer_that_cannot_be_searched_for_secrets_does_not_leave(everything: set[str], monkeypatch):
    """When the search for secrets fails, what the model reported of itself is left out, and all else is recorded."""
    telemetry, recorded = record(sabotage=lambda _: monkeypatch.setattr(Identities, "clean", hands_off))
    assert everything - recorded == MODEL | COST
    assert {point.labels[KIND] for point in telemetry.metric("otel_callbacks.errors")} == {"redact"}


def test_runbook_explains_every_kind_of_failure():
    """The runbook has a line for each kind under which the code counts failures."""
    root = Path(__file__).parents[2]
    code = "".join(path.read_text() for path in (root / "otel_callbacks").rglob("*.py"))
    kinds = set(re.findall(r'(?:failed|_guard)\("(\w+)"', code)) | set(re.findall(r'errors\["(\w+)",\]', code))
    runbook = (root / "docs/runbooks.md").read_text()
    assert {"price", "evicted", "start_span"} <= kinds
    assert not [kind for kind in kinds if f"`{kind}`" not in runbook]


class Undecided(ToolMessage):
    """A tool's answer whose status cannot be read."""

    def __getattribute__(self, name: str) -> Any:
        return hands_off() if name == "status" else super().__getattribute__(name)


def test_tool_whose_outcome_cannot_be_read_ends(telemetry: RecordedSpans):
    """A tool's result that cannot be asked whether it failed costs only that answer."""
    handler = telemetry.new_handler()
    run_id = uuid4()
    handler.on_tool_start({}, "x", run_id=run_id, name="odd")
    handler.on_tool_end(Undecided("x", tool_call_id="1"), run_id=run_id)
    assert telemetry.tree("gen_ai.tool.call.id") == "execute_tool odd gen_ai.tool.call.id='1'"
    assert telemetry.count("gen_ai.execute_tool.duration") == 1
    assert telemetry.total("otel_callbacks.errors", otel_callbacks__error__kind="outcome") == 1


@pytest.mark.parametrize("kind", [GraphInterrupt, ParentCommand])
def test_control_flow_whose_details_cannot_be_read_stays_control_flow(telemetry: RecordedSpans, kind: Any):
    """An interrupt or a hand-off with an odd payload keeps its outcome, and its span ends."""
    handler = telemetry.new_handler(capture="span_only")
    run_id = uuid4()
    handler.on_chain_start({}, "x", run_id=run_id, name="odd")
    error = kind(())
    error.args = (Faceless(),)
    handler.on_chain_error(error, run_id=run_id)
    outcome = "interrupted" if kind is GraphInterrupt else "handed_off"
    assert telemetry.tree() == f"invoke_workflow odd [{outcome}]"
    assert telemetry.total("otel_callbacks.errors", otel_callbacks__error__kind="mapping") == 1


@pytest.mark.parametrize("error", [ValueError, RecursionError])
def test_price_list_that_raises_leaves_the_call_unpriced(telemetry: RecordedSpans, monkeypatch, error):
    """A call for which the price list raises counts as one without a price, and everything else is recorded."""
    prices = pytest.importorskip("genai_prices")
    monkeypatch.setattr(prices, "calc_price", Mock(side_effect=error))
    facts = {"model_name": "gpt-4o", "finish_reason": "stop"}
    model = ScriptedChat(script=[AIMessage("hi", usage_metadata=usage(7, 5), response_metadata=facts)])
    model.invoke("x", {"callbacks": [telemetry.new_handler(cost=True)]})
    span = telemetry.span("chat")
    assert span.attributes["gen_ai.usage.input_tokens"] == 7
    assert span.attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert span.attributes["otel_callbacks.outcome"] == "ok"
    assert telemetry.count("gen_ai.client.operation.duration") == 1
    assert telemetry.count("gen_ai.client.token.usage") == 2
    assert telemetry.total("otel_callbacks.unpriced") == 1
    assert telemetry.total("otel_callbacks.errors", otel_callbacks__error__kind="price") == 1
