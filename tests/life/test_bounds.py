"""`max_open_runs` holds whatever the runs look like, and no callback pays for what others have left open."""

import asyncio
import gc
import sys
from collections import Counter
from contextvars import copy_context
from threading import Barrier, Thread
from time import perf_counter_ns

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.callbacks import CallbackManager

from otel_callbacks import suppress
from otel_callbacks._runs import closing as _closing
from otel_callbacks._runs import end as _end
from otel_callbacks._runs.closing import MOST_AT_ONCE
from otel_callbacks._runs.table import RunTable
from tests.support.recorded_spans import RecordedSpans


def manager_of(handler):
    """Return LangChain's manager for calls with the handler attached."""
    return CallbackManager.configure(inheritable_callbacks=[handler])


def start(manager, name="lost"):
    """Start a run that ends only if somebody ends it."""
    return manager.on_chain_start({}, {}, name=name)


def open_in(handler) -> int:
    """Return the number of open runs, without closing what is due."""
    return len(handler._recorder._newest.table.open)


def alone(manager, name="lost"):
    """Start a run in a context of its own, as the requests of a server do."""
    return copy_context().run(start, manager, name)


def chats_in_one_frame(manager):
    """Yield model runs that one function starts."""
    while True:
        yield manager.on_chat_model_start({}, [[]])[0]


def one_below_the_other(manager):
    """Yield a single chain of runs."""
    while True:
        run = start(manager)
        manager = run.get_child()
        yield run


def below_one_root(manager):
    """Yield a root and its children."""
    root = start(manager)
    yield root
    while True:
        yield start(root.get_child())


def roots(manager):
    """Yield runs without parents."""
    while True:
        yield alone(manager)


def pairs(manager):
    """Yield roots with a child each."""
    while True:
        root = alone(manager)
        yield root
        yield start(root.get_child())


@pytest.mark.parametrize("shape", [chats_in_one_frame, one_below_the_other, below_one_root, roots, pairs])
@pytest.mark.parametrize("suppressed", [False, True])
def test_the_bound_holds_in_every_shape(telemetry: RecordedSpans, shape, suppressed):
    """However runs that never end are arranged, no more than `max_open_runs` are open, and the newest is kept."""
    handler = telemetry.new_handler(max_open_runs=30)
    runs = shape(manager_of(handler))
    kept = []
    for _ in range(200):
        if suppressed:
            with suppress():
                kept.append(next(runs))
        else:
            kept.append(next(runs))
        assert open_in(handler) <= 30
        assert kept[-1].run_id.int in handler._recorder._newest.table.open
    assert open_in(handler) == 30
    outcomes = Counter(span.attributes["otel_callbacks.outcome"] for span in telemetry.spans)
    assert outcomes == ({} if suppressed else {"abandoned": 170})
    assert telemetry.total("otel_callbacks.errors", otel_callbacks__error__kind="evicted") == 170


def test_a_bound_of_one_keeps_the_newest(telemetry: RecordedSpans):
    """With room for one run, a child's start closes its parent, and the child is still in the parent's trace."""
    manager = manager_of(telemetry.new_handler(max_open_runs=1))
    root = start(manager, "root")
    start(root.get_child(), "child").on_chain_end({})
    root.on_chain_end({})
    assert telemetry.tree() == "invoke_workflow root [abandoned]\n  chain child"


def test_the_idlest_tree_goes_first_and_its_leaves_before_their_parents(telemetry: RecordedSpans):
    """A whole tree goes before a leaf of a tree that had an event later, and parents go after their children."""
    manager = manager_of(telemetry.new_handler(max_open_runs=6))
    first, second = alone(manager, "first"), alone(manager, "second")
    kept = [start(root.get_child(), name) for root in (first, second) for name in ("one", "two")]
    start(first.get_child(), "alive").on_chain_end({})  # makes room for itself, and the first tree the busier one
    kept += [alone(manager, "new") for _ in range(3)]
    assert [span.name.split()[-1] for span in telemetry.spans] == ["one", "alive", "two", "second"]


