"""What tracers do where they differ: small programs under each of them, and a verdict on the resulting spans.

usage: python -m benchmarks.behaviour TRACER PROBE      prints true or false; `python -m benchmarks behaviour` runs all
"""

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypedDict

from langchain_core.caches import InMemoryCache
from langchain_core.messages import HumanMessage
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.tools import tool
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from benchmarks.modes import open_mode
from benchmarks.programs import OfflineChat, SilentChat
from benchmarks.providers import Drop, Providers

_INPUT_TOKENS = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
_TOKENS_PER_CALL = 120
_LONG = 1_000_000
_BOUND = 65_536
_SECRET = "sk-ant-" + "abcdefghijklmnopqrstuvwxyz012345"
_PICTURE = "iVBORw0KGgo" * 400


class Tracer:
    """One tracer on its own providers, active for the life of the process."""

    def __init__(self, name: str, *, capture: bool = False, sampled: bool = True) -> None:
        self._exporter = Drop()
        self._exporter.seen = []
        self._providers = Providers(self._exporter, sampled=sampled)
        mode = open_mode(name, self._providers, {"capture": "span_only"} if capture else {})
        mode.activate(True)
        self.config: Any = {"callbacks": mode.handlers}
        self.app = self._providers.tracer_provider.get_tracer("app")

    def spans(self) -> list[ReadableSpan]:
        """Return all spans so far except the app's own."""
        return [span for span in self.all_spans() if span.instrumentation_scope.name != "app"]  # type: ignore[union-attr]

    def all_spans(self) -> list[ReadableSpan]:
        """Return all spans so far."""
        self._providers.flush()
        return list(self._exporter.seen or ())

    def text(self) -> str:
        """Return everything that the spans hold, as text."""
        return "\n".join(span.to_json() for span in self.all_spans())

    def metrics(self) -> dict[str, Any]:
        """Return the data points by metric name."""
        data = self._providers.reader.get_metrics_data()
        scopes = [scope for resource in (data.resource_metrics if data else ()) for scope in resource.scope_metrics]
        return {metric.name: list(metric.data.data_points) for scope in scopes for metric in scope.metrics}


class _State(TypedDict):
    approved: bool


class _Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


def _failed(span: ReadableSpan) -> bool:
    return span.status.status_code is StatusCode.ERROR


def _models(spans: list[ReadableSpan]) -> list[ReadableSpan]:
    """Return the spans of model calls, known by attributes that no other span has."""
    marks = ("gen_ai.request.model", "gen_ai.system", "llm.model_name", "langfuse.observation.model.name")
    return [span for span in spans if any(mark in (span.attributes or {}) for mark in marks)]


def _input_tokens(spans: list[ReadableSpan]) -> int:
    def of(span: ReadableSpan) -> int:
        attributes = span.attributes or {}
        details = json.loads(str(attributes.get("langfuse.observation.usage_details", "{}")))
        return int(max([details.get("input", 0), *(attributes.get(key, 0) for key in _INPUT_TOKENS)]))

    return sum(map(of, spans))


def _span_in_a_tool(name: str) -> bool:
    """A span that an async tool opens is a child of the tool's span."""
    tracer = Tracer(name)

    @tool
    async def look_up(city: str) -> str:
        """Look something up."""
        with tracer.app.start_as_current_span("query"):
            return city

    asyncio.run(RunnableLambda(look_up.ainvoke).ainvoke({"city": "Oslo"}, tracer.config))
    [query] = [span for span in tracer.all_spans() if span.name == "query"]
    parents = [span for span in tracer.spans() if query.parent and span.context.span_id == query.parent.span_id]
    return any("look_up" in span.name for span in parents)


def _app_span_stays_current(name: str) -> bool:
    """A span that the app opens after a stream is a child of the app's own span."""
    tracer = Tracer(name)

    async def request() -> None:
        with tracer.app.start_as_current_span("request"):
            async for _ in (RunnableLambda(_identity) | OfflineChat(tokens=3)).astream("x", tracer.config):
                pass
            tracer.app.start_span("after").end()

    asyncio.run(request())
    spans = {span.name: span for span in tracer.all_spans()}
    return bool(spans["after"].parent == spans["request"].context)


