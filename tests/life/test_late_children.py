"""Tests of runs that start after their parent has ended: LangChain states it, so they belong to it all the same."""

import asyncio
import threading
import uuid
from collections.abc import Iterator
from contextlib import suppress
from contextvars import copy_context
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.runnables import RunnableGenerator, RunnableLambda, RunnablePassthrough
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.types import interrupt
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import otel_callbacks
from otel_callbacks._runs import table
from tests.support.models import ScriptedChat, calling
from tests.support.programs import agent, graph, needs_contexts_of_tasks, tool_that, weather
from tests.support.recorded_spans import RecordedSpans

WORKFLOWS = "gen_ai.invoke_workflow.duration"


class Later:
    """Work that a body leaves behind: it starts when `release` is called, and calls a model."""

    def __init__(self, work: Any = None) -> None:
        self.work = work or (lambda: ScriptedChat(script=["hi"]).invoke("x"))
        self._released = threading.Event()
        self._threads: list[threading.Thread] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self._go: asyncio.Event | None = None

    def in_thread(self, *_: Any) -> Any:
        """Leave it behind in a thread that has a copy of the context."""

        def wait() -> None:
            self._released.wait()
            self.work()

        self._threads.append(threading.Thread(target=copy_context().run, args=(wait,)))
        self._threads[-1].start()
        return {"seen": [1]}

    async def in_task(self, *_: Any) -> Any:
        """Leave it behind in a task."""
        go = self._go = self._go or asyncio.Event()

        async def wait() -> None:
            await go.wait()
            self.work()

        self._tasks.append(asyncio.ensure_future(wait()))
        return {"seen": [1]}

    def release(self) -> None:
        self._released.set()
        for thread in self._threads:
            thread.join()

    async def release_tasks(self) -> None:
        if self._go is not None:
            self._go.set()
        await asyncio.gather(*self._tasks)