def test_chunks_keep_a_tree(telemetry: RecordedSpans):
    """A chunk that the handler looks at makes its tree the busiest."""
    handler = telemetry.new_handler(max_open_runs=2)
    manager = manager_of(handler)
    stream = copy_context().run(manager.on_chat_model_start, {}, [[]])[0]
    kept = [alone(manager, "other")]
    stream.on_llm_new_token("token")
    kept.append(alone(manager, "new"))
    stream.on_llm_end({})
    assert [span.name.split()[-1] for span in telemetry.spans] == ["other", "chat"]


ACTIONS = st.tuples(st.sampled_from(["root", "child", "chat", "end", "fail", "drop"]), st.integers(0, 99))


@settings(max_examples=50, deadline=None)
@given(actions=st.lists(ACTIONS, max_size=40), bound=st.integers(1, 8))
def test_random_programs_never_exceed_the_bound_and_every_run_ends_once(actions, bound):
    """Whatever starts, ends, fails and gets lost in which order: the bound holds, and each run has one span."""
    telemetry = RecordedSpans()
    handler = telemetry.new_handler(max_open_runs=bound)
    manager = manager_of(handler)
    alone(manager).on_chain_end({})
    runs, started = [], 1
    for action, number in actions:
        chosen = runs[number % len(runs)] if runs else None
        below = chosen.get_child() if hasattr(chosen, "get_child") else manager
        if action == "root":
            runs.append(alone(manager))
        elif action == "child":
            runs.append(start(below))
        elif action == "chat":
            runs += below.on_chat_model_start({}, [[]])
        elif chosen is not None:
            runs.remove(chosen)
            finish(chosen, action)
        started += action in {"root", "child", "chat"}
        assert open_in(handler) <= bound
    handler.close()
    assert len({span.context.span_id for span in telemetry.spans}) == len(telemetry.spans) == started
    assert telemetry.total("otel_callbacks.runs") == started
    table = handler._recorder._newest.table
    assert not any((table.open, table.trees, table.awaiting, table.streams))


def finish(run, way):
    """End a run of whatever type, or leave it to the garbage collector."""
    of_chain = hasattr(run, "on_chain_end")
    if way == "end":
        (run.on_chain_end if of_chain else run.on_llm_end)({})
    elif way == "fail":
        (run.on_chain_error if of_chain else run.on_llm_error)(ValueError())


@pytest.fixture
def ahead(monkeypatch):
    """Put the package's clock ahead of the real one, once the test has set the seconds."""
    seconds = [0.0]
    for module in (_closing, _end):
        monkeypatch.setattr(module, "perf_counter_ns", lambda: perf_counter_ns() + int(seconds[0] * 1e9))
    return seconds


def lose_to_a_failed_parent(manager, ahead, number):
    """Leave children of a failed root open until their grace is over."""
    root = start(manager)
    kept = [start(root.get_child()) for _ in range(number)]
    root.on_chain_error(ValueError())
    ahead[0] = 1.0
    return kept


def lose_for_the_ttl(manager, ahead, number):
    """Leave runs idle for longer than `run_ttl_s`."""
    kept = [alone(manager) for _ in range(number)]
    ahead[0] = 1000.0
    return kept


def lose_to_the_collector(manager, ahead, number):
    """Have the garbage collector take the ids of runs."""
    kept = [alone(manager) for _ in range(number)]
    kept.clear()
    gc.collect()
    return kept


LOSSES = [lose_to_a_failed_parent, lose_for_the_ttl, lose_to_the_collector]


@pytest.mark.parametrize("lose", LOSSES)
def test_a_start_ends_few_of_the_runs_that_others_have_lost(telemetry: RecordedSpans, ahead, lose):
    """Starts share the work: each closes at most 16 runs, and after enough of them nothing is left."""
    handler = telemetry.new_handler(run_ttl_s=100)
    manager = manager_of(handler)
    kept = lose(manager, ahead, 100)
    before = open_in(handler)
    assert before == 100
    for _ in range(8):
        start(manager, "ok").on_chain_end({})
        now = open_in(handler)
        assert before - now <= MOST_AT_ONCE
        before = now
    assert before == 0
    assert len(kept) in {0, 100}


