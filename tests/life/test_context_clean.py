import asyncio
import gc
import logging
import subprocess
import sys
import textwrap

import pytest
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from opentelemetry import context as context_api
from opentelemetry import trace

from otel_callbacks._spans.current import SelfHealingSpan
from tests.support.models import ScriptedChat
from tests.support.recorded_spans import RecordedSpans


def chain():
    """Build a sequence of a prompt, a model and a function."""
    prompt = ChatPromptTemplate.from_template("{q}")
    return prompt | ScriptedChat(script=["hi"]) | RunnableLambda(lambda message: message.content)


def healing_spans() -> int:
    """Count the self-healing spans that are alive."""
    gc.collect()
    return sum(type(one) is SelfHealingSpan for one in gc.get_objects())


@pytest.mark.slow
async def test_nothing_piles_up_in_a_task_that_makes_many_calls(telemetry: RecordedSpans, caplog):
    """10 000 async calls in one task leave no more self-healing spans, no larger context than 100 do, and no log."""
    caplog.set_level(logging.DEBUG, "opentelemetry.context")
    telemetry.exporter.shutdown()  # so that it keeps no spans; a metric counts the runs
    handler = telemetry.new_handler()
    model = ScriptedChat(script=["hi"])

    async def call(times):
        for _ in range(times):
            await model.ainvoke("x", {"callbacks": [handler]})
        return healing_spans(), len(context_api.get_current())

    few = await call(100)
    assert await call(9_900) == few
    assert telemetry.total("otel_callbacks.runs", otel_callbacks__outcome="ok") == 10_000
    assert handler.open_runs == 0
    assert caplog.records == []


async def test_calls_mixed_with_own_spans_keep_their_places(telemetry: RecordedSpans):
    """An application's spans after, around and between async calls in one task have the parents that the code says."""
    config = {"callbacks": [telemetry.new_handler(detail="operations")]}
    with telemetry.tracer.start_as_current_span("req"):
        await chain().ainvoke({"q": "x"}, config)
        with telemetry.tracer.start_as_current_span("own"):
            await chain().ainvoke({"q": "x"}, config)
            telemetry.tracer.start_span("leaf").end()
            await ScriptedChat(script=["hi"]).ainvoke("x", config)
        await ScriptedChat(script=["hi"]).ainvoke("x", config)
    await ScriptedChat(script=["hi"]).ainvoke("x", config)
    call = "invoke_workflow\n    chat"
    inner = "invoke_workflow\n      chat"
    assert telemetry.tree() == f"req\n  {call}\n  own\n    {inner}\n    leaf\n    chat\n  chat\nchat"
    assert trace.get_current_span().get_span_context() == trace.INVALID_SPAN_CONTEXT


async def test_a_failed_call_leaves_the_callers_span(telemetry: RecordedSpans):
    """After an exception has passed through several runs, sync or async, the application's span is current."""
    failing = RunnableLambda(lambda text: text) | ScriptedChat(script=[ValueError("no")])
    config = {"callbacks": [telemetry.new_handler()]}
    with telemetry.tracer.start_as_current_span("req") as request:
        with pytest.raises(ValueError, match="no"):
            failing.invoke("x", config)
        assert trace.get_current_span() is request
        with pytest.raises(ValueError, match="no"):
            await failing.ainvoke("x", config)
        assert trace.get_current_span().get_span_context() == request.get_span_context()


async def test_concurrent_calls_in_a_gather_do_not_enter_each_other(telemetry: RecordedSpans):
    """Calls gathered from one task are siblings, and so are later calls in the same task."""
    config = {"callbacks": [telemetry.new_handler()]}
    model = ScriptedChat(script=["hi"])
    with telemetry.tracer.start_as_current_span("req"):
        for _ in range(2):
            await asyncio.gather(*(model.ainvoke("x", config) for _ in range(3)))
            await model.ainvoke("x", config)
    assert telemetry.tree() == "req" + "\n  chat" * 8


PROGRAM = """
    import asyncio, logging
    from langchain_core.language_models import FakeListChatModel
    from langchain_core.runnables import RunnableLambda
    from opentelemetry import context as context_api
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from otel_callbacks import OTelCallbackHandler

    records = []
    catcher = logging.Handler()
    catcher.emit = records.append
    logging.getLogger("opentelemetry.context").addHandler(catcher)
    logging.getLogger("opentelemetry.context").propagate = False

    spans = []
    keeper = SpanProcessor()  # the SDK's own processors need a working context
    keeper.on_end = spans.append
    provider = TracerProvider()
    provider.add_span_processor(keeper)
    chain = RunnableLambda(str.upper) | FakeListChatModel(responses=["hi"])
    config = {"callbacks": [OTelCallbackHandler(tracer_provider=provider)]}
    assert chain.invoke("x", config).content == "hi"
    assert asyncio.run(chain.ainvoke("x", config)).content == "hi"
    assert "".join(chunk.content for chunk in chain.stream("x", config)) == "hi"
    names = {span.context.span_id: span.name for span in spans}
    print(type(context_api._RUNTIME_CONTEXT).__name__)
    for span in spans:
        print(span.name.split()[0], "<", names[span.parent.span_id].split()[0] if span.parent else None)
    print("records", len(records))
"""
RAISING = """
    from opentelemetry.context import Context
    from opentelemetry.context.context import _RuntimeContext

    class Raising(_RuntimeContext):
        def attach(self, context):
            raise RuntimeError("attach is broken")

        def get_current(self):
            return Context()

        def detach(self, token):
            raise RuntimeError("detach is broken")
"""


def test_a_runtime_context_that_raises_changes_nothing(tmp_path):
    """ollm#3256: results and nesting by run ids stay the same when the context's attach and detach raise."""
    (tmp_path / "raising.py").write_text(textwrap.dedent(RAISING))
    info = tmp_path / "raising-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: raising\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[opentelemetry_context]\nraising = raising:Raising\n")
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM)],
        env={"PYTHONPATH": f"{tmp_path}:.", "OTEL_PYTHON_CONTEXT": "raising"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    once = ["chain < invoke_workflow", "chat < invoke_workflow", "invoke_workflow < None"]
    assert sorted(process.stdout.splitlines()) == sorted(["Raising", *once * 3, "records 0"])
