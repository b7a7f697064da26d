from types import SimpleNamespace

import pytest

from otel_callbacks._mapping.usage import usage
from tests.mapping.records import answer, message

INPUT = "gen_ai.usage.input_tokens"
OUTPUT = "gen_ai.usage.output_tokens"
CACHE_READ = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE = "gen_ai.usage.cache_write.input_tokens"
REASONING = "gen_ai.usage.reasoning.output_tokens"


def counts(result):
    """Return the token counts of a result, empty if it reports none."""
    tokens = usage(result)
    return tokens.counts if tokens else {}


def with_metadata(**metadata):
    """Make a result whose message carries ``usage_metadata``."""
    return answer(message(usage_metadata=metadata))


@pytest.mark.parametrize("key", ["token_usage", "usage"])
@pytest.mark.parametrize("place", ["llm_output", "response_metadata", "generation_info"])
@pytest.mark.parametrize("names", [("prompt_tokens", "completion_tokens"), ("input_tokens", "output_tokens")])
def test_providers_own_form_is_found_in_every_place(place, key, names):
    """Raw usage counts the same in ``llm_output``, a message's metadata and a generation's info, under both keys."""
    raw = {key: dict(zip(names, (7, 5), strict=True))}
    generation = SimpleNamespace(
        message=message(response_metadata=raw if place == "response_metadata" else {}),
        generation_info=raw if place == "generation_info" else None,
    )
    result = SimpleNamespace(generations=[[generation]], llm_output=raw if place == "llm_output" else None)
    assert counts(result) == {INPUT: 7, OUTPUT: 5}


def test_usage_metadata_wins_over_raw_usage():
    """LangChain's own form of usage takes precedence, and nothing is added to it."""
    raw = {"token_usage": {"prompt_tokens": 999, "completion_tokens": 999}}
    result = answer(
        message(usage_metadata={"input_tokens": 7, "output_tokens": 5}, response_metadata=raw), llm_output=raw
    )
    assert counts(result) == {INPUT: 7, OUTPUT: 5}


def test_llm_output_wins_over_the_messages_metadata():
    """Of two raw usages, the call's takes precedence over the message's."""
    result = answer(
        message(response_metadata={"usage": {"input_tokens": 1, "output_tokens": 1}}),
        llm_output={"token_usage": {"prompt_tokens": 7, "completion_tokens": 5}},
    )
    assert counts(result) == {INPUT: 7, OUTPUT: 5}


def test_choices_are_not_summed():
    """With several choices, whose messages repeat the whole call's usage, that counts once."""
    one = message(usage_metadata={"input_tokens": 7, "output_tokens": 5})
    assert counts(answer(one, one, one)) == {INPUT: 7, OUTPUT: 5}


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({"cache_read": 100, "cache_creation": 0, "ephemeral_5m_input_tokens": 5}, {CACHE_READ: 100, CACHE_WRITE: 5}),
        ({"cache_read": 100, "cache_creation": 5}, {CACHE_READ: 100, CACHE_WRITE: 5}),
        (
            {"cache_creation": 0, "ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 2},
            {CACHE_WRITE: 5},
        ),
        ({"cache_read": 0}, {CACHE_READ: 0}),
        ({"audio": 0}, {}),
        ({"audio": 30}, {"gen_ai.usage.audio.input_tokens": 30}),
    ],
)
def test_input_details(details, expected):
    """Cached and audio tokens are parts of the input, which they do not change, in every form of Anthropic's cache."""
    result = with_metadata(input_tokens=117, output_tokens=20, input_token_details=details)
    assert counts(result) == {INPUT: 117, OUTPUT: 20, **expected}


def test_reasoning_is_part_of_the_output():
    """Reasoning tokens are part of the output, not added to it."""
    result = with_metadata(input_tokens=1, output_tokens=1000, output_token_details={"reasoning": 700})
    assert counts(result) == {INPUT: 1, OUTPUT: 1000, REASONING: 700}


