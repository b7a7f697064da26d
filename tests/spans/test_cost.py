"""The cost of model calls: on their spans, in the counter and in the totals of agents."""

import logging
import pickle
import subprocess
import sys

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda

from otel_callbacks import Config, Price
from otel_callbacks._mapping.cost import cost_usd
from otel_callbacks._metrics.prices import Prices
from tests.support.models import ScriptedChat, calling
from tests.support.programs import create_agent, needs_agent_marks, weather
from tests.support.recorded_spans import RecordedSpans

PRICE = Price(input=1.0, output=10.0, cache_read=0.1, cache_write=1.25, reasoning=20.0)
USAGE = {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100}
COST = 0.002


def answer(text="hi", model="acme-1", **usage):
    """Return an answer with its usage and the name of its model."""
    return AIMessage(text, usage_metadata=USAGE | usage, response_metadata={"model_name": model})


@pytest.mark.parametrize(
    ("counts", "usd"),
    [
        ({"input": 1000, "output": 100}, 0.002),
        ({"input": 1000, "cache_read": 400, "output": 0}, 0.00064),
        ({"input": 1000, "cache_read": 400, "cache_write": 100, "output": 0}, 0.000665),
        ({"output": 100, "reasoning": 70}, 0.0017),
        ({}, 0.0),
    ],
    ids=["plain", "cache", "cache written", "reasoning", "nothing"],
)
def test_parts_have_their_own_prices(counts, usd):
    """Each token costs its own price once, as cached and reasoning tokens are parts of the totals."""
    keys = {
        "input": "gen_ai.usage.input_tokens",
        "output": "gen_ai.usage.output_tokens",
        "cache_read": "gen_ai.usage.cache_read.input_tokens",
        "cache_write": "gen_ai.usage.cache_write.input_tokens",
        "reasoning": "gen_ai.usage.reasoning.output_tokens",
    }
    assert cost_usd({keys[name]: count for name, count in counts.items()}, PRICE) == pytest.approx(usd)