@pytest.mark.parametrize("lose", LOSSES)
@pytest.mark.parametrize("finish", ["flush", "close", "metrics"])
def test_flush_close_and_metrics_close_all_that_is_due(telemetry: RecordedSpans, ahead, lose, finish):
    """What runs after the answer, or instead of one, does all the work that is left."""
    handler = telemetry.new_handler(run_ttl_s=100)
    kept = lose(manager_of(handler), ahead, 100)
    {"flush": handler.flush, "close": handler.close, "metrics": telemetry.metrics}[finish]()
    assert open_in(handler) == 0
    assert len(kept) in {0, 100}


@pytest.mark.parametrize("lose", [lose_to_a_failed_parent, lose_to_the_collector])
async def test_timers_close_few_at_once_and_come_back_for_the_rest(telemetry: RecordedSpans, monkeypatch, lose):
    """The event loop closes all lost runs without another event, and serves others in between."""
    monkeypatch.setattr(_end, "GRACE_NS", 0)
    handler = telemetry.new_handler()
    kept = lose(manager_of(handler), [0], 100)
    before = open_in(handler)
    while before:
        await asyncio.sleep(0)
        now = open_in(handler)
        # Collected runs have a timer each, which the loop calls one after the other.
        assert before - now <= MOST_AT_ONCE or lose is lose_to_the_collector
        before = now
    assert len(kept) in {0, 100}


def test_going_over_the_bound_ends_one_run_for_each_that_starts(telemetry: RecordedSpans):
    """A start beyond the bound closes one run, not a tenth of all."""
    handler = telemetry.new_handler(max_open_runs=500)
    manager = manager_of(handler)
    kept = [alone(manager) for _ in range(500)]
    for number in range(1, 50):
        kept += [alone(manager)]
        assert len(telemetry.spans) == number


def test_a_smaller_bound_is_reached_step_by_step(telemetry: RecordedSpans):
    """A handler with a smaller bound on the same provider closes at most 16 runs at each start until it holds."""
    kept = [alone(manager_of(telemetry.new_handler())) for _ in range(100)]
    handler = telemetry.new_handler(max_open_runs=10)
    open_runs = []
    for _ in range(7):
        kept.append(alone(manager_of(handler)))
        open_runs.append(open_in(handler))
    assert open_runs == [85, 70, 55, 40, 25, 10, 10]


@pytest.fixture
def frantic_threads():
    """Have the interpreter change threads as often as it can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_threads_that_close_at_the_same_time_lose_nothing(telemetry: RecordedSpans, frantic_threads, monkeypatch):
    """Threads that start runs, and close what all have left, do not get into each other's way: no start is lost."""
    monkeypatch.setattr(_end, "GRACE_NS", 0)
    monkeypatch.setattr("otel_callbacks._runs.table._REMEMBERED_CLOSED", 4)
    handler = telemetry.new_handler(max_open_runs=20)
    manager = manager_of(handler)
    threads, rounds = 4, 60
    together = Barrier(threads)

    def work():
        together.wait()
        for _ in range(rounds):
            root = start(manager)
            child = start(root.get_child())
            root.on_chain_error(ValueError())
            start(manager)  # collected
            child.on_chain_end({})

    workers = [Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    handler.close()
    assert len({span.context.span_id for span in telemetry.spans}) == len(telemetry.spans) == 3 * threads * rounds
    kinds = {point.labels["otel_callbacks.error.kind"] for point in telemetry.metric("otel_callbacks.errors")}
    assert kinds <= {"late_end", "evicted"}
    table = handler._recorder._newest.table
    assert not any((table.open, table.trees))


def test_threads_that_remember_closed_runs_do_not_fail(frantic_threads):
    """Many threads at once may note closed runs and take due ones: none sees an error."""
    table = RunTable()
    failures = []

    def work(first):
        try:
            for key in range(first, first + 12_000):
                table.remember_closed(key, "cancelled")
                table.orphans.append((0, None))
                _closing._take_due(table.orphans, 1)
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    workers = [Thread(target=work, args=(number * 100_000,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures
    assert not table.orphans
