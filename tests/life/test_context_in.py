import pytest
from langchain_core.runnables import RunnableLambda

from tests.support.models import ScriptedChat
from tests.support.programs import graph, run
from tests.support.recorded_spans import RecordedSpans

REMOTE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_root_joins_the_trace_named_in_the_metadata(telemetry: RecordedSpans, way):
    """With `remote_parent`, `metadata={"traceparent": ...}` determines the root's parent, even inside another span."""
    chain = RunnableLambda(lambda text: text) | ScriptedChat(script=["hi"])
    config = {"callbacks": [telemetry.new_handler(remote_parent=True)], "metadata": {"traceparent": REMOTE}}
    with telemetry.tracer.start_as_current_span("req"):
        await run(chain, way, "x", config)
    root = telemetry.span("invoke_workflow")
    assert f"{root.parent.span_id:016x}" == "b7ad6b7169203331"
    chat = telemetry.span("chat")
    assert f"{chat.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert telemetry.parent_name(chat) == "invoke_workflow"


@pytest.mark.parametrize(
    ("options", "traceparent"),
    [
        pytest.param({}, REMOTE, id="off by default"),
        pytest.param({"remote_parent": True}, "00-xyz", id="not a traceparent"),
        pytest.param({"remote_parent": True}, 7, id="not even text"),
        pytest.param({"remote_parent": True}, "00-" + "0" * 32 + "-" + "0" * 16 + "-01", id="invalid ids"),
    ],
)
def test_metadata_that_names_no_trace_is_ignored(telemetry: RecordedSpans, options, traceparent):
    """Without the option, or with a value that is not a W3C traceparent, the root joins the caller's span."""
    config = {"callbacks": [telemetry.new_handler(**options)], "metadata": {"traceparent": traceparent}}
    with telemetry.tracer.start_as_current_span("req"):
        ScriptedChat(script=["hi"]).invoke("x", config)
    assert telemetry.tree() == "req\n  chat"


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_handlers_with_other_providers_do_not_see_each_other(telemetry: RecordedSpans, way):
    """Each of two destinations gets the whole tree, with its root under the application's span, not under our other."""
    other = RecordedSpans()

    def talk(state):
        return {"seen": [ScriptedChat(script=["hi"]).invoke("x").content]}

    program = RunnableLambda(lambda text: graph("g", talk=talk).invoke({"seen": []})["seen"])
    with telemetry.tracer.start_as_current_span("req") as request:
        await run(program, way, "x", {"callbacks": [telemetry.new_handler(), other.new_handler()]})
    expected = "invoke_workflow\n  graph g\n    node talk\n      chat"
    assert other.tree() == expected
    assert telemetry.tree() == "req\n  " + expected.replace("\n", "\n  ")
    assert {span.context.trace_id for span in other.spans} == {request.get_span_context().trace_id}
    root = next(span for span in other.spans if span.name == "invoke_workflow")
    assert root.parent == request.get_span_context()
    other.shutdown()


def test_handlers_with_other_providers_start_separate_traces(telemetry: RecordedSpans):
    """Without an application span each destination has traces of its own, and no id of one appears in the other."""
    other = RecordedSpans()
    chain = RunnableLambda(lambda text: text) | ScriptedChat(script=["hi"])
    for _ in range(2):
        chain.invoke("x", {"callbacks": [telemetry.new_handler(), other.new_handler()]})
    ours = {span.context.trace_id for span in telemetry.spans}
    theirs = {span.context.trace_id for span in other.spans}
    assert len(ours) == len(theirs) == 2
    assert not ours & theirs
    assert [span.name for span in other.spans if span.parent is None] == ["invoke_workflow"] * 2
    other.shutdown()
