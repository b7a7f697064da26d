from types import SimpleNamespace

import pytest

from otel_callbacks._mapping import model
from otel_callbacks._mapping.records import Inherited
from tests.mapping.records import answer, message, start


def plan_attributes(**fields):
    """The attributes of a model run at span creation."""
    return model.plan(start(**fields), Inherited()).attributes


def request_attributes(**fields):
    """The request attributes of a model run."""
    out = {}
    model.request(start(**fields), out)
    return out


def response_attributes(result):
    """The response attributes of a model's result."""
    out = {}
    model.response(result, out)
    return out


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"params": {"model": "a", "model_name": "b"}}, "a"),
        ({"params": {"model_name": "b"}, "metadata": {"ls_model_name": "c"}}, "b"),
        ({"params": {"model_id": "d"}}, "d"),
        ({"params": {"azure_deployment": "e"}}, "e"),
        ({"params": {"model": None}, "metadata": {"ls_model_name": "c"}}, "c"),
        ({"params": {"model": 5}}, None),
        ({}, None),
    ],
)
def test_request_model_comes_from_parameters_then_metadata(fields, expected):
    """The request model comes from the invocation parameters, then from ``ls_model_name``."""
    assert model.request_model(start(**fields)) == expected


@pytest.mark.parametrize(("run_type", "operation"), [("chat", "chat"), ("llm", "text_completion")])
def test_span_is_named_after_operation_and_model(run_type, operation):
    """The span's name is the operation and the model, or only the operation if the model is unknown."""
    assert model.plan(start(run_type, params={"model": "m"}), Inherited()).name == f"{operation} m"
    assert model.plan(start(run_type), Inherited()).name == operation


def test_plan_has_what_samplers_and_metrics_need():
    """Operation, provider and request model are attributes at span creation; an unknown model has none."""
    operation = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "unknown"}
    assert plan_attributes(params={"model": "m"}) == {**operation, "gen_ai.request.model": "m"}
    assert plan_attributes() == operation


@pytest.mark.parametrize(
    ("kwargs", "expected"),
    [
        ({"openai_api_base": "http://127.0.0.1:8080/v1"}, ("127.0.0.1", 8080)),
        ({"openai_api_base": "https://api.example.com/v1"}, ("api.example.com", 443)),
        ({"anthropic_api_url": "http://localhost"}, ("localhost", 80)),
        ({"azure_endpoint": "https://x.openai.azure.com/"}, ("x.openai.azure.com", 443)),
        ({"base_url": "http://[::1]:11434"}, ("::1", 11434)),
        ({"endpoint_url": "https://bedrock.eu-west-1.amazonaws.com"}, ("bedrock.eu-west-1.amazonaws.com", 443)),
        ({"openrouter_api_base": "https://openrouter.ai/api/v1"}, ("openrouter.ai", 443)),
        ({"base_url": "not a url"}, None),
        ({"base_url": "http://host:99999999"}, None),
        ({"base_url": {"type": "secret"}}, None),
        ({}, None),
    ],
)
def test_server_is_where_the_models_endpoint_points_to(kwargs, expected):
    """Address and port come from the endpoint in the model's own fields, both or neither."""
    attributes = plan_attributes(serialized={"kwargs": kwargs})
    assert (attributes.get("server.address"), attributes.get("server.port")) == (expected or (None, None))


def test_endpoint_with_a_password_gives_only_host_and_port():
    """An endpoint's user, password and query are not exported."""
    attributes = plan_attributes(serialized={"kwargs": {"base_url": "https://user:pass@host.example:8443/v1?key=s"}})
    assert (attributes["server.address"], attributes["server.port"]) == ("host.example", 8443)
    assert "pass" not in repr(attributes)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("ChatOllama(model='m', base_url='http://user:pw@gpu-1:11434')", ("gpu-1", 11434)),
        (
            "ChatDeepSeek(openai_api_base='http://old.example/v1', api_base='https://a.example:8443')",
            ("a.example", 8443),
        ),
        ("ChatLiteLLM(model='openai/gpt', api_base='http://gateway:4000', model_kwargs={})", ("gateway", 4000)),
        ("ChatOllama(model='m')", None),
        ("Own(prompt='see https://docs.example')", None),
        (7, None),
    ],
)
def test_server_of_models_that_are_not_serializable(shown, expected):
    """Of models that LangChain cannot serialize, the endpoint is read from their text form, without credentials."""
    attributes = plan_attributes(serialized={"type": "not_implemented", "repr": shown})
    seen = attributes.get("server.address"), attributes.get("server.port")
    assert seen == (expected or (None, None))


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"temperature": 0.2}, {"gen_ai.request.temperature": 0.2}),
        ({"temperature": 0}, {"gen_ai.request.temperature": 0.0}),
        ({"top_p": 0.9}, {"gen_ai.request.top_p": 0.9}),
        ({"top_k": 40}, {"gen_ai.request.top_k": 40}),
        ({"max_tokens": 64}, {"gen_ai.request.max_tokens": 64}),
        ({"max_completion_tokens": 64}, {"gen_ai.request.max_tokens": 64}),
        ({"max_output_tokens": 64}, {"gen_ai.request.max_tokens": 64}),
        ({"num_predict": 64}, {"gen_ai.request.max_tokens": 64}),
        ({"frequency_penalty": 0.5}, {"gen_ai.request.frequency_penalty": 0.5}),
        ({"presence_penalty": 0.5}, {"gen_ai.request.presence_penalty": 0.5}),
        ({"seed": 7}, {"gen_ai.request.seed": 7}),
        ({"stop": ["a", "b"]}, {"gen_ai.request.stop_sequences": ["a", "b"]}),
        ({"stop": "a"}, {"gen_ai.request.stop_sequences": ["a"]}),
        ({"stop_sequences": ["a"]}, {"gen_ai.request.stop_sequences": ["a"]}),
        ({"n": 3}, {"gen_ai.request.choice.count": 3}),
        ({"n": 1}, {}),
        ({"stream": True}, {"gen_ai.request.stream": True}),
        ({"streaming": True}, {"gen_ai.request.stream": True}),
        ({"stream": False}, {}),
        ({"reasoning_effort": "low"}, {"gen_ai.request.reasoning.level": "low"}),
        ({"reasoning": {"effort": "high"}}, {"gen_ai.request.reasoning.level": "high"}),
        ({"previous_response_id": "r1"}, {"gen_ai.request.previous_response.id": "r1"}),
        ({"response_format": {"type": "json_schema"}}, {"gen_ai.output.type": "json"}),
        ({"response_format": {"type": "text"}}, {"gen_ai.output.type": "text"}),
    ],
)
def test_request_parameters(params, expected):
    """Each invocation parameter the convention defines becomes its attribute, in the convention's type."""
    assert request_attributes(params=params) == expected


