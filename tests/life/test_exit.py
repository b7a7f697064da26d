import subprocess
import sys
import textwrap

import pytest

START = """
    import asyncio, threading
    from langchain_core.language_models import GenericFakeChatModel
    from langchain_core.runnables import RunnableLambda
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
    from otel_callbacks import OTelCallbackHandler

    class Printing(SpanExporter):
        def export(self, spans):
            for span in spans:
                print(span.name, span.attributes["otel_callbacks.outcome"], span.status.status_code.name, flush=True)
            return SpanExportResult.SUCCESS

    def new_provider():
        provider = TracerProvider()
        provider.add_span_processor(BatchSpanProcessor(Printing(), schedule_delay_millis=3_600_000))
        return provider

    def stream(config):
        return GenericFakeChatModel(messages=iter(["a b c"])).stream("x", config)
"""
EXPLICIT = """
    handler = OTelCallbackHandler(tracer_provider=new_provider())
"""
SET_EARLIER = """
    trace.set_tracer_provider(new_provider())
    handler = OTelCallbackHandler()
"""
SET_LATER = """
    handler = OTelCallbackHandler()
    trace.set_tracer_provider(new_provider())
"""
SET_AFTER_A_RUN = """
    handler = OTelCallbackHandler()
    RunnableLambda(str.upper).invoke("x", {"callbacks": [handler]})
    trace.set_tracer_provider(new_provider())
"""


def run(*parts: str) -> list[str]:
    """Run a program made of these parts, and return what it exports until its process has ended."""
    program = "".join(map(textwrap.dedent, parts))
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    return process.stdout.splitlines()


@pytest.mark.parametrize(
    "provider",
    [EXPLICIT, SET_EARLIER, SET_LATER, SET_AFTER_A_RUN],
    ids=["explicit", "set earlier", "set later", "set after a run"],
)
def test_open_runs_are_exported_at_exit(provider):
    """A stream still held when the interpreter exits is exported as abandoned, whenever the provider was set."""
    body = """
        kept = stream({"callbacks": [handler]})
        next(kept)
    """
    assert run(START, provider, body) == ["chat abandoned UNSET"]


def test_whole_trees_are_exported_at_exit():
    """A chain still running in a daemon thread when the interpreter exits is exported from the leaves to the root."""
    body = """
        hangs = threading.Event()

        def work(text):
            inner = stream(None)
            next(inner)
            hangs.set()
            threading.Event().wait()

        chain = RunnableLambda(work).with_config(run_name="work")
        thread = threading.Thread(target=chain.invoke, args=("x", {"callbacks": [handler]}), daemon=True)
        thread.start()
        hangs.wait()
    """
    assert run(START, EXPLICIT, body) == ["chat abandoned UNSET", "invoke_workflow work abandoned UNSET"]


def test_tasks_left_to_the_loop_are_cancelled_before_exit():
    """Runs that the shutdown of the event loop cancels are exported as cancelled."""
    body = """
        async def hang(text):
            begun.set()
            await asyncio.Event().wait()

        async def main():
            chain = RunnableLambda(hang).with_config(run_name="hang")
            global begun, task
            begun = asyncio.Event()
            task = asyncio.ensure_future(chain.ainvoke("x", {"callbacks": [handler]}))
            await begun.wait()

        asyncio.run(main())
    """
    assert run(START, EXPLICIT, body) == ["invoke_workflow hang cancelled UNSET"]


def test_finished_runs_are_not_touched_at_exit():
    """A program whose runs have all ended exports each of them once."""
    body = """
        RunnableLambda(str.upper).with_config(run_name="done").invoke("x", {"callbacks": [handler]})
    """
    assert run(START, EXPLICIT, body) == ["invoke_workflow done ok UNSET"]
