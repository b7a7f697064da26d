import operator
from functools import reduce

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatResult

from tests.support.models import ScriptedChat, ScriptedText, calling, usage
from tests.support.programs import CORE, MESSAGES, agent, weather
from tests.support.recorded_spans import RecordedSpans

TOKENS = "gen_ai.client.token.usage"


def tokens(telemetry: RecordedSpans) -> dict[str, float]:
    """Return the sums of the token metric by token type; types that were not recorded are absent."""
    types = {point.attributes["gen_ai.token.type"] for point in telemetry.points(TOKENS)}
    return {kind: telemetry.total(TOKENS, gen_ai__token__type=kind) for kind in sorted(types)}


def used(telemetry: RecordedSpans) -> dict[str, int]:
    """Return the usage attributes of the one model span, without their prefix."""
    (span,) = [
        span for span in telemetry.spans if span.attributes["gen_ai.operation.name"] in {"chat", "text_completion"}
    ]
    return {key.removeprefix("gen_ai.usage."): value for key, value in span.attributes.items() if ".usage." in key}


def answered(message: AIMessage, llm_output: dict | None = None, info: dict | None = None) -> ScriptedChat:
    """Make a model whose one answer reports usage in these places."""
    generation = ChatGeneration(message=message, generation_info=info)
    return ScriptedChat(script=[ChatResult(generations=[generation], llm_output=llm_output)])


def test_usage_on_the_last_chunk_is_recorded_once(telemetry: RecordedSpans):
    """lg#4848, lc#30429: usage that a stream reports on its last data chunk is recorded once."""
    chunks = [
        AIMessageChunk(content=""),
        AIMessageChunk(content="hello"),
        AIMessageChunk(content="", usage_metadata=usage(7, 5)),
    ]
    list(ScriptedChat(script=[chunks]).stream("x", {"callbacks": [telemetry.new_handler()]}))
    assert used(telemetry) == {"input_tokens": 7, "output_tokens": 5}
    assert tokens(telemetry) == {"input": 7, "output": 5}


def test_stream_without_usage_has_none_and_is_counted(telemetry: RecordedSpans):
    """lg#5951, lc#35206: usage that was not reported is absent, not 0, and a counter counts such calls."""
    model = ScriptedChat(script=[[AIMessageChunk(content="hello")]], params={"model": "m"})
    list(model.stream("x", {"callbacks": [telemetry.new_handler()]}))
    assert used(telemetry) == {}
    assert tokens(telemetry) == {}
    (point,) = telemetry.points("otel_callbacks.usage_missing")
    assert point.value == 1
    assert dict(point.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "scripted",
        "gen_ai.request.model": "m",
    }


@pytest.mark.parametrize(
    ("counts", "kept", "discrepancies"),
    [
        ({"input_tokens": 0, "output_tokens": 5, "total_tokens": 5}, {"output_tokens": 5}, 0),
        ({"input_tokens": 7, "output_tokens": 5, "total_tokens": 99}, {"input_tokens": 7, "output_tokens": 5}, 1),
    ],
    ids=["no input", "unexplained total"],
)
def test_usage_that_cannot_be_is_counted(telemetry: RecordedSpans, counts, kept, discrepancies):
    """A call without input tokens misses usage; sums that disagree stay, and count as a discrepancy of usage."""
    answered(AIMessage("hi", usage_metadata=counts)).invoke("x", {"callbacks": [telemetry.new_handler()]})
    assert used(telemetry) == kept
    assert telemetry.total("otel_callbacks.usage_missing") == ("input_tokens" not in kept)
    assert telemetry.total("otel_callbacks.discrepancies", otel_callbacks__discrepancy__kind="usage") == discrepancies


def test_usage_repeated_on_every_chunk_is_that_of_the_whole_message(telemetry: RecordedSpans):
    """oinf#2463, ls#1249: the final message's usage counts, as LangChain adds up the chunks and we never do."""
    chunks = [AIMessageChunk(content=text, usage_metadata=usage(0, 1)) for text in ("a", "b", "c")]
    whole = reduce(operator.add, ScriptedChat(script=[chunks]).stream("x", {"callbacks": [telemetry.new_handler()]}))
    assert used(telemetry)["output_tokens"] == whole.usage_metadata["output_tokens"]
    assert tokens(telemetry)["output"] == whole.usage_metadata["output_tokens"]


def test_agent_and_its_models_do_not_count_twice(telemetry: RecordedSpans):
    """oinf#3164, phx#12768: only model spans have tokens, and spans and metric add up to what was used."""
    both = AIMessage(
        "",
        tool_calls=[
            *calling("weather", "c1", city="Oslo").tool_calls,
            *calling("weather", "c2", city="Rome").tool_calls,
        ],
        usage_metadata=usage(20, 9),
    )
    model = ScriptedChat(script=[both, AIMessage("sunny", usage_metadata=usage(41, 3))])
    agent(model, [weather], "helper").invoke(MESSAGES, {"callbacks": [telemetry.new_handler()]})
    assert len([span for span in telemetry.spans if span.name == "execute_tool weather"]) == 2
    assert telemetry.tokens == {"input_tokens": 61, "output_tokens": 12}
    assert tokens(telemetry) == {"input": 61, "output": 12}


