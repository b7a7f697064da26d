import contextlib

import pytest
from langchain_core.runnables import RunnableLambda

from tests.support.telemetry import Telemetry


def fail(_):
    """Fail with an exception of its own."""
    raise ValueError("inner")


INNER = RunnableLambda(fail).with_config(run_name="inner")


def exceptions(telemetry: Telemetry) -> list[tuple[str, str]]:
    """The exception events by span and exception type, in the order of the spans' ends."""
    return [(span.name, event.attributes["exception.type"]) for span in telemetry.spans for event in span.events]


def test_error_after_a_swallowed_error_is_told_too(telemetry: Telemetry):
    """Two exceptions, one after the other and often at the same address: each is told where it was raised."""

    def body(text):
        with contextlib.suppress(ValueError):
            INNER.invoke(text)
        raise ValueError("own")

    outer = RunnableLambda(body).with_config(run_name="outer")
    for _ in range(20):
        with pytest.raises(ValueError, match="own"):
            outer.invoke("x", {"callbacks": [telemetry.handler()]})
    assert exceptions(telemetry) == [("chain inner", "ValueError"), ("invoke_workflow outer", "ValueError")] * 20


def test_error_that_is_raised_again_is_told_once(telemetry: Telemetry):
    """The same exception caught and raised again by the steps around stays one event, where it happened."""

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
            RunnableLambda(steps).with_config(run_name="outer").invoke("x", {"callbacks": [telemetry.handler()]})
    assert exceptions(telemetry) == [("chain inner", "ValueError")] * 2


def test_error_made_from_another_is_told_where_it_is_raised(telemetry: Telemetry):
    """`raise ... from ...`: the first exception is told by the inner run, the second by the outer one."""

    def body(text):
        try:
            INNER.invoke(text)
        except ValueError as error:
            raise KeyError("outer") from error

    with pytest.raises(KeyError):
        RunnableLambda(body).with_config(run_name="outer").invoke("x", {"callbacks": [telemetry.handler()]})
    assert exceptions(telemetry) == [("chain inner", "ValueError"), ("invoke_workflow outer", "KeyError")]
