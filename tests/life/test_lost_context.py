"""Runs that never end leave their spans in the context: later runs there do not pay for them."""

import gc
import sys
from contextvars import copy_context

import pytest
from langchain_core.callbacks import CallbackManager
from opentelemetry import trace

from otel_callbacks._spans.current import SelfHealingSpan
from tests.support.recorded_spans import RecordedSpans


def lines_of(work) -> int:
    """Count the lines of the package's context code that `work` executes."""
    count = 0

    def on_event(frame, event, _):
        nonlocal count
        if "_spans" not in frame.f_code.co_filename:
            return None
        count += event == "line"
        return on_event

    before = sys.gettrace()
    sys.settrace(on_event)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def roots(manager):
    """Start roots."""
    return lambda: manager.on_chain_start({}, {}, name="lost")


def children(manager):
    """Start children of one root, which LangChain states."""
    below = manager.on_chain_start({}, {}, name="root").get_child()
    return lambda: below.on_chain_start({}, {}, name="lost")


def chats(manager):
    """Start model runs in one frame."""
    return lambda: manager.on_chat_model_start({}, [[]])


def run(manager):
    """Run something that succeeds."""
    manager.on_chain_start({}, {}, name="run").on_chain_end({})


def run_and_span(manager):
    """Run it inside a span of the application, and ask for the current span."""
    with trace.get_tracer("app").start_as_current_span("application"):
        run(manager)
    trace.get_current_span().get_span_context()


def run_elsewhere(manager):
    """Run it in a copy of the context."""
    copy_context().run(run, manager)


@pytest.mark.parametrize("lose", [roots, children, chats])
@pytest.mark.parametrize("work", [run, run_and_span, run_elsewhere])
@pytest.mark.parametrize("closed", [False, True])
def test_runs_lost_in_a_context_do_not_make_later_ones_dearer(telemetry: RecordedSpans, lose, work, closed):
    """A run after 300 lost ones takes as many steps as one after 10, also once the lost ones have been closed."""

    def measure():
        handler = telemetry.new_handler(max_open_runs=100_000)
        manager = CallbackManager.configure(inheritable_callbacks=[handler])
        start = lose(manager)
        kept, lines = [], []
        for number in (10, 300):
            kept += [start() for _ in range(number - len(kept))]
            if closed:
                handler._recorder.closing.close_all()
            work(manager)
            lines.append(lines_of(lambda: work(manager)))
        return lines

    few, many = copy_context().run(measure)
    assert many <= few * 1.1


def test_a_context_that_loses_runs_for_ever_keeps_no_more_than_the_bound(telemetry: RecordedSpans):
    """The spans of lost runs that were closed are freed, although newer ones stood above them."""

    def lose():
        manager = CallbackManager.configure(inheritable_callbacks=[telemetry.new_handler(max_open_runs=20)])
        kept = [manager.on_chain_start({}, {}, name="lost") for _ in range(500)]
        gc.collect()
        return kept, sum(type(one) is SelfHealingSpan for one in gc.get_objects())

    before = sum(type(one) is SelfHealingSpan for one in gc.get_objects())
    _, after = copy_context().run(lose)
    assert after - before <= 50