@pytest.mark.parametrize(
    ("llm_output", "expected"),
    [
        pytest.param(
            {
                "token_usage": {
                    "prompt_tokens": 117,
                    "completion_tokens": 20,
                    "prompt_tokens_details": {"cached_tokens": 100},
                }
            },
            {"input_tokens": 117, "output_tokens": 20, "cache_read.input_tokens": 100},
            id="OpenAI counts cached tokens inside the input",
        ),
        pytest.param(
            {
                "usage": {
                    "input_tokens": 12,
                    "output_tokens": 20,
                    "cache_read_input_tokens": 100,
                    "cache_creation_input_tokens": 5,
                }
            },
            {
                "input_tokens": 117,
                "output_tokens": 20,
                "cache_read.input_tokens": 100,
                "cache_write.input_tokens": 5,
            },
            id="Anthropic counts them beside it",
        ),
    ],
)
def test_cached_tokens_are_part_of_the_input_once(telemetry: RecordedSpans, llm_output, expected):
    """braintrust-py#445, lc#27125: both ways of counting give the whole input once and the cached part beside it."""
    answered(AIMessage("hi"), llm_output).invoke("x", {"callbacks": [telemetry.new_handler()]})
    assert used(telemetry) == expected
    assert tokens(telemetry) == {"input": 117, "output": 20}


@pytest.mark.parametrize(
    "details",
    [
        {"cache_read": 100, "cache_creation": 5},
        {"cache_read": 100, "cache_creation": 0, "ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 0},
    ],
)
def test_cache_writes_are_found_under_their_lifetime(telemetry: RecordedSpans, details):
    """lc#27125: LangChain reports Anthropic's cache writes in one count or by lifetime; both give the same sum."""
    message = AIMessage("hi", usage_metadata=usage(117, 20, input_token_details=details))
    answered(message).invoke("x", {"callbacks": [telemetry.new_handler()]})
    assert used(telemetry)["cache_write.input_tokens"] == 5
    assert tokens(telemetry) == {"input": 117, "output": 20}


def test_reasoning_is_not_added_to_the_output(telemetry: RecordedSpans):
    """genai#283, sentry-python#7136: when 700 of 1000 output tokens were reasoning, the output is 1000."""
    message = AIMessage("hi", usage_metadata=usage(1, 1000, output_token_details={"reasoning": 700}))
    answered(message).invoke("x", {"callbacks": [telemetry.new_handler()]})
    assert used(telemetry)["reasoning.output_tokens"] == 700
    assert tokens(telemetry) == {"input": 1, "output": 1000}


RAW = {"prompt_tokens": 7, "completion_tokens": 5}


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(answered(AIMessage("hi", usage_metadata=usage(7, 5))), id="usage_metadata"),
        pytest.param(answered(AIMessage("hi"), {"token_usage": RAW}), id="llm_output.token_usage"),
        pytest.param(answered(AIMessage("hi"), {"usage": RAW}), id="llm_output.usage"),
        pytest.param(
            answered(AIMessage("hi", response_metadata={"token_usage": RAW})), id="response_metadata.token_usage"
        ),
        pytest.param(answered(AIMessage("hi", response_metadata={"usage": RAW})), id="response_metadata.usage"),
        pytest.param(answered(AIMessage("hi"), info={"token_usage": RAW}), id="generation_info.token_usage"),
        pytest.param(ScriptedText(llm_output={"token_usage": RAW}), id="text model"),
    ],
)
def test_usage_is_found_in_every_place(telemetry: RecordedSpans, model):
    """genai#583, mlflow#15910: usage is the same wherever a provider's package puts it."""
    model.invoke("x", {"callbacks": [telemetry.new_handler()]})
    assert used(telemetry) == {"input_tokens": 7, "output_tokens": 5}
    assert tokens(telemetry) == {"input": 7, "output": 5}


@pytest.mark.skipif(CORE < (1, 0), reason="LangChain 0.3 does not report that an answer comes from its cache")
def test_answer_from_langchains_cache_used_nothing(telemetry: RecordedSpans):
    """oinf#3164: a cache hit, which repeats the stored usage, is marked and not counted again."""
    model = ScriptedChat(script=[AIMessage("hi", usage_metadata=usage(7, 5))], cache=InMemoryCache())
    for _ in range(3):
        model.invoke("x", {"callbacks": [telemetry.new_handler()]})
    hits = [span for span in telemetry.spans if span.attributes.get("otel_callbacks.cache_hit")]
    assert model.calls == 1
    assert len(hits) == 2
    assert all("gen_ai.usage.input_tokens" not in span.attributes for span in hits)
    assert tokens(telemetry) == {"input": 7, "output": 5}
    assert telemetry.points("otel_callbacks.usage_missing") == []


def test_choices_share_one_usage(telemetry: RecordedSpans):
    """braintrust-js#1377: usage that each of several choices repeats is recorded once."""
    message = AIMessage("hi", usage_metadata=usage(7, 5))
    model = ScriptedChat(script=[ChatResult(generations=[ChatGeneration(message=message) for _ in range(2)])])
    model.invoke("x", {"callbacks": [telemetry.new_handler()]})
    assert tokens(telemetry) == {"input": 7, "output": 5}


def test_prompts_of_one_batch_share_one_usage(telemetry: RecordedSpans):
    """A text model reports a batch's usage with its first prompt: the sum is right, and the rest miss no usage."""
    model = ScriptedText(llm_output={"token_usage": RAW})
    model.generate(["x", "y"], callbacks=[telemetry.new_handler()])
    assert tokens(telemetry) == {"input": 7, "output": 5}
    assert telemetry.points("otel_callbacks.usage_missing") == []