def test_raw_openai_counts_cached_tokens_inside():
    """OpenAI's totals include its cached and reasoning tokens, so they stay unchanged."""
    raw = {
        "prompt_tokens": 21,
        "completion_tokens": 9,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    expected = {INPUT: 21, OUTPUT: 9, CACHE_READ: 4, REASONING: 3}
    assert counts(answer(message(), llm_output={"token_usage": raw})) == expected


def test_raw_anthropic_counts_cached_tokens_beside():
    """Anthropic's input does not include its cached tokens, so the total is their sum."""
    raw = {"input_tokens": 12, "output_tokens": 20, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 5}
    expected = {INPUT: 117, OUTPUT: 20, CACHE_READ: 100, CACHE_WRITE: 5}
    assert counts(answer(message(), llm_output={"usage": raw})) == expected


def test_no_usage_is_none():
    """Usage that was not reported is absent, not zero."""
    assert usage(answer(message())) is None
    assert usage(answer(message(), llm_output={"token_usage": {}})) is None
    assert usage(None) is None


def test_zeros_are_believed_where_they_are_possible():
    """A call without output has 0 output tokens; no call is without input, so 0 there counts as not reported."""
    assert counts(with_metadata(input_tokens=7, output_tokens=0, total_tokens=7)) == {INPUT: 7, OUTPUT: 0}
    assert usage(with_metadata(input_tokens=0, output_tokens=0, total_tokens=0)) is None
    assert counts(with_metadata(input_tokens=0, output_tokens=5, total_tokens=5)) == {OUTPUT: 5}


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        pytest.param(
            {
                "input_tokens": 12,
                "output_tokens": 90,
                "total_tokens": 434,
                "output_token_details": {"reasoning": 332},
            },
            {INPUT: 12, OUTPUT: 422, REASONING: 332},
            id="ChatVertexAI",
        ),
        pytest.param(
            {
                "input_tokens": 12,
                "output_tokens": 90,
                "total_tokens": 434,
                "input_token_details": {"cache_read": 5},
                "output_token_details": {"reasoning": 332},
            },
            {INPUT: 12, OUTPUT: 422, CACHE_READ: 5, REASONING: 332},
            id="ChatVertexAI, whose input has its cached tokens",
        ),
        pytest.param(
            {
                "input_tokens": 19,
                "output_tokens": 15,
                "total_tokens": 31534,
                "input_token_details": {"cache_read": 30000, "cache_creation": 1500},
            },
            {INPUT: 31519, OUTPUT: 15, CACHE_READ: 30000, CACHE_WRITE: 1500},
            id="ChatBedrockConverse of langchain-aws 1.0",
        ),
        pytest.param(
            {
                "input_tokens": 19,
                "output_tokens": 15,
                "total_tokens": 30034,
                "input_token_details": {"cache_read": 30000, "cache_creation": 1500},
            },
            {INPUT: 31519, OUTPUT: 15, CACHE_READ: 30000, CACHE_WRITE: 1500},
            id="ChatBedrock of langchain-aws 1.0, whose total lacks the cache write",
        ),
        pytest.param(
            {
                "input_tokens": 31519,
                "output_tokens": 15,
                "total_tokens": 31534,
                "input_token_details": {
                    "cache_read": 30000,
                    "cache_creation": 1500,
                    "ephemeral_5m_input_tokens": 1500,
                    "ephemeral_1h_input_tokens": 0,
                },
            },
            {INPUT: 31519, OUTPUT: 15, CACHE_READ: 30000, CACHE_WRITE: 1500},
            id="ChatAnthropic of langchain-anthropic 0.3.22",
        ),
        pytest.param(
            {"input_tokens": 5, "output_tokens": 9, "total_tokens": 0},
            {INPUT: 5, OUTPUT: 9},
            id="ChatMistralAI without a total",
        ),
    ],
)
def test_what_packages_report(metadata, expected):
    """Counts in the form of each package come out as sums that include their parts, and are no discrepancy."""
    found = usage(with_metadata(**metadata))
    assert found.counts == expected
    assert not found.is_discrepancy


@pytest.mark.parametrize("tier", ["flex", "priority", "express_lane"])
def test_parts_under_the_name_of_a_service_tier(tier):
    """langchain-openai writes the tier before the names of parts: they are the same parts, whatever it is called."""
    found = usage(
        with_metadata(
            input_tokens=1000,
            output_tokens=500,
            total_tokens=1500,
            input_token_details={f"{tier}_cache_read": 640, tier: 360},
            output_token_details={f"{tier}_reasoning": 400, tier: 100},
        )
    )
    assert found.counts == {INPUT: 1000, OUTPUT: 500, CACHE_READ: 640, REASONING: 400}
    assert found.service_tier == tier


