"""Tokens and cost add up: of model spans, of the agents and workflows above them, and in the metrics."""

from collections import Counter
from collections.abc import Callable
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.runnables import Runnable, RunnableLambda, RunnableParallel

from otel_callbacks import Price
from tests.support.models import ScriptedChat, usage
from tests.support.recorded_spans import RecordedSpans

PRICE = Price(input=1.0, output=10.0, cache_read=0.1)
FATES = ("answers", "fails", "is billed and fails", "is tried again", "falls back", "is cached", "reports nothing")
CALLS = st.tuples(st.sampled_from(FATES), st.integers(1, 5000), st.integers(0, 5000), st.integers(0, 5000))
TREES = st.recursive(
    CALLS,
    lambda below: st.tuples(st.sampled_from(["chain", "parallel", "agent"]), st.lists(below, min_size=1, max_size=3)),
    max_leaves=8,
)
MODEL = {"gen_ai.operation.name": "chat"}


class CutOffError(Exception):
    """An error that carries what its call used, as OpenAI's ``LengthFinishReasonError`` does."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__("cut off")
        self.completion = SimpleNamespace(usage={"prompt_tokens": inputs, "completion_tokens": outputs})


class Program:
    """A tree of chains, agents and model calls as a Runnable, and what it should cost by agent."""

    def __init__(self, tree: Any) -> None:
        self.inputs: Counter[str | None] = Counter()
        self.outputs: Counter[str | None] = Counter()
        self.usd: Counter[str | None] = Counter()
        self._numbers = count()
        self.runnable = self._build(tree, agent=None)

    def _build(self, tree: Any, agent: str | None) -> Runnable[Any, Any]:
        if tree[0] in FATES:
            return self._call(*tree, agent=agent)
        kind, below = tree
        name = f"{kind}-{next(self._numbers)}"
        steps = [self._build(entry, name if kind == "agent" else agent) for entry in below]
        if kind == "parallel":
            # In functions, as LangChain gives a branch itself the metadata of the step around it.
            branches = {str(index): RunnableLambda(_call_without_config(step)) for index, step in enumerate(steps)}
            return RunnableParallel(branches).with_config(run_name=name)

        def body(value: Any) -> Any:
            return [step.invoke(value) for step in steps]

        # LangChain marks its agents by this metadata, which the runs below inherit.
        marks = {"ls_integration": "langchain_create_agent", "lc_agent_name": name} if kind == "agent" else {}
        return RunnableLambda(body, name=name).with_config(metadata=marks)

    def _call(self, fate: str, inputs: int, outputs: int, read: int, agent: str | None) -> Runnable[Any, Any]:
        read = min(read, inputs)
        counts = usage(inputs, outputs, input_token_details={"cache_read": read})
        answer = AIMessage("hi", usage_metadata=counts)
        failure = ConnectionError("gone")
        model: Runnable[Any, Any] = ScriptedChat(script=[answer], params={"model": "m"})
        if fate == "fails":
            model = ScriptedChat(script=[failure])
        elif fate == "is billed and fails":
            read = 0
            model = ScriptedChat(script=[CutOffError(inputs, outputs)], params={"model": "m"})
        elif fate == "is tried again":
            flaky = ScriptedChat(script=[failure, answer], params={"model": "m"})
            model = flaky.with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
        elif fate == "falls back":
            model = ScriptedChat(script=[failure]).with_fallbacks([model])
        elif fate == "is cached":
            answer.usage_metadata["total_cost"] = 0  # how LangChain marks an answer from its own cache
        elif fate == "reports nothing":
            answer.usage_metadata = None
        if fate not in {"fails", "is cached", "reports nothing"}:
            self.inputs[agent] += inputs
            self.outputs[agent] += outputs
            self.usd[agent] += (inputs - read + 0.1 * read + 10 * outputs) / 1e6

        def guarded(value: Any) -> Any:
            try:
                return model.invoke(value)
            except (ConnectionError, CutOffError):
                return None

        return RunnableLambda(guarded, name="call")


def _call_without_config(step: Runnable[Any, Any]) -> Callable[[Any], Any]:
    def call(value: Any) -> Any:
        return step.invoke(value)

    return call


def by_agent(telemetry: RecordedSpans, metric: str, **labels: Any) -> dict[str | None, float]:
    """Return the sums of a metric by agent, without zeros."""
    sums: Counter[str | None] = Counter()
    for point in telemetry.points(metric):
        if all(point.attributes.get(key.replace("__", ".")) == value for key, value in labels.items()):
            sums[point.attributes.get("gen_ai.agent.name")] += point.value
    return {agent: value for agent, value in sums.items() if value}


def above(spans: Any, span: Any) -> list[Any]:
    """Return the spans around a span."""
    by_id = {other.context.span_id: other for other in spans}
    found = []
    while span.parent is not None:
        span = by_id[span.parent.span_id]
        found.append(span)
    return found


def of_spans(spans: Any, key: str) -> float:
    """Add up an attribute over spans."""
    return sum(span.attributes.get(key, 0) for span in spans)


@settings(max_examples=25, deadline=None)
@given(st.lists(TREES, min_size=1, max_size=2))
def test_all_sums_are_equal(trees):
    """Totals of agents, workflows and conversations equal those of the model spans below and of the metrics."""
    telemetry = RecordedSpans()
    handler = telemetry.new_handler(prices={"m": PRICE})
    programs = [Program(tree) for tree in trees]
    for number, program in enumerate(programs):
        call = {"callbacks": [handler], "metadata": {"thread_id": f"conversation-{number}"}}
        RunnableLambda(program.runnable.invoke, name="outer").invoke("x", call)
    spans = telemetry.spans
    models = [span for span in spans if span.attributes.get("gen_ai.operation.name") == "chat"]

    for key, expected in (("input", "inputs"), ("output", "outputs")):
        agents = sum((getattr(program, expected) for program in programs), Counter())
        assert by_agent(telemetry, "otel_callbacks.tokens", gen_ai__token__type=key) == dict(agents)
        total = sum(agents.values())
        assert of_spans(models, f"gen_ai.usage.{key}_tokens") == total
        assert telemetry.total("gen_ai.client.token.usage", gen_ai__token__type=key) == total
        for number, program in enumerate(programs):
            own = [span for span in models if span.attributes["gen_ai.conversation.id"] == f"conversation-{number}"]
            assert of_spans(own, f"gen_ai.usage.{key}_tokens") == sum(getattr(program, expected).values())

    costs = sum((program.usd for program in programs), Counter())
    assert by_agent(telemetry, "otel_callbacks.cost") == pytest.approx(dict(costs))
    assert of_spans(models, "otel_callbacks.cost.usd") == pytest.approx(sum(costs.values()))
    for span in spans:
        if span.attributes.get("gen_ai.operation.name") in {"invoke_agent", "invoke_workflow"}:
            below = [one for one in models if span in above(spans, one)]
            total = of_spans(below, "otel_callbacks.cost.usd")
            assert span.attributes.get("otel_callbacks.cost.total_usd", 0) == pytest.approx(total)
    telemetry.shutdown()


def test_calls_that_outlive_their_workflow_are_not_in_its_total(telemetry: RecordedSpans):
    """A total counts what had ended when its workflow ended; a later call counts on its own span and in the metrics."""
    chunks = [AIMessageChunk(content="a"), AIMessageChunk(content="b", usage_metadata=usage(1000, 100))]
    model = ScriptedChat(script=[chunks], params={"model": "m"})
    streams = []

    def open_stream(value: Any) -> str:
        streams.append(model.stream(value))
        return str(next(streams[0]).content)

    handler = telemetry.new_handler(prices={"m": PRICE})
    RunnableLambda(open_stream, name="outer").invoke("x", {"callbacks": [handler]})
    list(streams[0])
    assert "otel_callbacks.cost.total_usd" not in telemetry.span("invoke_workflow outer").attributes
    assert telemetry.span("chat m").attributes["otel_callbacks.cost.usd"] == pytest.approx(0.002)
    assert telemetry.total("otel_callbacks.tokens") == 1100
