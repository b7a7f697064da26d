"""Tests of run ids that the application gives as text: in every way of running, they change nothing."""

import asyncio
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.callbacks import dispatch_custom_event
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt

from otel_callbacks._langchain.run_id import TextId, as_uuid, run_key
from tests.support.models import ScriptedChat
from tests.support.programs import WAYS, graph, weather
from tests.support.recorded_spans import RecordedSpans
from tests.ways.subjects import SUBJECTS, Probe

_numbers = count(1)
KINDS: dict[str, Callable[[], Any]] = {
    "text": lambda: f"req-{next(_numbers)}",
    "text of a UUID": lambda: str(uuid.uuid4()),
    "text that is no ASCII": lambda: f"\N{SNOWMAN}\ud800 {next(_numbers)}",
    "number": lambda: next(_numbers),
}


class OtherUUID:
    """A UUID class of another package: no subclass, not weakly referenceable."""

    __slots__ = ("int",)

    def __init__(self) -> None:
        self.int = uuid.uuid4().int


async def run(runnable: Any, way: str, value: Any, configs: list[Any]) -> None:
    """Run it once for each configuration."""
    if way in {"batch", "abatch"}:
        result = getattr(runnable, way)([value] * len(configs), configs, return_exceptions=True)
        _ = await result if way == "abatch" else result
        return
    for config in configs:
        try:
            if way == "stream":
                list(runnable.stream(value, config))
            elif way == "astream":
                _ = [chunk async for chunk in runnable.astream(value, config)]
            elif way == "astream_events":
                _ = [event async for event in runnable.astream_events(value, config, version="v2")]
            else:
                result = getattr(runnable, way)(value, config)
                _ = await result if way == "ainvoke" else result
        except (ValueError, RuntimeError):
            pass


async def recorded(subject: str, way: str, ending: str, new_id: Callable[[], Any]) -> Any:
    """Return what two runs with such ids leave."""
    telemetry = RecordedSpans()
    handler = telemetry.new_handler(detail="all")
    kind = SUBJECTS[subject]
    configs = [{"callbacks": [handler], "run_id": new_id()} for _ in range(2)]
    await run(kind.build(Probe(telemetry.tracer, ending)), way, kind.value, configs)
    places = [handler.trace_ref(config["run_id"]) for config in configs]
    roots = {f"{span.context.span_id:016x}" for span in telemetry.spans if span.parent is None}
    errors = telemetry.total("otel_callbacks.errors")
    result = telemetry.tree(), handler.open_runs, errors, {place and place.span_id for place in places} == roots
    telemetry.shutdown()
    return result


@pytest.mark.parametrize(
    ("way", "subject", "ending"),
    [
        (way, subject, ending)
        for way in (*WAYS, "astream_events")
        for subject in SUBJECTS
        for ending in ("finished", "failed")
        if (subject, ending) != ("parallel", "failed")  # chance decides what the other branch still does
    ],
)
async def test_a_text_gives_the_tree_that_a_uuid_gives(way, subject, ending):
    """A run whose id is a text has the tree, the outcome and the place that it has with a UUID."""
    expected = await recorded(subject, way, ending, uuid.uuid4)
    assert expected[1:3] == (0, 0)
    for kind in ("text", "text of a UUID") if way != "invoke" else KINDS:
        assert await recorded(subject, way, ending, KINDS[kind]) == expected, kind


async def test_uuids_of_other_packages_are_uuids():
    """An id that has an integer, as those of other packages have, is known by it, even if it has no weak references."""
    expected = await recorded("LCEL chain", "invoke", "finished", uuid.uuid4)
    assert await recorded("LCEL chain", "invoke", "finished", OtherUUID) == expected


@given(st.text())
def test_each_text_has_a_key_of_its_own(text):
    """The key of a text is the same each time, and that of no other text; the text of a UUID has the UUID's key."""
    assert run_key(text) == as_uuid(text).int == run_key(type("Text", (str,), {})(text))
    assert run_key(text) != run_key(text + "!")
    number = run_key(text)
    assert run_key(str(uuid.UUID(int=number))) == number
    assert type(as_uuid(text)) is TextId


