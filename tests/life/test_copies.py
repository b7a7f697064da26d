import copy
import gc
import logging
import pickle
import weakref

import pytest
from langchain_core.callbacks import BaseCallbackManager, CallbackManager
from langchain_core.language_models import FakeListChatModel
from langchain_core.runnables import RunnableLambda

from otel_callbacks import Config, OTelCallbackHandler
from otel_callbacks.config import _warn_dropped
from tests.support.models import ScriptedChat
from tests.support.recorded_spans import RecordedSpans


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy])
def test_a_copy_is_the_same_handler(telemetry: RecordedSpans, make):
    """Copying a handler returns the handler: locks and providers cannot be copied, and copies would share the runs."""
    handler = telemetry.new_handler()
    assert make(handler) is handler
    assert make({"callbacks": [handler]})["callbacks"][0] is handler


@pytest.mark.parametrize(
    "make", [lambda model: model.model_copy(deep=True), copy.deepcopy, lambda model: model.model_copy()]
)
def test_a_copied_model_keeps_its_handler(telemetry: RecordedSpans, make):
    """A copied model keeps the handlers attached to it, and its runs are recorded like the original's."""
    handler = telemetry.new_handler()
    model = make(FakeListChatModel(responses=["hi"], callbacks=[handler]))
    assert model.callbacks == [handler]
    model.invoke("x")
    assert telemetry.tree() == "chat"


def test_copies_of_configured_runnables_trace(telemetry: RecordedSpans):
    """A program that is bound to a handler can be deep-copied, and the copy is traced."""
    program = RunnableLambda(str.upper).with_config(callbacks=[telemetry.new_handler()], run_name="upper")
    assert copy.deepcopy(program).invoke("x") == "X"
    assert telemetry.tree() == "invoke_workflow upper"


def test_pickled_handler_is_a_new_one_with_the_same_options():
    """An unpickled handler is a new one with the same options, on the global providers of its process."""
    handler = OTelCallbackHandler(config=Config(detail="all", max_open_runs=7))
    other = pickle.loads(pickle.dumps(handler))  # noqa: S301 - our own bytes
    assert other is not handler
    assert other.config == handler.config
    assert isinstance(other, OTelCallbackHandler)


def test_pickled_handler_leaves_out_what_cannot_be_pickled(telemetry: RecordedSpans):
    """An unpickled handler has neither the providers nor the callables of the original."""
    handler = telemetry.new_handler(filter=lambda info: True)
    other = pickle.loads(pickle.dumps(handler))  # noqa: S301 - our own bytes
    assert other.config.filter is None
    assert ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [other]}).content == "hi"
    assert telemetry.spans == ()


def test_callables_left_out_are_logged_once(telemetry: RecordedSpans, caplog):
    """The first pickling of a handler with callables logs a warning that names them; the options are kept."""
    _warn_dropped.cache_clear()  # another test may have used up this process's one warning
    handler = telemetry.new_handler(detail="all", filter=lambda _: True)
    with caplog.at_level(logging.WARNING, "otel_callbacks"):
        handlers = [pickle.loads(pickle.dumps(handler)) for _ in range(2)]  # noqa: S301 - our own bytes
    assert {one.config for one in handlers} == {Config(detail="all")}
    assert [record.message for record in caplog.records] == ["pickling a handler leaves out its callables: filter"]


def test_handlers_are_equal_to_themselves_only(telemetry: RecordedSpans):
    """Handlers compare by identity, as LangChain looks them up in lists and sets."""
    first, second = telemetry.new_handler(), telemetry.new_handler()
    assert first != second
    assert {first, first, second} == {second, first}
    manager: BaseCallbackManager = CallbackManager([first]).merge(CallbackManager([first, second]))
    assert sorted(map(id, manager.handlers)) == sorted(map(id, [first, second]))


def test_a_dropped_handler_is_gone_although_its_class_was_made_for_langgraph(telemetry: RecordedSpans):
    """A handler, whose class changes once LangGraph is loaded, is garbage-collected like any other object."""
    handler = telemetry.new_handler()
    assert type(handler).__name__ == "OTelCallbackHandler"
    reference = weakref.ref(handler)
    ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [handler]})
    del handler
    gc.collect()
    assert reference() is None
