import pytest
from langchain_core.chat_history import InMemoryChatMessageHistory
from langchain_core.runnables import RunnableLambda, RunnablePassthrough, RunnableWithMessageHistory
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph

from tests.support.models import ScriptedChat
from tests.support.programs import WAYS, State, needs_contexts_of_tasks, run, weather
from tests.support.recorded_spans import RecordedSpans

CONVERSATION = "gen_ai.conversation.id"
SINGLE_WAYS = [way for way in WAYS if "batch" not in way]
"""A batch of a sequence calls its steps outside of any body, and newer releases show them no configurable part."""


def conversations(telemetry: RecordedSpans) -> dict[str, str | None]:
    """Return the conversation of each span, by the span's name."""
    return {span.name: span.attributes.get(CONVERSATION) for span in telemetry.spans}


@pytest.mark.parametrize("key", ["thread_id", "session_id", "conversation_id"])
def test_conversation_from_metadata(telemetry: RecordedSpans, key):
    """The usual keys of metadata set the conversation of every span in the tree."""
    chain = RunnableLambda(lambda text: ScriptedChat(script=["hi"]).invoke(text)).with_config(run_name="talk")
    chain.invoke("x", {"callbacks": [telemetry.new_handler()], "metadata": {key: "c1"}})
    assert conversations(telemetry) == {"invoke_workflow talk": "c1", "chat": "c1"}


def test_conversation_from_langgraphs_thread(telemetry: RecordedSpans):
    """LangGraph's thread is the conversation of the graph and its nodes."""
    builder = StateGraph(State).add_node("only", lambda state: {"seen": [1]}).add_edge(START, "only")
    program = builder.compile(checkpointer=InMemorySaver(), name="g")
    config = {"callbacks": [telemetry.new_handler()], "configurable": {"thread_id": "t1"}}
    program.invoke({"seen": []}, config)
    assert conversations(telemetry) == {"invoke_workflow g": "t1", "node only": "t1"}


@needs_contexts_of_tasks
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("way", SINGLE_WAYS)
async def test_conversation_from_a_message_history(telemetry: RecordedSpans, way):
    """A message history's session, which is in the configurable part of the configuration, is the conversation."""
    histories: dict[str, InMemoryChatMessageHistory] = {}
    program = RunnableWithMessageHistory(
        ScriptedChat(script=["hi"]), lambda session: histories.setdefault(session, InMemoryChatMessageHistory())
    )
    config = {"callbacks": [telemetry.new_handler()], "configurable": {"session_id": "s1"}}
    await run(program, way, "x", config)
    assert set(conversations(telemetry).values()) == {"s1"}
    assert {span.name for span in telemetry.spans if span.parent is None} == {"invoke_workflow"}


@needs_contexts_of_tasks
@pytest.mark.parametrize("key", ["thread_id", "session_id", "conversation_id"])
@pytest.mark.parametrize("way", SINGLE_WAYS)
async def test_conversation_from_the_configurable_part(telemetry: RecordedSpans, way, key):
    """The usual keys in the configurable part set the conversation of the root, and of all below it."""
    chain = RunnablePassthrough() | RunnableLambda(str.upper, name="shout") | ScriptedChat(script=["hi"])
    config = {"callbacks": [telemetry.new_handler()], "configurable": {key: "c1"}}
    await run(chain.with_config(run_name="talk"), way, "x", config)
    assert {span.name for span in telemetry.spans} == {"invoke_workflow talk", "chain shout", "chat"}
    assert {span.attributes.get(CONVERSATION) for span in telemetry.spans} == {"c1"}


def test_failed_root_has_its_conversation(telemetry: RecordedSpans):
    """A root that fails has the conversation that a run inside it showed."""
    chain = RunnablePassthrough() | RunnableLambda(lambda _: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        chain.invoke("x", {"callbacks": [telemetry.new_handler()], "configurable": {"session_id": "c1"}})
    assert set(conversations(telemetry).values()) == {"c1"}


def test_conversation_of_an_inner_chain_is_not_the_roots(telemetry: RecordedSpans):
    """A conversation that is given to an inner chain is not that of the chain around it."""
    inner = (RunnablePassthrough() | ScriptedChat(script=["hi"])).with_config(run_name="inner")
    outer = RunnableLambda(lambda text: inner.invoke(text, {"configurable": {"session_id": "c1"}}), name="outer")
    outer.invoke("x", {"callbacks": [telemetry.new_handler()]})
    assert conversations(telemetry) == {"invoke_workflow outer": None, "chain inner": "c1", "chat": "c1"}


def test_conversation_that_only_a_run_inside_shows_has_no_secrets(telemetry: RecordedSpans):
    """A secret that serves as a session is removed on the root as well."""
    chain = RunnablePassthrough() | ScriptedChat(script=["hi"])
    secret = "sk-ant-abcdefghijklmnopqrstuvwxyz012345"
    chain.invoke("x", {"callbacks": [telemetry.new_handler()], "configurable": {"session_id": secret}})
    assert set(conversations(telemetry).values()) == {"[REDACTED:anthropic_key]"}


def test_no_conversation_is_made_up(telemetry: RecordedSpans):
    """Without any of the keys there is no conversation."""
    weather.invoke({"city": "Oslo"}, {"callbacks": [telemetry.new_handler()], "metadata": {"user_id": "u1"}})
    assert conversations(telemetry) == {"execute_tool weather": None}


def test_conversations_are_no_labels(telemetry: RecordedSpans):
    """Metrics have no conversation ids."""
    weather.invoke({"city": "Oslo"}, {"callbacks": [telemetry.new_handler()], "metadata": {"thread_id": "c1"}})
    (point,) = telemetry.points("gen_ai.execute_tool.duration")
    assert set(point.attributes) == {"gen_ai.tool.name", "gen_ai.tool.type"}


def test_only_chosen_metadata_is_exported(telemetry: RecordedSpans):
    """Only the configured keys of metadata are exported on spans, and only those with simple values."""
    metadata = {"user_id": "u1", "tenant": "acme", "plan": {"name": "gold"}, "score": 0.5, "beta": True}
    handler = telemetry.new_handler(metadata_keys=("user_id", "plan", "score", "beta", "absent"))
    weather.invoke({"city": "Oslo"}, {"callbacks": [handler], "metadata": metadata})
    attributes = telemetry.span("execute_tool weather").attributes
    assert {key: value for key, value in attributes.items() if key.startswith("langchain.metadata.")} == {
        "langchain.metadata.user_id": "u1",
        "langchain.metadata.score": 0.5,
        "langchain.metadata.beta": True,
    }
    assert "acme" not in attributes.values()


def test_no_metadata_is_exported_by_default(telemetry: RecordedSpans):
    """By default no metadata is exported, as it may hold anything."""
    config = {"callbacks": [telemetry.new_handler()], "metadata": {"user_id": "u1", "api_key": "sk-1"}}
    weather.invoke({"city": "Oslo"}, config)
    assert not {"u1", "sk-1"} & set(telemetry.span("execute_tool weather").attributes.values())