def _identity(value: Any) -> Any:
    return value


def _batch(name: str) -> bool:
    """A batch of eight is eight traces."""
    tracer = Tracer(name)
    (RunnableLambda(_identity) | OfflineChat()).batch(["x"] * 8, tracer.config)
    return len({span.context.trace_id for span in tracer.spans()}) == 8  # noqa: PLR2004 - the eight above


def _cancelled_call(name: str) -> bool:
    """A cancelled model call has a span."""
    tracer = Tracer(name)

    async def cancel() -> None:
        task = asyncio.create_task(SilentChat().ainvoke("x", tracer.config))
        await asyncio.sleep(0.2)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        del task

    asyncio.run(cancel())
    return bool(_models(tracer.spans()))


def _stream_left_early(name: str) -> bool:
    """A stream that its reader leaves early has a span, which is not an error."""
    tracer = Tracer(name)
    stream = OfflineChat(tokens=9).stream("x", tracer.config)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    calls = _models(tracer.spans())
    return bool(calls) and not any(map(_failed, calls))


def _interrupted(tracer: Tracer) -> tuple[Any, Any]:
    """Run a graph until it waits for a person; return it and the configuration of its conversation."""
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.graph import END, START, StateGraph
    from langgraph.types import interrupt

    def approve(_: _State) -> _State:
        return {"approved": bool(interrupt("May I?"))}

    builder: Any = StateGraph(_State)
    builder.add_node("approve", approve)
    builder.add_edge(START, "approve")
    builder.add_edge("approve", END)
    graph, config = builder.compile(InMemorySaver()), {**tracer.config, "configurable": {"thread_id": "1"}}
    graph.invoke({"approved": False}, config)
    return graph, config


def _waits_for_a_person(name: str) -> bool:
    """A graph that waits for a person is not an error."""
    tracer = Tracer(name)
    _interrupted(tracer)
    spans = tracer.spans()
    return bool(spans) and not any(map(_failed, spans))


def _resumed(name: str) -> bool:
    """The run that resumes it is linked to the one that waited."""
    from langgraph.types import Command

    tracer = Tracer(name)
    graph, config = _interrupted(tracer)
    before = {span.context.trace_id for span in tracer.spans()}
    count = len(tracer.spans())
    graph.invoke(Command(resume=True), config)
    after = tracer.spans()[count:]
    linked = {link.context.trace_id for span in after for link in span.links}
    return bool(after) and ({span.context.trace_id for span in after} <= before or bool(linked & before))


def _fallbacks(name: str) -> bool:
    """Fallbacks are in the trace of their chain."""
    tracer = Tracer(name)
    (RunnableLambda(_identity) | OfflineChat(fails=True).with_fallbacks([OfflineChat()])).invoke("x", tracer.config)
    return len(_models(tracer.spans())) > 1 and len({span.context.trace_id for span in tracer.spans()}) == 1


def _cached_answer(name: str) -> bool:
    """The tokens of an answer from LangChain's cache are not counted again."""
    tracer = Tracer(name)
    model = OfflineChat(cache=InMemoryCache())
    for _ in range(2):
        model.invoke("x", tracer.config)
    return _input_tokens(tracer.spans()) == _TOKENS_PER_CALL


def _agent_tokens(name: str) -> bool:
    """The tokens of an agent's spans add up to what it used."""
    from langchain.agents import create_agent

    @tool
    def weather(city: str) -> str:
        """Report the weather."""
        return city

    tracer = Tracer(name)
    create_agent(OfflineChat(), [weather]).invoke({"messages": [HumanMessage("x")]}, tracer.config)
    calls = 4
    return _input_tokens(tracer.spans()) == calls * _TOKENS_PER_CALL


def _exception_text(name: str) -> bool:
    """With content off, the text of an exception is not exported."""
    tracer = Tracer(name)

    def fail(_: Any) -> None:
        raise ValueError("the patient said hello")

    with suppress(ValueError):
        (RunnableLambda(_identity) | RunnableLambda(fail)).invoke("x", tracer.config)
    with suppress(ConnectionError):
        OfflineChat(fails=True).invoke("x", tracer.config)
    return bool(tracer.spans()) and not any(part in tracer.text() for part in ("patient said", "no answer"))


