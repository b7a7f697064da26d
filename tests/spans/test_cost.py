"""The cost of model calls: on their spans, in the counter and in the totals of agents."""

import logging
import pickle
import subprocess
import sys

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda

from otel_callbacks import Config, Price
from otel_callbacks._mapping.cost import cost_usd, stated_cost
from otel_callbacks._mapping.records import Usage
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


KEYS = {
    "input": "gen_ai.usage.input_tokens",
    "output": "gen_ai.usage.output_tokens",
    "cache_read": "gen_ai.usage.cache_read.input_tokens",
    "cache_write": "gen_ai.usage.cache_write.input_tokens",
    "reasoning": "gen_ai.usage.reasoning.output_tokens",
    "heard": "gen_ai.usage.audio.input_tokens",
    "spoken": "gen_ai.usage.audio.output_tokens",
}


def used(written_for_an_hour=0, service_tier=None, **counts):
    """Return a usage with counts by the names in `KEYS`."""
    named = {KEYS[name]: count for name, count in counts.items()}
    return Usage(named, written_for_an_hour=written_for_an_hour, service_tier=service_tier)


@pytest.mark.parametrize(
    ("counts", "usd"),
    [
        ({"input": 1000, "output": 100}, 0.002),
        ({"input": 1000, "cache_read": 400, "output": 0}, 0.00064),
        ({"input": 1000, "cache_read": 400, "cache_write": 100, "output": 0}, 0.000665),
        ({"input": 1000, "cache_write": 100, "written_for_an_hour": 40, "output": 0}, 0.001055),
        ({"output": 100, "reasoning": 70}, 0.0017),
        ({"input": 1000, "heard": 100, "output": 100, "spoken": 50}, 0.0074),
        ({}, 0.0),
    ],
    ids=["plain", "cache", "cache written", "written for an hour", "reasoning", "audio", "nothing"],
)
def test_parts_have_their_own_prices(counts, usd):
    """Each token costs its own price once, as cached and reasoning tokens are parts of the totals."""
    price = PRICE._replace(cache_write_1h=2.0, input_audio=20.0, output_audio=80.0)
    assert cost_usd(used(**counts), price) == pytest.approx(usd)


def test_parts_without_a_price_of_their_own_cost_the_same_as_the_rest():
    """With a price of two numbers, cached tokens cost as much as other input."""
    usage = used(written_for_an_hour=100, input=1000, cache_read=400, cache_write=100)
    assert cost_usd(usage, Price(1.0, 10.0)) == pytest.approx(0.001)


@pytest.mark.parametrize("part", ["heard", "spoken"])
def test_audio_without_a_price_has_no_cost(part):
    """Audio costs many times as much as text, so without its price there is no figure."""
    assert cost_usd(used(**{"input": 1000, "output": 100, part: 1}), PRICE) is None
    assert cost_usd(used(**{"input": 1000, "output": 100, part: 0}), PRICE) == pytest.approx(COST)


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

        counts = used(input=300_000, output=70, cache_read=100_000)
        attributes = {"gen_ai.provider.name": provider, "gen_ai.request.model": model}
        cost = Prices({}, listed=True).cost(attributes, counts, None)
        if not is_listed:
            assert cost is None
            return
        usage = genai_prices.Usage(input_tokens=300_000, output_tokens=70, cache_read_tokens=100_000)
        name = {"azure.ai.openai": "azure", "gcp.gemini": "google"}.get(provider, provider)
        price = genai_prices.calc_price(usage, model, provider_id=name)
        assert cost == (pytest.approx(float(price.total_price)), "list")

    def test_own_prices_win(self):
        """A price of one's own replaces the listed one."""
        attributes = {"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini"}
        prices = Prices({"gpt-4o-mini": PRICE}, listed=True)
        assert prices.cost(attributes, used(input=1_000_000, output=0), None) == (1.0, "configured")

    @pytest.mark.parametrize(
        ("tier", "usd"),
        [(None, 0.001106), ("default", 0.001106), ("flex", 0.000553), ("priority", 0.0019908), ("scale", None)],
    )
    def test_service_tiers_have_their_own_prices(self, tier, usd):
        """A call costs what its service tier is listed at; at a tier that is not listed its cost is not known."""
        attributes = {"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5-mini"}
        usage = used(service_tier=tier, input=1000, cache_read=640, output=500, reasoning=400)
        cost = Prices({}, listed=True).cost(attributes, usage, None)
        assert cost == (None if usd is None else (pytest.approx(usd), "list"))

    @pytest.mark.parametrize("model", ["claude-opus-4-6", "claude-sonnet-4-5"])
    def test_cache_writes_for_an_hour_have_their_own_price(self, model):
        """Tokens written to a cache for an hour cost twice the input, with flat prices and with tiered ones."""
        attributes = {"gen_ai.provider.name": "anthropic", "gen_ai.request.model": model}
        prices = Prices({}, listed=True)
        usage = used(input=1000, cache_write=1000, output=0)
        minutes, hour = (prices.cost(attributes, usage._replace(written_for_an_hour=n), None).usd for n in (0, 1000))
        assert hour == pytest.approx(minutes * 2 / 1.25)

    @pytest.mark.parametrize(("model", "is_priced"), [("gemini-2.5-flash", True), ("gemini-2.5-pro", False)])
    def test_audio_costs_its_listed_price_or_is_not_known(self, model, is_priced):
        """Audio input costs what it is listed at; where only text is, there is no figure."""
        attributes = {"gen_ai.provider.name": "gcp.gemini", "gen_ai.request.model": model}
        cost = Prices({}, listed=True).cost(attributes, used(input=1000, heard=1000, output=0), None)
        assert cost == ((pytest.approx(0.001), "list") if is_priced else None)

    def test_parts_that_overlap_have_no_cost(self):
        """Of cached and audio tokens that may be the same ones, nobody knows the cost."""
        attributes = {"gen_ai.provider.name": "gcp.gemini", "gen_ai.request.model": "gemini-2.5-flash"}
        usage = used(input=1000, cache_read=600, heard=500, output=1)
        assert Prices({}, listed=True).cost(attributes, usage, None) is None


