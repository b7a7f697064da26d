"""Tests of `context()`, a block whose runs belong to a conversation and carry metadata."""

import asyncio

from langchain_core.runnables import RunnableLambda

from otel_callbacks import context
from tests.support.models import ScriptedChat
from tests.support.recorded_spans import RecordedSpans


def conversations(telemetry: RecordedSpans) -> list[str | None]:
    """Return the conversation of each span."""
    return [span.attributes.get("gen_ai.conversation.id") for span in telemetry.spans]


def test_runs_inside_carry_what_the_block_says(telemetry: RecordedSpans):
    """Runs in the block and their children carry its conversation and metadata; runs after it do not."""
    handler = telemetry.new_handler(metadata_keys=("tenant",))
    chain = RunnableLambda(lambda _: ScriptedChat(script=["hi"]).invoke("x"), name="outer")
    with context(conversation_id="c-1", metadata={"tenant": "acme"}):
        chain.invoke("x", {"callbacks": [handler]})
    ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [handler]})
    assert conversations(telemetry) == ["c-1", "c-1", None]
    assert [s.attributes.get("langchain.metadata.tenant") for s in telemetry.spans] == ["acme", "acme", None]


def test_what_a_run_says_itself_wins(telemetry: RecordedSpans):
    """A call's own metadata takes precedence over the block's, and an inner block over an outer one."""
    config = {"callbacks": [telemetry.new_handler()]}
    with context(conversation_id="outer"):
        ScriptedChat(script=["hi"]).invoke("x", {**config, "metadata": {"thread_id": "own"}})
        with context(conversation_id="inner"):
            ScriptedChat(script=["hi"]).invoke("x", config)
        ScriptedChat(script=["hi"]).invoke("x", config)
    assert conversations(telemetry) == ["own", "inner", "outer"]


async def test_blocks_of_tasks_do_not_mix(telemetry: RecordedSpans):
    """Each task sees its own block, and LangChain's threads see their caller's."""
    config = {"callbacks": [telemetry.new_handler()]}

    async def talk(name: str) -> None:
        with context(conversation_id=name):
            await ScriptedChat(script=["hi"]).ainvoke("x", config)
            await asyncio.to_thread(ScriptedChat(script=["hi", "hi"]).batch, ["x", "y"], config)

    await asyncio.gather(*(talk(str(number)) for number in range(5)))
    assert sorted(conversations(telemetry)) == sorted([str(number) for number in range(5)] * 3)