@pytest.mark.parametrize(
    "params",
    [
        {"temperature": None},
        {"temperature": "hot"},
        {"temperature": True},
        {"temperature": float("nan")},
        {"max_tokens": float("inf")},
        {"seed": 2**70},
        {"stop": [1, None]},
        {"n": "two"},
        {"reasoning": "much"},
        {"response_format": "json"},
    ],
)
def test_invalid_parameters_are_left_out(params):
    """A value of a wrong type or range gives no attribute and raises no error."""
    assert request_attributes(params=params) == {}


def test_metadata_fills_in_for_parameters():
    """``ls_temperature`` and ``ls_max_tokens`` count if the parameters lack them."""
    metadata = {"ls_temperature": 0.3, "ls_max_tokens": 9}
    assert request_attributes(metadata=metadata, params={"temperature": 0.1}) == {
        "gen_ai.request.temperature": 0.1,
        "gen_ai.request.max_tokens": 9,
    }


def test_structured_output_asks_for_json():
    """``with_structured_output`` marks the call, whatever method it uses."""
    assert request_attributes(options={"ls_structured_output_format": {"schema": {}}}) == {"gen_ai.output.type": "json"}


def test_service_tier_belongs_to_openai():
    """The requested service tier is exported for OpenAI only, whose attribute it is."""
    params = {"service_tier": "flex"}
    assert request_attributes(params=params, metadata={"ls_provider": "openai"}) == {
        "openai.request.service_tier": "flex"
    }
    assert request_attributes(params=params, metadata={"ls_provider": "groq"}) == {}


@pytest.mark.parametrize(
    ("metadata", "llm_output", "expected"),
    [
        ({"model_name": "m-1"}, None, "m-1"),
        ({"model": "m-2"}, None, "m-2"),
        ({}, {"model_name": "m-3"}, "m-3"),
        ({"model_name": "m-1"}, {"model_name": "m-3"}, "m-1"),
        ({}, None, None),
    ],
)
def test_response_model(metadata, llm_output, expected):
    """The response model comes from the message, then from ``llm_output``."""
    out = response_attributes(answer(message(response_metadata=metadata), llm_output=llm_output))
    assert out.get("gen_ai.response.model") == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"response_metadata": {"id": "chatcmpl-1"}, "id": "lc_run--1"}, "chatcmpl-1"),
        ({"id": "msg_1"}, "msg_1"),
        ({"id": "lc_run--1"}, None),
        ({"id": "run--1"}, None),
        ({"id": None}, None),
    ],
)
def test_response_id_is_the_providers(fields, expected):
    """The response id is the provider's; an id that LangChain made from the run's does not count."""
    assert response_attributes(answer(message(**fields))).get("gen_ai.response.id") == expected


@pytest.mark.parametrize(
    ("info", "metadata", "expected"),
    [
        ({"finish_reason": "stop"}, {"finish_reason": "length"}, "stop"),
        (None, {"finish_reason": "length"}, "length"),
        (None, {"stop_reason": "end_turn"}, "end_turn"),
        (None, {"stopReason": "tool_use"}, "tool_use"),
        (None, {"done_reason": "stop"}, "stop"),
        (None, {"status": "completed"}, "completed"),
        (None, {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "max_output_tokens"),
        ({"finish_reason": ""}, {"status": 7}, None),
        (None, {}, None),
    ],
)
def test_finish_reason(info, metadata, expected):
    """The finish reason is read where providers put it, and spelled as they do; none is invented."""
    generation = SimpleNamespace(generation_info=info, message=message(response_metadata=metadata))
    reasons = model.finish_reasons([generation])
    assert reasons == ([expected] if expected else [])


def test_finish_reasons_of_several_choices():
    """Every choice with a reason gives one, in the order of the choices."""
    result = answer(*[message(response_metadata={"finish_reason": reason}) for reason in ("stop", "length")])
    assert response_attributes(result)["gen_ai.response.finish_reasons"] == ["stop", "length"]


@pytest.mark.parametrize("result", [None, object(), SimpleNamespace(generations=None), SimpleNamespace(generations=[])])
def test_result_without_generations_gives_nothing(result):
    """A result of an unknown shape gives no attribute and raises no error."""
    assert response_attributes(result) == {}


def test_text_length_counts_characters_of_the_first_choice():
    """The length of a partial answer is that of its text, 0 without one."""
    assert model.text_length(SimpleNamespace(generations=[[SimpleNamespace(text="partial")]])) == 7
    assert model.text_length(SimpleNamespace(generations=[])) == 0
