import copy
import gc
import pickle
import weakref

import pytest
from langchain_core.callbacks import BaseCallbackManager, CallbackManager
from langchain_core.language_models import FakeListChatModel
from langchain_core.runnables import RunnableLambda

from otel_callbacks import Config, OTelCallbackHandler
from tests.support.models import ScriptedChat
from tests.support.telemetry import Telemetry


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy])
def test_a_copy_is_the_same_handler(telemetry: Telemetry, make):
    """Two handlers on one provider would share its runs anyway; locks and providers cannot be copied."""
    handler = telemetry.handler()
    assert make(handler) is handler
    assert make({"callbacks": [handler]})["callbacks"][0] is handler


@pytest.mark.parametrize(
    "make", [lambda model: model.model_copy(deep=True), copy.deepcopy, lambda model: model.model_copy()]
)
def test_a_copied_model_keeps_its_handler(telemetry: Telemetry, make):
    """Models are copied with the handlers attached to them; the copy's runs are recorded like the original's."""
    handler = telemetry.handler()
    model = make(FakeListChatModel(responses=["hi"], callbacks=[handler]))
    assert model.callbacks == [handler]
    model.invoke("x")
    assert telemetry.tree() == "chat"


def test_copies_of_configured_runnables_trace(telemetry: Telemetry):
    """A program bound to a handler can be copied whole."""
    program = RunnableLambda(str.upper).with_config(callbacks=[telemetry.handler()], run_name="upper")
    assert copy.deepcopy(program).invoke("x") == "X"
    assert telemetry.tree() == "invoke_workflow upper"


def test_pickled_handler_is_a_new_one_with_the_same_options():
    """On the other side the handler uses that side's global providers; its options are the same."""
    handler = OTelCallbackHandler(config=Config(detail="all", max_open_runs=7))
    other = pickle.loads(pickle.dumps(handler))  # noqa: S301 - our own bytes
    assert other is not handler
    assert other.config == handler.config
    assert isinstance(other, OTelCallbackHandler)


def test_pickled_handler_leaves_out_what_cannot_be_pickled(telemetry: Telemetry):
    """Providers and callables stay behind."""
    handler = telemetry.handler(filter=lambda info: True)
    other = pickle.loads(pickle.dumps(handler))  # noqa: S301 - our own bytes
    assert other.config.filter is None
    assert ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [other]}).content == "hi"
    assert telemetry.spans == ()


def test_handlers_are_equal_to_themselves_only(telemetry: Telemetry):
    """LangChain looks handlers up in lists and sets: identity decides."""
    first, second = telemetry.handler(), telemetry.handler()
    assert first != second
    assert {first, first, second} == {second, first}
    manager: BaseCallbackManager = CallbackManager([first]).merge(CallbackManager([first, second]))
    assert sorted(map(id, manager.handlers)) == sorted(map(id, [first, second]))


def test_a_dropped_handler_is_gone_although_its_class_was_made_for_langgraph(telemetry: Telemetry):
    """With LangGraph loaded a handler changes its class, and is still collected like any object."""
    handler = telemetry.handler()
    assert type(handler).__name__ == "OTelCallbackHandler"
    reference = weakref.ref(handler)
    ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [handler]})
    del handler
    gc.collect()
    assert reference() is None
