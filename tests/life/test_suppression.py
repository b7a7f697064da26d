import asyncio
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableLambda
from opentelemetry import context as context_api

from tests.life.waiting import Hanging
from tests.support.models import ScriptedChat
from tests.support.programs import run
from tests.support.recorded_spans import RecordedSpans

OPENLLMETRY_KEY = "suppress_language_model_instrumentation"


def provider_call(telemetry: RecordedSpans) -> Any:
    """Return a function that records one provider call like an instrumentation on opentelemetry-util-genai."""
    handlers = pytest.importorskip("opentelemetry.util.genai.handler")
    handler = handlers.TelemetryHandler(
        tracer_provider=telemetry.tracer_provider, meter_provider=telemetry.meter_provider
    )

    def call() -> None:
        with handler.inference("openai", request_model="direct") as invocation:
            invocation.input_tokens = 3

    return call


class Instrumented(ScriptedChat):
    """A model whose provider's client is instrumented."""

    call: Any

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        self.call()
        return ChatResult(generations=[ChatGeneration(message=AIMessage("hi"))])


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
@pytest.mark.parametrize(("suppress", "spans"), [(False, ["chat direct", "chat"]), (True, ["chat"])])
async def test_instrumented_provider_under_a_model_run(telemetry: RecordedSpans, way, suppress, spans):
    """oinf#2101: a model call has one span and one measurement with the option, and the provider's as well without."""
    model = Instrumented(script=[""], call=provider_call(telemetry))
    await run(model, way, "x", {"callbacks": [telemetry.new_handler(suppress_provider_spans=suppress)]})
    assert [span.name for span in telemetry.spans] == spans
    assert telemetry.count("gen_ai.client.operation.duration") == len(spans)


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_direct_call_keeps_its_span(telemetry: RecordedSpans, way):
    """ollm#2805: a provider called outside the model, by a step or later by the application, keeps its span."""
    call = provider_call(telemetry)
    model = Instrumented(script=[""], call=call)
    handler = telemetry.new_handler(suppress_provider_spans=True)

    async def step(text):
        await model.ainvoke(text)
        call()

    with telemetry.tracer.start_as_current_span("req"):
        await run(RunnableLambda(lambda text: [model.invoke(text), call()], step), way, "x", {"callbacks": [handler]})
        await run(model, way, "x", {"callbacks": [handler]})
        call()
    assert telemetry.tree() == "req\n  invoke_workflow\n    chat\n    chat direct\n  chat\n  chat direct"


async def test_nothing_stays_suppressed_when_a_model_call_was_cancelled(telemetry: RecordedSpans):
    """After a model was cancelled inside a task that goes on, the next provider call of that task has its span."""
    hanging = Hanging()
    task = asyncio.current_task()

    async def cancel():
        await hanging.begun.wait()
        task.cancel()

    canceller = asyncio.ensure_future(cancel())
    with pytest.raises(asyncio.CancelledError):
        await hanging.chat().ainvoke("x", {"callbacks": [telemetry.new_handler(suppress_provider_spans=True)]})
    await canceller
    provider_call(telemetry)()
    assert "chat direct" in [span.name for span in telemetry.spans]
    assert not context_api.get_value(OPENLLMETRY_KEY)


async def test_a_run_inside_a_model_keeps_its_provider_calls(telemetry: RecordedSpans):
    """When a model calls a chain, a provider that a step of the chain calls directly keeps its span."""
    call = provider_call(telemetry)
    step = RunnableLambda(lambda text: [call(), "hi"][1]).with_config(run_name="step")

    class Asking(ScriptedChat):
        def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
            answer = step.invoke("x", {"callbacks": run_manager.handlers})
            return ChatResult(generations=[ChatGeneration(message=AIMessage(answer))])

    Asking(script=[""]).invoke("x", {"callbacks": [telemetry.new_handler(suppress_provider_spans=True)]})
    assert telemetry.tree() == "chat\n  chain step\n    chat direct"


@pytest.mark.parametrize(
    "module", ["opentelemetry.instrumentation.openai", "opentelemetry.instrumentation.genai.openai"]
)
@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_real_instrumentation_is_silent_and_the_request_is_not(telemetry: RecordedSpans, server, module, way):
    """With OpenLLMetry's or OpenTelemetry's instrumentation, a call has one span, its HTTP span and a traceparent."""
    instrumentor = pytest.importorskip(module).OpenAIInstrumentor()
    instrumentor.instrument(
        tracer_provider=telemetry.tracer_provider,
        meter_provider=telemetry.meter_provider,
        logger_provider=telemetry.logger_provider,
        skip_dep_check=True,
    )
    try:
        config = {"callbacks": [telemetry.new_handler(suppress_provider_spans=True)]}
        async with server.model(telemetry.tracer_provider) as model:
            await run(model, way, "x", config)
    finally:
        instrumentor.uninstrument()
    assert telemetry.tree() == "chat gpt-4o-mini\n  POST"
    assert server.callers() == [f"{telemetry.span('POST').context.span_id:016x}"]
