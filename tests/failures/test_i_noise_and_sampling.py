from collections import Counter
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, TraceIdRatioBased

from tests.support.models import ScriptedChat, calling, usage
from tests.support.programs import MESSAGES, agent, needs_agent_marks, weather
from tests.support.recorded_spans import RecordedSpans
from tests.support.sampling import RecordingSampler


@needs_agent_marks
def test_sampler_sees_what_the_span_is_about():
    """contrib#4538, contrib#4553: a sampler gets the operation, provider, model, agent, tool and server of a span."""
    sampler = RecordingSampler()
    telemetry = RecordedSpans(sampler)
    model = ScriptedChat(
        script=[calling("weather", city="Oslo"), "sunny"], params={"model": "m"}, ls_params={"ls_provider": "openai"}
    )
    agent(model, [weather], "helper").invoke(MESSAGES, {"callbacks": [telemetry.new_handler()]})
    serialized = {"kwargs": {"openai_api_base": "http://127.0.0.1:8000/v1"}}
    with telemetry.new_handler() as handler:
        handler.on_chat_model_start(serialized, [[]], run_id=uuid4(), invocation_params={"model": "served"})
    sampled = {
        name: {key: value for key, value in attributes.items() if key.startswith(("gen_ai.", "server."))}
        for name, attributes in sampler.attributes.items()
        if not name.startswith("node")
    }
    assert sampled == {
        "invoke_agent helper": {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "helper"},
        "chat m": {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "m",
        },
        "execute_tool weather": {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "weather",
            "gen_ai.tool.type": "function",
            "gen_ai.agent.name": "helper",
        },
        "chat served": {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "unknown",
            "gen_ai.request.model": "served",
            "server.address": "127.0.0.1",
            "server.port": 8000,
        },
    }


def run_some(telemetry: RecordedSpans, times: int) -> None:
    """Run a chain of a step and a model that often, each time in a trace of its own."""
    model = ScriptedChat(script=[AIMessage("hi", usage_metadata=usage(7, 5))])
    chain = RunnableLambda(lambda text: text).with_config(run_name="step") | model
    handler = telemetry.new_handler()
    for _ in range(times):
        chain.invoke("x", {"callbacks": [handler]})
    assert handler.open_runs == 0


@pytest.mark.parametrize("sampler", [ALWAYS_OFF, ParentBased(TraceIdRatioBased(0.5))], ids=["none", "half"])
def test_unsampled_traces_are_whole_or_absent_and_measured(sampler):
    """logfire#1484, langchain-docs#4485: sampled traces are complete, and the metrics count all runs regardless."""
    telemetry = RecordedSpans(sampler)
    run_some(telemetry, 40)
    spans_by_trace = Counter(span.context.trace_id for span in telemetry.spans)
    assert set(spans_by_trace.values()) <= {len(["invoke_workflow", "step", "chat"])}
    assert len(spans_by_trace) < 40
    assert telemetry.count("gen_ai.client.operation.duration") == 40
    assert telemetry.count("gen_ai.invoke_workflow.duration") == 40
    assert telemetry.total("gen_ai.client.token.usage", gen_ai__token__type="input") == 40 * 7
    assert telemetry.total("otel_callbacks.runs", langchain__run_type="chat", otel_callbacks__outcome="ok") == 40
    assert telemetry.points("otel_callbacks.errors") == []