def test_events_inside_a_run_find_it(telemetry: RecordedSpans):
    """Custom events, chunks and pauses of runs with a text as id are on their spans; a resume links to the pause."""
    handler = telemetry.new_handler()
    model = ScriptedChat(script=["hi"])
    for _ in model.stream("x", {"callbacks": [handler], "run_id": "streaming"}):
        pass
    assert "gen_ai.response.time_to_first_chunk" in telemetry.span("chat").attributes

    RunnableLambda(lambda _: dispatch_custom_event("saved", 1), name="work").invoke(
        "x", {"callbacks": [handler], "run_id": "work"}
    )
    assert [event.name for event in telemetry.span("invoke_workflow work").events] == ["langchain.custom_event"]

    program = graph("asks", ask=lambda state: {"seen": [interrupt("go on?")]})
    program.checkpointer = InMemorySaver()
    config = {"callbacks": [handler], "configurable": {"thread_id": "t"}}
    program.invoke({"seen": []}, {**config, "run_id": "asked"})
    program.invoke(Command(resume="yes"), {**config, "run_id": "answered"})
    asked, answered = (span for span in telemetry.spans if span.name == "node ask")
    assert [link.context for link in answered.links] == [asked.context]
    assert telemetry.total("otel_callbacks.errors") == 0


@pytest.mark.parametrize("prefix", ["", "lc_run--", "run--", "run-"])
@pytest.mark.parametrize("suffix", ["", "-0"])
def test_message_leads_to_a_run_with_a_text_as_id(telemetry: RecordedSpans, prefix, suffix):
    """`trace_ref` finds a run by the text and by the id of a message that it produced."""
    handler = telemetry.new_handler()
    stream = ScriptedChat(script=["hi"]).stream("x", {"callbacks": [handler], "run_id": "run-of req-7"})
    answers = {chunk.id for chunk in stream}
    expected = f"{telemetry.span('chat').context.span_id:016x}"
    assert {handler.trace_ref(answer).span_id for answer in answers} == {expected}
    assert handler.trace_ref(f"{prefix}run-of req-7{suffix if prefix else ''}").span_id == expected


def test_a_text_used_again_is_another_run(telemetry: RecordedSpans):
    """A text used again after its run has ended is a new run, and leads to the later one."""
    handler = telemetry.new_handler()
    for _ in range(3):
        weather.invoke({"city": "Oslo"}, {"callbacks": [handler], "run_id": "again"})
    assert telemetry.tree() == "\n".join(["execute_tool weather"] * 3)
    assert handler.trace_ref("again").span_id == f"{telemetry.spans[-1].context.span_id:016x}"


@pytest.mark.parametrize("new_id", [lambda: "again", lambda: uuid.UUID(int=7)])
def test_an_id_used_again_is_not_taken_for_the_run_that_was_closed(telemetry: RecordedSpans, new_id):
    """A run that is closed some time after its parent was cancelled takes no later run of its id with it."""
    handler = telemetry.new_handler()
    first, second, parent = new_id(), new_id(), uuid.uuid4()
    handler.on_chain_start(None, {}, run_id=parent, name="parent")
    handler.on_chain_start(None, {}, run_id=first, parent_run_id=parent, name="first")
    handler.on_chain_error(asyncio.CancelledError(), run_id=parent)
    handler.on_chain_end({}, run_id=first)
    handler.on_chain_start(None, {}, run_id=second, name="second")
    while handler._recorder._destinations.current().table.orphans:
        assert handler.open_runs == 1
    handler.on_chain_end({}, run_id=second)
    assert sorted(telemetry.tree().split("\n")) == [
        "  chain first",
        "invoke_workflow parent [cancelled]",
        "invoke_workflow second",
    ]


@pytest.mark.parametrize("is_same_handler", [True, False])
def test_a_text_in_use_twice_leaves_the_first_run_whole(telemetry: RecordedSpans, is_same_handler):
    """A second run with the text of an open one, inside it or beside it, does not end the first one."""
    handler = telemetry.new_handler()
    other = handler if is_same_handler else telemetry.new_handler()
    again = {"callbacks": [other], "run_id": "twice"}
    inner = RunnableLambda(str.upper, name="inner")

    def outer(text: str) -> str:
        inner.invoke(text, again)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(inner.invoke, text, again).result()
        return weather.invoke({"city": text})

    RunnableLambda(outer).invoke("x", {"callbacks": [handler], "run_id": "twice"})
    assert telemetry.tree() == "invoke_workflow outer\n  execute_tool weather"
    assert handler.open_runs == 0


@pytest.mark.parametrize("handlers", ["the same twice", "two"])
def test_two_handlers_record_a_text_once(telemetry: RecordedSpans, handlers):
    """A handler attached twice, or two handlers on one provider, record a run with a text as id once."""
    handler = telemetry.new_handler()
    callbacks = [handler, handler if handlers == "the same twice" else telemetry.new_handler()]
    chain = RunnableLambda(str.upper, name="shout") | ScriptedChat(script=["hi"])
    chain.invoke("x", {"callbacks": callbacks, "run_id": "once"})
    assert telemetry.tree() == "invoke_workflow\n  chain shout\n  chat"
    assert handler.open_runs == 0
