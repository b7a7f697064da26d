import importlib

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.func import entrypoint, task
from langgraph.types import RetryPolicy

from tests.support.models import ScriptedChat, calling
from tests.support.programs import graph, needs_call_id_at_start, needs_create_agent
from tests.support.recorded_spans import RecordedSpans

IMMEDIATELY = {"initial_interval": 0.0, "jitter": False, "backoff_factor": 0.0}


def attempts(telemetry: RecordedSpans, name):
    """Return the numbers of the attempts of the spans of that name, in the order of their starts."""
    spans = sorted((span for span in telemetry.spans if span.name == name), key=lambda span: span.start_time)
    return [span.attributes.get("langchain.retry.attempt") for span in spans]


def middleware(name, **options):
    """Make a middleware without delays, or skip where LangChain has none of that name."""
    module = importlib.import_module("langchain.agents.middleware")
    kind = getattr(module, name, None)
    if kind is None:
        pytest.skip(f"this LangChain has no {name}")
    return kind(initial_delay=0.0, jitter=False, **options) if "Retry" in name else kind(**options)


@needs_create_agent
def test_attempts_of_a_model_are_numbered(telemetry: RecordedSpans):
    """A model that an agent's middleware asks again with the same messages has numbered attempts."""
    from langchain.agents import create_agent

    model = ScriptedChat(script=[ConnectionError("1"), ConnectionError("2"), "fine"])
    agent = create_agent(model, [], system_prompt="Be brief.", middleware=[middleware("ModelRetryMiddleware")])
    agent.invoke({"messages": [("human", "hi")]}, {"callbacks": [telemetry.new_handler()]})
    assert attempts(telemetry, "chat") == [None, 2, 3]


@needs_create_agent
@needs_call_id_at_start
def test_attempts_of_a_tool_are_numbered(telemetry: RecordedSpans):
    """A tool that an agent's middleware calls again with the same call id has numbered attempts."""
    from langchain.agents import create_agent

    failures = iter([ConnectionError("1"), ConnectionError("2")])

    @tool
    def shaky(place: str) -> str:
        """Fail twice."""
        for failure in failures:
            raise failure
        return "fine"

    model = ScriptedChat(script=[calling("shaky", place="here"), "done"])
    agent = create_agent(model, [shaky], middleware=[middleware("ToolRetryMiddleware")])
    agent.invoke({"messages": [("human", "hi")]}, {"callbacks": [telemetry.new_handler()]})
    assert attempts(telemetry, "execute_tool shaky") == [None, 2, 3]


def test_attempts_of_a_task_are_numbered(telemetry: RecordedSpans):
    """A task of the functional API that LangGraph tries again has numbered attempts; another call of it has none."""
    failures = iter([ValueError("1"), ValueError("2")])
    policy = RetryPolicy(max_attempts=3, retry_on=ValueError, **IMMEDIATELY)
    keyword = "retry_policy" if "retry_policy" in task.__kwdefaults__ else "retry"

    @task(**{keyword: policy})
    def shaky(number):
        for failure in failures:
            raise failure
        return number

    @entrypoint()
    def flow(number):
        return shaky(number).result() + shaky(number).result()

    flow.invoke(1, {"callbacks": [telemetry.new_handler()]})
    assert attempts(telemetry, "node shaky") == [None, 2, 3, None]


def test_a_loop_that_asks_again_is_a_retry(telemetry: RecordedSpans):
    """A function that catches a failure and asks the same model with the same messages makes a second attempt."""
    model = ScriptedChat(script=[ConnectionError("1"), "fine"])
    messages = [HumanMessage("hi")]

    def ask(_):
        with pytest.raises(ConnectionError):
            model.invoke(messages)
        return model.invoke(messages)

    RunnableLambda(ask).invoke(1, {"callbacks": [telemetry.new_handler()]})
    assert attempts(telemetry, "chat") == [None, 2]


@pytest.mark.parametrize("change", ["other messages", "other model", "no failure", "other caller"])
def test_no_number_without_evidence(telemetry: RecordedSpans, change):
    """Equal messages, another model, a call that succeeded and another caller are no evidence of a retry."""
    failing = ScriptedChat(script=["fine" if change == "no failure" else ConnectionError("1"), "fine"])
    other = ScriptedChat(script=["fine"], ls_params={"ls_model_name": "other"}) if change == "other model" else failing
    messages = [HumanMessage("hi")]

    def once(model, messages):
        try:
            return model.invoke(messages)
        except ConnectionError:
            return AIMessage("")

    def ask(_):
        if change == "other caller":
            return [RunnableLambda(lambda _: once(failing, messages)).invoke(1) for _ in range(2)]
        again = [HumanMessage("hi")] if change == "other messages" else messages
        return [once(failing, messages), once(other, again)]

    RunnableLambda(ask).invoke(1, {"callbacks": [telemetry.new_handler()]})
    assert [span.attributes.get("langchain.retry.attempt") for span in telemetry.spans] == [None] * len(telemetry.spans)
    assert len([span for span in telemetry.spans if span.name.startswith("chat")]) == 2


def test_rounds_of_a_graph_are_no_attempts_of_its_tools(telemetry: RecordedSpans):
    """A tool that fails in one node and is called in the next has no attempt number, whatever the id of the call."""

    @tool
    def shaky(place: str) -> str:
        """Fail always."""
        raise ConnectionError(place)

    def call(_):
        with pytest.raises(ConnectionError):
            shaky.invoke({"name": "shaky", "args": {"place": "x"}, "id": "call-1", "type": "tool_call"})
        return {"seen": [1]}

    graph("g", first=call, second=call).invoke({"seen": []}, {"callbacks": [telemetry.new_handler()]})
    assert attempts(telemetry, "execute_tool shaky") == [None, None]