@pytest.mark.parametrize("counts", [{"input": 1000}, {"output": 100}, {}])
def test_half_a_usage_gives_no_cost(counts):
    """Without input or output tokens a cost would be too low, so there is none."""
    prices = Prices({"m": PRICE}, listed=False)
    assert prices.cost({"gen_ai.request.model": "m"}, used(**counts), None) is None


@pytest.mark.parametrize(
    ("provider", "metadata", "prices", "expected"),
    [
        ("openrouter", {"cost": 0.5}, {}, (0.5, "billed")),
        ("openrouter", {"cost": 0}, {}, (0.0, "billed")),
        ("openrouter", {"cost": 0.5, "response_cost": 0.4}, {}, (0.5, "billed")),
        ("litellm", {"response_cost": 0.4}, {}, (0.4, "gateway")),
        ("openai", {"cost": 0.5}, {"acme-1": PRICE}, (COST, "configured")),
        ("openrouter", {"cost": 0.5}, {"acme-1": PRICE}, (COST, "configured")),
        ("openai", {"cost": 0.5}, {}, None),
    ],
)
def test_own_prices_then_the_bill_then_the_gateway(telemetry: RecordedSpans, provider, metadata, prices, expected):
    """A cost comes from one's own prices, else from what OpenRouter bills, else from what LiteLLM calculates."""
    message = answer()
    message.response_metadata |= metadata
    model = ScriptedChat(script=[message], ls_params={"ls_provider": provider})
    model.invoke("x", {"callbacks": [telemetry.new_handler(prices=prices or {"other": PRICE})]})
    attributes = telemetry.span("chat").attributes
    seen = attributes.get("otel_callbacks.cost.usd"), attributes.get("otel_callbacks.cost.source")
    assert seen == ((pytest.approx(expected[0]), expected[1]) if expected else (None, None))
    if expected:
        [point] = telemetry.points("otel_callbacks.cost")
        assert point.attributes["otel_callbacks.cost.source"] == expected[1]


def test_stated_costs_do_not_count_by_default(telemetry: RecordedSpans):
    """Without `cost` and `prices`, what an answer states about its cost is not exported."""
    message = answer()
    message.response_metadata |= {"response_cost": 0.4}
    ScriptedChat(script=[message]).invoke("x", {"callbacks": [telemetry.new_handler()]})
    assert "otel_callbacks.cost.usd" not in telemetry.span("chat").attributes


@pytest.mark.parametrize("nonsense", [-1, True, "0.4", float("nan"), float("inf")])
def test_nonsense_costs_are_ignored_and_counted(telemetry: RecordedSpans, nonsense):
    """A stated cost that cannot be one is not exported but counted; the next source has its turn."""
    message = answer()
    message.response_metadata |= {"cost": nonsense, "response_cost": 0.4}
    model = ScriptedChat(script=[message], ls_params={"ls_provider": "openrouter"})
    model.invoke("x", {"callbacks": [telemetry.new_handler(prices={"other": PRICE})]})
    assert telemetry.span("chat").attributes["otel_callbacks.cost.source"] == "gateway"
    assert telemetry.total("otel_callbacks.discrepancies") == 1


def test_a_result_without_an_answer_states_no_cost():
    """Where there is no answer, nothing is stated."""
    assert stated_cost(None, "openrouter") == (None, False)


def test_failed_call_that_was_billed_has_tokens_and_cost(telemetry: RecordedSpans):
    """OpenAI bills an answer that was cut off, for which its client raises: tokens and cost count, status is ERROR."""
    openai = pytest.importorskip("openai")
    completion = openai.types.chat.ChatCompletion.model_validate(
        {
            "id": "c",
            "object": "chat.completion",
            "created": 1,
            "model": "acme-1",
            "choices": [{"index": 0, "finish_reason": "length", "message": {"role": "assistant", "content": "{"}}],
            "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
        }
    )
    model = ScriptedChat(script=[openai.LengthFinishReasonError(completion=completion)], params={"model": "acme-1"})
    with pytest.raises(openai.LengthFinishReasonError):
        model.invoke("x", {"callbacks": [telemetry.new_handler(prices={"acme-1": PRICE})]})
    attributes = telemetry.span("chat acme-1").attributes
    assert attributes["otel_callbacks.outcome"] == "error"
    assert attributes["gen_ai.usage.input_tokens"] == 1000
    assert attributes["otel_callbacks.cost.usd"] == pytest.approx(COST)
    assert telemetry.total("otel_callbacks.tokens") == 1100


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