PROGRAMS = {
    "lambda": (lambda body: RunnableLambda(body, name="leave"), "invoke_workflow leave\n  chat"),
    "inner lambda": (
        lambda body: RunnablePassthrough() | RunnableLambda(body, name="leave"),
        "invoke_workflow\n  chain leave\n    chat",
    ),
    "node": (lambda body: graph("g", leave=body), "invoke_workflow g\n  node leave\n    chat"),
    "sub-graph": (
        lambda body: graph("g", sub=graph("s", leave=body)),
        "invoke_workflow g\n  node sub\n    graph s\n      node leave\n        chat",
    ),
    "stream": (lambda body: RunnableLambda(body, name="leave"), "invoke_workflow leave\n  chat"),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_work_left_behind_in_a_thread_is_below_the_ended_run(telemetry: RecordedSpans, name):
    """A run in a thread that outlives its parent is the parent's child, in its conversation, and no workflow."""
    later = Later()
    build, tree = PROGRAMS[name]
    value = {"seen": []} if "graph" in name or name == "node" else "x"
    config = {"callbacks": [telemetry.new_handler()], "metadata": {"thread_id": "t1"}}
    program = build(later.in_thread)
    _ = list(program.stream(value, config)) if name == "stream" else program.invoke(value, config)
    later.release()
    assert telemetry.tree() == tree
    assert {span.attributes.get("gen_ai.conversation.id") for span in telemetry.spans} == {"t1"}
    assert telemetry.count(WORKFLOWS) == 1


@needs_contexts_of_tasks
@pytest.mark.parametrize("is_root_over", [True, False])
@pytest.mark.parametrize("name", PROGRAMS)
async def test_work_left_behind_in_a_task_is_below_the_ended_run(telemetry: RecordedSpans, name, is_root_over):
    """A run in a task that outlives its parent is the parent's child, whether the root is over or not."""
    later = Later()
    build, tree = PROGRAMS[name]
    handler = telemetry.new_handler()
    value = {"seen": []} if "graph" in name or name == "node" else "x"

    async def request(value: Any) -> None:
        program = build(later.in_task)
        _ = [chunk async for chunk in program.astream(value)] if name == "stream" else await program.ainvoke(value)
        if not is_root_over:
            await later.release_tasks()

    if is_root_over:
        await request_as_root(build(later.in_task), name, value, handler)
        await later.release_tasks()
        assert telemetry.tree() == tree
    else:
        await RunnableLambda(request, name="request").ainvoke(value, {"callbacks": [handler]})
        inner = tree.replace("invoke_workflow g", "graph g").replace("invoke_workflow leave", "chain leave")
        lines = [line for line in inner.splitlines() if line != "invoke_workflow"]
        shift = 0 if len(lines) < len(inner.splitlines()) else 2
        assert telemetry.tree() == "\n".join(["invoke_workflow request", *(" " * shift + line for line in lines)])
    assert telemetry.count(WORKFLOWS) == 1
    assert handler.open_runs == 0


async def request_as_root(program: Any, name: str, value: Any, handler: Any) -> None:
    """Run the program as a root, as a stream or not."""
    config = {"callbacks": [handler]}
    if name == "stream":
        _ = [chunk async for chunk in program.astream(value, config)]
    else:
        await program.ainvoke(value, config)


@task
def research(topic: str) -> str:
    """Call a model."""
    return ScriptedChat(script=["notes"]).invoke(topic).content


@task
def ask() -> str:
    """Wait for a person."""
    return interrupt("continue?")


@task
def fail() -> str:
    """Fail."""
    raise ValueError("no")


def leaves_tasks(topic: str) -> Any:
    """Start tasks and do not wait for them."""
    research(topic)
    research(topic)
    return "answer"


def starts_and_asks(topic: str) -> Any:
    """Pause while a task starts."""
    notes = research(topic)
    return interrupt("go on?"), notes.result()


def one_of_two_asks(topic: str) -> Any:
    """Pause in one task while another starts."""
    first, second = ask(), research(topic)
    return [first.result(), second.result()]


def one_of_two_fails(topic: str) -> Any:
    """Fail in one task while another starts."""
    first, second = fail(), research(topic)
    return [first.result(), second.result()]


@pytest.mark.parametrize("way", ["invoke", "stream", "batch"])
@pytest.mark.parametrize("flow", [leaves_tasks, starts_and_asks, one_of_two_asks, one_of_two_fails])
def test_tasks_of_the_functional_api_stay_in_the_trace(telemetry: RecordedSpans, flow, way):
    """LangGraph starts tasks in threads, often after the entrypoint has ended: still one trace, and one workflow."""
    handler, threads = telemetry.new_handler(), set(threading.enumerate())
    program = entrypoint(checkpointer=InMemorySaver())(flow)
    for number in range(10):
        config = {"callbacks": [handler], "configurable": {"thread_id": str(number)}}
        try:
            if way == "batch":
                program.batch(["x"], [config])
            else:
                _ = program.invoke("x", config) if way == "invoke" else list(program.stream("x", config))
        except ValueError:
            assert flow is one_of_two_fails
    for thread in set(threading.enumerate()) - threads:  # LangGraph does not wait for them
        thread.join()
    roots = [span for span in telemetry.spans if span.parent is None]
    assert [span.name for span in roots] == [f"invoke_workflow {flow.__name__}"] * 10
    assert len({span.context.trace_id for span in telemetry.spans}) == 10
    assert telemetry.count(WORKFLOWS) == 10


@pytest.mark.parametrize("is_root_over", [True, False])
def test_hidden_parent_answers_with_its_visible_ancestor(telemetry: RecordedSpans, is_root_over):
    """A run left behind by a hidden run is below the visible ancestor, and `trace_ref` finds the hidden one there."""
    handler = telemetry.new_handler(detail="operations")
    later, hidden_id = Later(), uuid.uuid4()
    hidden = RunnableLambda(later.in_thread, name="hidden")

    def request(value: str) -> None:
        hidden.invoke(value, {"run_id": hidden_id})
        if not is_root_over:
            later.release()

    RunnableLambda(request).invoke("x", {"callbacks": [handler]})
    later.release()
    assert telemetry.tree() == "invoke_workflow request\n  chat"
    root = telemetry.span("invoke_workflow request")
    assert handler.trace_ref(hidden_id).span_id == f"{root.context.span_id:016x}"


def test_hidden_run_left_behind_hands_its_place_on(telemetry: RecordedSpans):
    """A late run that is hidden has no span, and its children hang on the span that it would have hung on."""
    chain = RunnableLambda(str.upper, name="hidden") | ScriptedChat(script=[ValueError("no")])
    later = Later(lambda: chain.with_fallbacks([RunnableLambda(lambda _: "x")]).invoke("x"))
    handler = telemetry.new_handler(detail="operations")
    RunnableLambda(later.in_thread, name="leave").invoke("x", {"callbacks": [handler]})
    later.release()
    assert telemetry.tree() == "invoke_workflow leave\n  chat [error] ERROR"
    assert telemetry.total("otel_callbacks.errors") == 0


def test_children_of_suppressed_runs_stay_suppressed(telemetry: RecordedSpans):
    """A run that starts outside the block in which its ended parent was suppressed is suppressed as well."""
    handler, parent, child = telemetry.new_handler(), uuid.uuid4(), uuid.uuid4()
    with otel_callbacks.suppress():
        start_and_end(handler, "parent", parent)
    start_and_end(handler, "child", child, parent)
    start_and_end(handler, "grandchild", uuid.uuid4(), child)
    assert telemetry.spans == ()
    assert telemetry.total("otel_callbacks.runs") == 0


def test_work_left_behind_in_a_suppressed_body_is_suppressed(telemetry: RecordedSpans):
    """What a suppressed run leaves behind in a thread is suppressed."""
    later = Later()
    with otel_callbacks.suppress():
        RunnableLambda(later.in_thread).invoke("x", {"callbacks": [telemetry.new_handler()]})
    later.release()
    assert telemetry.spans == ()
    assert telemetry.total("otel_callbacks.runs") == 0


@pytest.mark.parametrize("is_sampled", [True, False])
def test_children_of_unsampled_runs_stay_unsampled(is_sampled):
    """The sampler's decision on the ended parent holds for what it leaves behind."""
    telemetry = RecordedSpans(None if is_sampled else ALWAYS_OFF)
    later = Later()
    RunnableLambda(later.in_thread, name="leave").invoke("x", {"callbacks": [telemetry.new_handler()]})
    telemetry.tracer_provider.sampler = RecordedSpans().tracer_provider.sampler  # asks the parent first
    later.release()
    assert len(telemetry.spans) == (2 if is_sampled else 0)
    telemetry.shutdown()


@pytest.mark.parametrize("is_agent_over", [True, False])
def test_an_agent_that_has_ended_counts_no_more(telemetry: RecordedSpans, is_agent_over):
    """A late call has the agent's name, and counts as the agent's only while the agent runs."""
    later = Later(lambda: (ScriptedChat(script=["hi"]).invoke("x"), weather.invoke({"city": "x"})))
    answers = iter([calling("ask", city="x"), "done"])

    def leave() -> str:
        later.in_thread()
        return "later"

    class Model(ScriptedChat):
        def _next(self) -> Any:
            answer = next(answers)
            if answer == "done" and not is_agent_over:
                later.release()
            return answer

    program = agent(Model(script=[""]), [tool_that(leave)], "helper")
    program.invoke({"messages": [("user", "hi")]}, {"callbacks": [telemetry.new_handler()]})
    later.release()
    calls = [telemetry.points(f"gen_ai.invoke_agent.{kind}_calls")[0].sum for kind in ("inference", "tool")]
    assert calls == ([2, 1] if is_agent_over else [3, 2])
    late = [span for span in telemetry.spans if telemetry.parent_name(span) == "execute_tool ask"]
    assert [span.name for span in late] == ["chat", "execute_tool weather"]
    assert telemetry.span("execute_tool weather").attributes["gen_ai.agent.name"] == "helper"


def test_a_late_call_is_not_counted_by_the_agent_around_the_ended_one(telemetry: RecordedSpans):
    """What an inner agent leaves behind counts for no agent: the inner one has ended, the outer one did not make it."""
    later = Later()
    inner = agent(ScriptedChat(script=[calling("ask", city="x"), "done"]), [tool_that(later.in_thread)], "inner")

    def consult() -> str:
        inner.invoke({"messages": [("user", "hi")]})
        later.release()
        return "consulted"

    outer = agent(ScriptedChat(script=[calling("ask", city="x"), "done"]), [tool_that(consult)], "outer")
    outer.invoke({"messages": [("user", "hi")]}, {"callbacks": [telemetry.new_handler()]})
    assert len([span for span in telemetry.spans if span.name == "chat"]) == 5
    points = telemetry.points("gen_ai.invoke_agent.inference_calls")
    assert {point.attributes["gen_ai.agent.name"]: point.sum for point in points} == {"inner": 2, "outer": 2}


def test_a_late_step_that_fails_ends_no_run_around_its_graph(telemetry: RecordedSpans):
    """A node that fails after its graph has ended leaves open the stream from which the graph was called."""
    handler = telemetry.new_handler()
    step = RunnableLambda(lambda _: 1 // 0, name="late").with_config(
        tags=["graph:step:1"], metadata={"langgraph_checkpoint_ns": "late:1"}
    )

    def fails() -> None:
        with suppress(ZeroDivisionError):
            step.invoke("x")

    later = Later(fails)

    def request(chunks: Iterator[str]) -> Iterator[str]:
        graph("g", leave=later.in_thread).invoke({"seen": []})
        yield from chunks

    stream = RunnableGenerator(request, name="request").stream("x", {"callbacks": [handler]})
    assert next(stream) == "x"
    later.release()
    while handler._recorder._destinations.current().table.failures:
        assert handler.open_runs <= 1
    assert list(stream) == []
    assert telemetry.tree() == "invoke_workflow request\n  graph g\n    node leave\n      node late [error] ERROR"


@pytest.mark.parametrize("propagate", [True, False])
def test_span_opened_by_what_was_left_behind_stays_in_between(telemetry: RecordedSpans, propagate):
    """A span that the application opens in the work a run leaves behind is the parent of the runs inside it."""

    def work() -> None:
        with telemetry.tracer.start_as_current_span("own"):
            ScriptedChat(script=["hi"]).invoke("x")

    later = Later(work)
    with telemetry.tracer.start_as_current_span("request"):
        inner = RunnableLambda(later.in_thread, name="leave")
        handler = telemetry.new_handler(propagate=propagate)
        RunnableLambda(lambda _: inner.invoke("x"), name="root").invoke("x", {"callbacks": [handler]})
        later.release()
    chat = telemetry.span("chat")
    assert telemetry.parent_name(chat) == ("own" if propagate else "chain leave")
    assert len({span.context.trace_id for span in telemetry.spans}) == 1


def test_body_of_a_late_run_has_its_span(telemetry: RecordedSpans):
    """Inside a late run its span is current, and afterwards what was current before."""

    def opens(name: str) -> None:
        with telemetry.tracer.start_as_current_span(name):
            pass

    def work() -> None:
        RunnableLambda(lambda _: opens("inside"), name="late").invoke("x")
        opens("after")

    later = Later(work)
    RunnableLambda(later.in_thread, name="leave").invoke("x", {"callbacks": [telemetry.new_handler()]})
    later.release()
    assert telemetry.parent_name(telemetry.span("inside")) == "chain late"
    assert telemetry.span("after").parent is None


def test_worker_that_a_run_started_does_not_collect_the_runs_of_others(telemetry: RecordedSpans):
    """A root that states no parent is a root, though it starts in the context of a run that has ended."""
    handler = telemetry.new_handler()
    later = Later(lambda: RunnableLambda(str.upper, name="other").invoke("x", {"callbacks": [handler]}))
    RunnableLambda(later.in_thread, name="leave").invoke("x", {"callbacks": [handler]})
    later.release()
    assert telemetry.tree() == "invoke_workflow leave\ninvoke_workflow other"


# What is remembered, and for how long


def end_runs(handler: Any, number: int) -> None:
    """Let that many runs start and end."""
    for _ in range(number):
        run_id = uuid.uuid4()
        handler.on_chain_start(None, {}, run_id=run_id, name="other")
        handler.on_chain_end({}, run_id=run_id)


def roots(telemetry: RecordedSpans) -> list[str]:
    """The names of the roots, without those of `end_runs`."""
    return [span.name for span in telemetry.spans if span.parent is None and span.name != "invoke_workflow other"]


def start_and_end(handler: Any, name: str, run_id: Any, parent_run_id: Any = None) -> None:
    """Let a run start and end."""
    handler.on_chain_start(None, {}, run_id=run_id, parent_run_id=parent_run_id, name=name)
    handler.on_chain_end({}, run_id=run_id)


def test_the_last_4096_ended_runs_are_parents(telemetry: RecordedSpans):
    """A run whose id is not watched, as a text is not, is a parent until at least 4096 runs have ended."""
    handler = telemetry.new_handler()
    start_and_end(handler, "early", "early")
    end_runs(handler, 4095)
    start_and_end(handler, "in time", uuid.uuid4(), "early")
    assert roots(telemetry) == ["invoke_workflow early"]
    assert telemetry.total("otel_callbacks.errors") == 0
    end_runs(handler, 2 * 4096)
    start_and_end(handler, "too late", uuid.uuid4(), "early")
    assert roots(telemetry) == ["invoke_workflow early", "invoke_workflow too late"]
    assert telemetry.total("otel_callbacks.discrepancies", otel_callbacks__discrepancy__kind="parent") == 1


def test_a_run_is_a_parent_while_its_id_lives(telemetry: RecordedSpans, monkeypatch):
    """However many runs have ended since, a run is a parent while somebody holds its id, up to a bound."""
    monkeypatch.setattr(table, "_REMEMBERED_ENDED", 10)
    monkeypatch.setattr(table, "_REMEMBERED_ALIVE", 30)
    handler = telemetry.new_handler()
    held = [uuid.uuid4() for _ in range(30)]
    for run_id in held:
        start_and_end(handler, "held", run_id)
    end_runs(handler, 100)
    for run_id in held:
        start_and_end(handler, "child", uuid.uuid4(), run_id)
    assert roots(telemetry) == ["invoke_workflow held"] * 30

    more = [uuid.uuid4() for _ in range(30)]
    for run_id in more:
        start_and_end(handler, "held", run_id)
    end_runs(handler, 100)
    for run_id in [*held, *more]:
        start_and_end(handler, "child", uuid.uuid4(), run_id)
    assert roots(telemetry).count("invoke_workflow child") == 30
    assert telemetry.total("otel_callbacks.discrepancies", otel_callbacks__discrepancy__kind="parent") == 30
    ended = handler._recorder._destinations.current().table
    assert len(ended._ended) + len(ended._ended_before) + len(ended._ended_alive) <= 10 + 10 + 30


def test_ids_that_make_a_circle_of_parents_end(telemetry: RecordedSpans):
    """Texts that an application uses again, so that each run is the parent of the other, do no harm."""
    handler = telemetry.new_handler()
    start_and_end(handler, "a", "a")
    start_and_end(handler, "b", "b", "a")
    start_and_end(handler, "a", "a", "b")
    start_and_end(handler, "b", "b", "a")
    assert telemetry.tree() == "invoke_workflow a\n  chain b\n    chain a\n      chain b"


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=40), st.sampled_from(["text", "uuid"]))
def test_parents_hold_in_every_order_of_starts_and_ends(steps, kind):
    """Whatever the order of starts and ends, each run's span is below that of its parent, in its trace."""
    telemetry = RecordedSpans()
    handler = telemetry.new_handler()
    ids: list[Any] = []
    parents: dict[str, str | None] = {}
    is_open: dict[int, Any] = {}
    for is_start, choice in steps:
        if is_start or not is_open:
            number = len(ids)
            parent = choice % (number + 1) - 1  # -1: a root
            ids.append(uuid.uuid4() if kind == "uuid" else f"run {number}")
            parents[f"r{number}"] = f"r{parent}" if parent >= 0 else None
            stated = ids[parent] if parent >= 0 else None
            handler.on_chain_start(None, {}, run_id=ids[number], parent_run_id=stated, name=f"r{number}")
            is_open[number] = ids[number]
        else:
            number = sorted(is_open)[choice % len(is_open)]
            handler.on_chain_end({}, run_id=is_open.pop(number))
    for run_id in is_open.values():
        handler.on_chain_end({}, run_id=run_id)
    spans = {span.name.rpartition(" ")[2]: span for span in telemetry.spans}
    assert spans.keys() == parents.keys()
    for name, parent in parents.items():
        above = spans[name].parent
        assert (above and above.span_id) == (spans[parent].context.span_id if parent else None)
        assert spans[name].name.startswith("chain" if parent else "invoke_workflow")
        assert parent is None or spans[name].context.trace_id == spans[parent].context.trace_id
    assert handler.open_runs == 0
    telemetry.shutdown()
