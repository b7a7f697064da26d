import contextlib
import copy
import pickle

import pytest
from langchain_core.runnables import RunnableLambda

from tests.support.recorded_spans import RecordedSpans


def fail(_):
    """Raise a new exception."""
    raise ValueError("inner")


INNER = RunnableLambda(fail).with_config(run_name="inner")


def exceptions(telemetry: RecordedSpans) -> list[tuple[str, str]]:
    """Return the span and the exception type of each exception event, in the order in which the spans ended."""
    return [(span.name, event.attributes["exception.type"]) for span in telemetry.spans for event in span.events]


def test_error_after_a_swallowed_error_is_recorded(telemetry: RecordedSpans):
    """Of two exceptions in a row, often at the same address, each is recorded where it was raised."""

    def body(text):
        with contextlib.suppress(ValueError):
            INNER.invoke(text)
        raise ValueError("own")

    outer = RunnableLambda(body).with_config(run_name="outer")
    for _ in range(20):
        with pytest.raises(ValueError, match="own"):
            outer.invoke("x", {"callbacks": [telemetry.new_handler()]})
    assert exceptions(telemetry) == [("chain inner", "ValueError"), ("invoke_workflow outer", "ValueError")] * 20


def test_error_that_is_raised_again_is_recorded_once(telemetry: RecordedSpans):
    """An exception that outer steps catch and raise again is one event, on the run that raised it first."""

    def body(text):
        try:
            INNER.invoke(text)
        except ValueError:
            kept.clear()
            raise

    def late(text):
        try:
            INNER.invoke(text)
        except ValueError as error:
            kept.append(error)
        raise kept[0]

    kept: list[ValueError] = []
    for steps in (body, late):
        with pytest.raises(ValueError, match="inner"):
            RunnableLambda(steps).with_config(run_name="outer").invoke("x", {"callbacks": [telemetry.new_handler()]})
    assert exceptions(telemetry) == [("chain inner", "ValueError")] * 2


def test_error_with_a_cause_is_recorded_where_it_is_raised(telemetry: RecordedSpans):
    """With `raise ... from ...`, the cause is recorded on the inner run and the new exception on the outer one."""

    def body(text):
        try:
            INNER.invoke(text)
        except ValueError as error:
            raise KeyError("outer") from error

    with pytest.raises(KeyError):
        RunnableLambda(body).with_config(run_name="outer").invoke("x", {"callbacks": [telemetry.new_handler()]})
    assert exceptions(telemetry) == [("chain inner", "ValueError"), ("invoke_workflow outer", "KeyError")]


def test_error_at_the_address_of_a_swallowed_one_is_recorded(telemetry: RecordedSpans):
    """An exception is recorded although it has the id and the place of one that was recorded below and is gone."""
    places: list[tuple[int, int]] = []

    def body(text):
        try:
            INNER.invoke(text)
        except ValueError as error:
            places.append((id(error), 0))
        try:
            fail(text)
        except ValueError as error:
            places[-1] = (places[-1][0], id(error))
            raise

    outer = RunnableLambda(body).with_config(run_name="outer")
    for _ in range(20):
        with pytest.raises(ValueError, match="inner"):
            outer.invoke("x", {"callbacks": [telemetry.new_handler()]})
    assert any(first == second for first, second in places)
    assert exceptions(telemetry) == [("chain inner", "ValueError"), ("invoke_workflow outer", "ValueError")] * 20


class Frozen(Exception):  # noqa: N818
    """An exception that takes no attributes, except from Python itself."""

    def __setattr__(self, name, value):
        if not name.startswith("__"):
            raise AttributeError(name)
        super().__setattr__(name, value)


def test_error_that_takes_no_attributes_is_recorded_once(telemetry: RecordedSpans):
    """An exception whose class forbids attributes is recorded once, where it was raised."""

    def refuse(_):
        raise Frozen

    chain = RunnableLambda(refuse).with_config(run_name="inner") | RunnableLambda(str)
    with pytest.raises(Frozen):
        chain.invoke("x", {"callbacks": [telemetry.new_handler()]})
    assert [name for name, _ in exceptions(telemetry)] == ["chain inner"]


@pytest.mark.parametrize("again", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])  # noqa: S301
def test_copy_of_a_recorded_error_is_the_same_error(telemetry: RecordedSpans, again):
    """An exception that comes back as a copy, as it does from another process, is not recorded twice."""

    def body(text):
        try:
            INNER.invoke(text)
        except ValueError as error:
            raise again(error) from None

    with pytest.raises(ValueError, match="inner") as caught:
        RunnableLambda(body).with_config(run_name="outer").invoke("x", {"callbacks": [telemetry.new_handler()]})
    assert repr(caught.value) == "ValueError('inner')"
    assert exceptions(telemetry) == [("chain inner", "ValueError")]