def test_parts_without_a_price_of_their_own_cost_the_same_as_the_rest():
    """With a price of two numbers, cached tokens cost as much as other input."""
    counts = {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.cache_read.input_tokens": 400}
    assert cost_usd(counts, Price(1.0, 10.0)) == pytest.approx(0.001)


def test_cost_is_on_the_span_and_in_the_counter(telemetry: RecordedSpans):
    """oinf#3374, lf#8333: a call's cost is counted once; a call without a price has no cost and counts as unpriced."""
    handler = telemetry.new_handler(prices={"acme-1": PRICE})
    ScriptedChat(script=[answer()]).invoke("x", {"callbacks": [handler]})
    ScriptedChat(script=[answer(model="acme-2")]).invoke("x", {"callbacks": [handler]})
    first, second = telemetry.spans
    assert first.attributes["otel_callbacks.cost.usd"] == pytest.approx(COST)
    assert "otel_callbacks.cost.usd" not in second.attributes
    [point] = telemetry.points("otel_callbacks.cost")
    assert point.value == pytest.approx(COST)
    assert point.attributes["gen_ai.response.model"] == "acme-1"
    assert [point.value for point in telemetry.points("otel_callbacks.unpriced")] == [1]


@needs_agent_marks
def test_agents_have_the_total_of_all_that_runs_below(telemetry: RecordedSpans):
    """Agents and workflows have totals under a key of their own, so the costs of all spans still add up."""
    handler = telemetry.new_handler(prices={"acme-1": PRICE})
    script = [calling("weather", city="Oslo"), answer()]
    script[0].usage_metadata, script[0].response_metadata = USAGE, {"model_name": "acme-1"}
    program = create_agent(ScriptedChat(script=script), [weather], name="helper")
    chain = RunnableLambda(lambda _: program.invoke({"messages": [("user", "hi")]}), name="outer")
    chain.invoke("x", {"callbacks": [handler]})
    for name in ("invoke_agent helper", "invoke_workflow outer"):
        assert telemetry.span(name).attributes["otel_callbacks.cost.total_usd"] == pytest.approx(2 * COST)
    costs = [span.attributes.get("otel_callbacks.cost.usd", 0) for span in telemetry.spans]
    assert sum(costs) == pytest.approx(2 * COST)
    [point] = telemetry.points("otel_callbacks.cost")
    assert point.attributes["gen_ai.agent.name"] == "helper"


def test_nothing_is_priced_by_default(telemetry: RecordedSpans):
    """By default calls have no cost, and none counts as unpriced."""
    ScriptedChat(script=[answer()]).invoke("x", {"callbacks": [telemetry.new_handler()]})
    assert "otel_callbacks.cost.usd" not in telemetry.spans[0].attributes
    assert telemetry.points("otel_callbacks.unpriced") == []


def test_answer_from_a_cache_costs_nothing(telemetry: RecordedSpans):
    """An answer from LangChain's cache, which calls no provider, costs nothing."""
    handler = telemetry.new_handler(prices={"acme-1": PRICE})
    message = answer()
    message.usage_metadata["total_cost"] = 0
    ScriptedChat(script=[message]).invoke("x", {"callbacks": [handler]})
    assert "otel_callbacks.cost.usd" not in telemetry.spans[0].attributes
    assert telemetry.points("otel_callbacks.cost") == []


class TestListedPrices:
    """Prices from the package genai-prices."""

    @pytest.fixture(autouse=True)
    def _package(self):
        pytest.importorskip("genai_prices")

    @pytest.mark.parametrize(
        ("provider", "model", "is_listed"),
        [
            ("openai", "gpt-4o-mini", True),
            ("openai", "gpt-4o-mini-2024-07-18", True),
            ("azure.ai.openai", "gpt-4o-mini", True),
            ("gcp.gemini", "gemini-2.5-flash", True),
            ("gcp.gemini", "gemini-2.5-pro", True),
            ("anthropic", "claude-sonnet-4-5", True),
            ("openai", "no-such-model", False),
            ("no-such-provider", "gpt-4o-mini", False),
        ],
    )
    def test_same_as_the_package_itself(self, provider, model, is_listed):
        """Costs equal the package's, even if the price depends on the number of tokens; unlisted models have none."""
        import genai_prices

        counts = {
            "gen_ai.usage.input_tokens": 300_000,
            "gen_ai.usage.output_tokens": 70,
            "gen_ai.usage.cache_read.input_tokens": 100_000,
        }
        attributes = {"gen_ai.provider.name": provider, "gen_ai.request.model": model}
        cost = Prices({}, listed=True).cost(attributes, counts)
        if not is_listed:
            assert cost is None
            return
        usage = genai_prices.Usage(input_tokens=300_000, output_tokens=70, cache_read_tokens=100_000)
        name = {"azure.ai.openai": "azure", "gcp.gemini": "google"}.get(provider, provider)
        assert cost == pytest.approx(float(genai_prices.calc_price(usage, model, provider_id=name).total_price))

    def test_own_prices_win(self):
        """A price of one's own replaces the listed one."""
        attributes = {"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini"}
        prices = Prices({"gpt-4o-mini": PRICE}, listed=True)
        assert prices.cost(attributes, {"gen_ai.usage.input_tokens": 1_000_000}) == 1.0


def test_missing_extra_is_reported_when_the_handler_is_made():
    """Without the package, `cost=True` in code raises and the variable only warns; both say what to install."""
    program = (
        "import sys; sys.modules['genai_prices'] = None\n"
        "from otel_callbacks import Config, OTelCallbackHandler\n"
        "try: OTelCallbackHandler(config=Config(cost=True))\n"
        "except ModuleNotFoundError as error: print(error)\n"
        "import os; os.environ['OTEL_CALLBACKS_COST'] = 'true'\n"
        "OTelCallbackHandler(); print('made')\n"
    )
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install 'otel-callbacks[cost]'" in process.stdout
    assert process.stdout.endswith("made\n")
    assert "otel-callbacks[cost]" in process.stderr


@pytest.mark.parametrize("prices", [{"m": 1.0}, {1: PRICE}, [PRICE]])
def test_wrong_prices_are_refused_by_the_configuration(prices):
    """A configuration refuses prices that are not a `Price` per model name."""
    with pytest.raises(ValueError, match="a mapping of model names to Price"):
        Config(prices=prices)


def test_prices_survive_pickling(telemetry: RecordedSpans, caplog):
    """A pickled handler keeps its price table, unlike its callables."""
    with caplog.at_level(logging.WARNING):
        copied = pickle.loads(pickle.dumps(telemetry.new_handler(prices={"m": PRICE})))  # noqa: S301 - our own
    assert copied.config.prices == {"m": PRICE}
    assert [record for record in caplog.records if record.name == "otel_callbacks"] == []