def _secret_in_metadata(name: str) -> bool:
    """An API key in the run's metadata is not exported."""
    tracer = Tracer(name)
    config: Any = {**tracer.config, "metadata": {"api_key": _SECRET, "tenant": "a"}}
    OfflineChat().invoke("x", config)
    return bool(tracer.spans()) and _SECRET not in tracer.text()


def _secret_in_prompt(name: str) -> bool:
    """With content on, an API key in a prompt is redacted."""
    tracer = Tracer(name, capture=True)
    OfflineChat().invoke(f"What does {_SECRET} open?", tracer.config)
    return "open?" in tracer.text() and _SECRET not in tracer.text()


def _long_prompt(name: str) -> bool:
    """With content on, a prompt of 1 MB yields no attribute above 64 KiB, and its JSON stays valid."""
    tracer = Tracer(name, capture=True)
    OfflineChat().invoke("a word and another one; " * (_LONG // 24), tracer.config)
    values = [value for span in tracer.spans() for value in (span.attributes or {}).values() if isinstance(value, str)]
    return "a word and" in tracer.text() and all(len(value) <= _BOUND and _is_valid(value) for value in values)


def _is_valid(value: str) -> bool:
    if value[:1] not in {"[", "{"}:
        return True
    with suppress(ValueError):
        json.loads(value)
        return True
    return False


def _picture(name: str) -> bool:
    """With content on, the bytes of a picture in a message are left out."""
    tracer = Tracer(name, capture=True)
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_PICTURE}"}}
    OfflineChat().invoke([HumanMessage([{"type": "text", "text": "What is it?"}, picture])], tracer.config)
    return "What is it?" in tracer.text() and _PICTURE not in tracer.text()


def _unprintable_value(name: str) -> bool:
    """With content on, a value that cannot be turned into text costs no span."""
    tracer = Tracer(name, capture=True)
    chain: Runnable[Any, Any] = RunnableLambda(lambda _: "x") | OfflineChat()
    has_answer = chain.invoke(_Unprintable(), tracer.config).content == "It is sunny."
    spans = tracer.spans()
    return has_answer and len(spans) > 1 and any(span.parent is None for span in spans)


def _metrics(name: str) -> bool:
    """Durations and tokens are recorded in the metrics of the conventions."""
    tracer = Tracer(name)
    OfflineChat().invoke("x", tracer.config)
    return {"gen_ai.client.operation.duration", "gen_ai.client.token.usage"} <= set(tracer.metrics())


def _metrics_unsampled(name: str) -> bool:
    """These metrics are complete when the trace is not sampled."""
    tracer = Tracer(name, sampled=False)
    for _ in range(3):
        OfflineChat().invoke("x", tracer.config)
    points = tracer.metrics().get("gen_ai.client.operation.duration", ())
    return bool(sum(point.count for point in points) == 3)  # noqa: PLR2004 - the three above


def _exemplars(name: str) -> bool:
    """A measurement has an exemplar that points to its span."""
    tracer = Tracer(name)
    OfflineChat().invoke("x", tracer.config)
    points = tracer.metrics().get("gen_ai.client.operation.duration", ())
    span_ids = {exemplar.span_id for point in points for exemplar in point.exemplars}
    return bool(span_ids & {span.context.span_id for span in _models(tracer.spans())})


PROBES: Mapping[str, Callable[[str], bool]] = {
    probe.__name__.lstrip("_"): probe
    for probe in (
        _span_in_a_tool,
        _app_span_stays_current,
        _batch,
        _fallbacks,
        _cancelled_call,
        _stream_left_early,
        _waits_for_a_person,
        _resumed,
        _cached_answer,
        _agent_tokens,
        _unprintable_value,
        _exception_text,
        _secret_in_metadata,
        _secret_in_prompt,
        _long_prompt,
        _picture,
        _metrics,
        _metrics_unsampled,
        _exemplars,
    )
}
"""Each takes the name of a tracer; its docstring is the statement that holds or does not."""


if __name__ == "__main__":
    print(json.dumps(PROBES[sys.argv[2]](sys.argv[1])))
