import logging

import pytest
from langchain_core.runnables import RunnableGenerator, RunnableLambda, RunnableParallel
from langgraph.graph import START, StateGraph
from opentelemetry.sdk._logs import LoggingHandler

from tests.support.models import ScriptedChat, ScriptedText
from tests.support.programs import State, graph, run, tool_that
from tests.support.recorded_spans import RecordedSpans


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])
async def test_request_of_the_model_client_carries_the_model_span(telemetry: RecordedSpans, server, way):
    """The HTTP span of the client's request is a child of the model's span, and the provider receives its id."""
    async with server.model(telemetry.tracer_provider) as model:
        await run(model, way, "hi", {"callbacks": [telemetry.new_handler()]})
    assert telemetry.tree() == "chat gpt-4o-mini\n  POST"
    assert server.callers() == [f"{telemetry.span('POST').context.span_id:016x}"]


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])
async def test_requests_inside_a_graph_nest_under_their_model_run(telemetry: RecordedSpans, server, way):
    """In a graph of two nodes with a model call each, every request's span is a child of the call that made it."""

    async def atalk(state):
        return {"seen": [(await model.ainvoke("hi")).content]}

    async with server.model(telemetry.tracer_provider) as model:
        node = RunnableLambda(lambda state: {"seen": [model.invoke("hi").content]}, atalk).with_config(run_name="talk")
        program = graph("g", first=node, second=node)
        await run(program, way, {"seen": []}, {"callbacks": [telemetry.new_handler(detail="operations")]})
    assert telemetry.tree() == ("invoke_workflow g\n  chat gpt-4o-mini\n    POST\n  chat gpt-4o-mini\n    POST")


class Bodies:
    """Builds one program per kind of body that may open a span of its own.

    Each public method but `own` returns a program, its input, and how the name of the span around `own` begins.
    """

    def __init__(self, telemetry: RecordedSpans) -> None:
        self.tracer = telemetry.tracer

    def own(self, value):
        with self.tracer.start_as_current_span("own"):
            return value

    def node(self):
        return graph("g", only=lambda state: self.own({"seen": [1]})), {"seen": []}, "node only"

    def async_node(self):
        async def only(state):
            return self.own({"seen": [1]})

        return graph("g", only=only), {"seen": []}, "node only"

    def parallel_node(self):
        builder = StateGraph(State)
        for name in ("left", "right"):
            builder.add_node(name, lambda state: self.own({"seen": [1]})).add_edge(START, name)
        return builder.compile(name="g"), {"seen": []}, "node "

    def node_of_sub_graph(self):
        return graph("g", sub=graph("h", only=lambda state: self.own({"seen": [1]}))), {"seen": []}, "node only"

    def edge(self):
        builder = StateGraph(State).add_node("first", lambda state: {"seen": [1]})
        choose = RunnableLambda(lambda state: self.own("__end__")).with_config(run_name="choose")
        builder.add_edge(START, "first").add_conditional_edges("first", choose)
        return builder.compile(name="g"), {"seen": []}, "chain choose"

    def tool(self):
        return tool_that(lambda: self.own("x")), {"city": "Oslo"}, "execute_tool ask"

    def step(self):
        chain = RunnableLambda(str.upper) | RunnableLambda(self.own).with_config(run_name="s")
        return chain, "x", "chain s"

    def generator(self):
        def words(chunks):
            for chunk in chunks:
                yield self.own(chunk)

        async def awords(chunks):
            async for chunk in chunks:
                yield self.own(chunk)

        return RunnableLambda(str.upper) | RunnableGenerator(words, awords).with_config(run_name="s"), "x", "chain s"

    def branch(self):
        chain = RunnableParallel(a=RunnableLambda(self.own).with_config(run_name="s"), b=RunnableLambda(str.upper))
        return chain, "x", "chain s"


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])
@pytest.mark.parametrize("kind", [name for name in vars(Bodies) if not name.startswith("_") and name != "own"])
async def test_own_span_lies_under_the_body_that_opens_it(telemetry: RecordedSpans, kind, way):
    """A span that code opens is a child of the body it runs in, whatever the body and however the program is run."""
    if kind == "async_node" and way in {"invoke", "stream"}:
        pytest.skip("LangGraph runs async nodes in async code only")
    program, value, around = getattr(Bodies(telemetry), kind)()
    with telemetry.tracer.start_as_current_span("req"):
        await run(program, way, value, {"callbacks": [telemetry.new_handler()]})
        telemetry.tracer.start_span("after").end()
    parents = [telemetry.parent_name(span) for span in telemetry.spans if span.name == "own"]
    assert parents, telemetry.tree()
    assert all(parent.startswith(around) for parent in parents), telemetry.tree()
    assert telemetry.parent_name(telemetry.span("after")) == "req"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the bridge to logging is moving to a package of its own
@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_log_records_carry_the_ids_of_the_run_they_come_from(telemetry: RecordedSpans, way):
    """A tool's log record carries the tool's span; a record that its caller logs afterwards carries the chain's."""
    log = logging.Logger("app")  # noqa: LOG001 - one that no other test sees
    log.addHandler(LoggingHandler(logger_provider=telemetry.logger_provider))
    ask = tool_that(lambda: log.warning("in the tool"))

    async def step(text):
        await ask.ainvoke({"city": "Oslo"})
        log.warning("in the chain")

    chain = RunnableLambda(lambda text: [ask.invoke({"city": "Oslo"}), log.warning("in the chain")], step)
    chain = chain.with_config(run_name="talk")
    await run(chain, way, "x", {"callbacks": [telemetry.new_handler()]})
    assert {record.body: record.span_id for record in telemetry.logs} == {
        "in the tool": telemetry.span("execute_tool ask").context.span_id,
        "in the chain": telemetry.span("invoke_workflow talk").context.span_id,
    }


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_propagation_can_be_switched_off(telemetry: RecordedSpans, way):
    """With `propagate=False` runs still nest, and the application's spans stay under the application's own span."""

    def body(text):
        with telemetry.tracer.start_as_current_span("own"):
            return ScriptedChat(script=["hi"]).invoke(text)

    with telemetry.tracer.start_as_current_span("req"):
        await run(RunnableLambda(body), way, "x", {"callbacks": [telemetry.new_handler(propagate=False)]})
    assert telemetry.tree() == "req\n  invoke_workflow body\n    chat\n  own"


async def test_body_of_an_async_text_model_sees_its_caller_only(telemetry: RecordedSpans):
    """LangChain starts async text models in a task of their own: the run is recorded, but its body sees the caller."""
    seen = []

    class Text(ScriptedText):
        async def _agenerate(self, prompts, stop=None, run_manager=None, **kwargs):
            with telemetry.tracer.start_as_current_span("own"):
                seen.append(1)
            return self._generate(prompts)

    with telemetry.tracer.start_as_current_span("req"):
        await Text().ainvoke("x", {"callbacks": [telemetry.new_handler()]})
    assert telemetry.tree() == "req\n  text_completion\n  own"