def test_service_tier_is_read_beside_the_usage():
    """Without parts that name it, the tier is the one that the answer states."""
    tokens = {"input_tokens": 7, "output_tokens": 5}
    of_message = answer(message(usage_metadata=tokens, response_metadata={"service_tier": "flex"}))
    of_call = answer(message(usage_metadata=tokens), llm_output={"service_tier": "priority"})
    assert [usage(result).service_tier for result in (of_message, of_call)] == ["flex", "priority"]


def test_parts_of_cached_audio_are_no_service_tier():
    """A part of a part by modality is neither a tier nor counted again."""
    details = {"cache_read": 5, "audio_cache_read": 2, "audio": 3}
    found = usage(with_metadata(input_tokens=9, output_tokens=5, input_token_details=details))
    assert found.counts == {INPUT: 9, OUTPUT: 5, CACHE_READ: 5, "gen_ai.usage.audio.input_tokens": 3}
    assert found.service_tier is None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(
            {"inputTokens": 19, "outputTokens": 15, "totalTokens": 134, "cacheReadInputTokens": 100},
            {INPUT: 119, OUTPUT: 15, CACHE_READ: 100},
            id="Bedrock",
        ),
        pytest.param(
            {
                "prompt_token_count": 12,
                "candidates_token_count": 90,
                "thoughts_token_count": 332,
                "total_token_count": 434,
            },
            {INPUT: 12, OUTPUT: 422, REASONING: 332},
            id="Gemini",
        ),
        pytest.param(
            {"prompt_tokens": 117, "completion_tokens": 20, "total_tokens": 137, "cache_read_input_tokens": 100},
            {INPUT: 117, OUTPUT: 20, CACHE_READ: 100},
            id="LiteLLM counts cached tokens inside",
        ),
        pytest.param(
            {"prompt_tokens": 21, "completion_tokens": 9, "prompt_cache_hit_tokens": 4},
            {INPUT: 21, OUTPUT: 9, CACHE_READ: 4},
            id="DeepSeek",
        ),
    ],
)
def test_providers_own_forms(raw, expected):
    """A provider's own form of usage gives the same counts as LangChain's."""
    assert counts(answer(message(), llm_output={"token_usage": raw})) == expected


def test_a_failed_call_that_was_billed_has_usage():
    """OpenAI's exception for an answer that was cut off carries the usage of the call."""
    billed = SimpleNamespace(model_dump=lambda: {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12})
    error = ValueError("cut off")
    error.completion = SimpleNamespace(usage=billed, service_tier="flex")
    found = usage(None, error)
    assert found.counts == {INPUT: 7, OUTPUT: 5}
    assert found.service_tier == "flex"
    assert usage(None, ValueError("other")) is None


@pytest.mark.parametrize("value", ["7", 7.5, True, False, -1, 2**70, float("nan")])
def test_invalid_counts_are_left_out(value):
    """A count that is not a number of tokens is left out and noted, and the other one is not."""
    found = usage(with_metadata(input_tokens=value, output_tokens=5))
    assert found.counts == {OUTPUT: 5}
    assert found.is_discrepancy


def test_absent_counts_are_no_discrepancy():
    """A count of ``None`` is absent, which is no contradiction."""
    found = usage(with_metadata(input_tokens=None, output_tokens=5))
    assert found.counts == {OUTPUT: 5}
    assert not found.is_discrepancy


def test_answer_from_langchains_cache_is_marked():
    """A cache hit is recognised by its cost of zero without an ``llm_output``, as LangChain repeats the usage."""
    metadata = {"input_tokens": 7, "output_tokens": 5, "total_cost": 0}
    assert usage(with_metadata(**metadata)).from_cache
    assert not usage(with_metadata(input_tokens=7, output_tokens=5)).from_cache
    assert not usage(answer(message(usage_metadata=metadata), llm_output={"model_name": "m"})).from_cache
