import logging
import uuid
from collections.abc import Iterator
from enum import Enum
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableLambda
from langgraph.graph import START, StateGraph
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.trace import NoOpTracerProvider, Tracer

from otel_callbacks import Config, OTelCallbackHandler
from tests.life.hostile import bags, chunks, errors, messages, results, values
from tests.support.models import ScriptedChat
from tests.support.recorded_spans import RecordedSpans

RUNS = [uuid.UUID(int=number) for number in range(1, 5)]
run_ids = st.sampled_from(RUNS) | st.sampled_from(RUNS) | values
optional = st.fixed_dictionaries(
    {},
    optional={
        "parent_run_id": run_ids,
        "tags": values
        | st.lists(st.sampled_from(["seq:step:1", "graph:step:x", "retry:attempt:", "langsmith:hidden"])),
        "metadata": bags,
        "name": values,
        "run_type": values | st.sampled_from(["prompt", "parser", "chain"]),
        "invocation_params": bags,
        "options": bags,
        "inputs": bags,
        "tool_call_id": values,
        "batch_size": values,
        "response": results(),
        "chunk": chunks(),
        "unheard_of": values,
    },
)
batches = st.lists(st.lists(messages(), max_size=2), max_size=2) | values
HOOKS = {
    "on_chat_model_start": (bags, batches),
    "on_llm_start": (bags, values),
    "on_chain_start": (bags, values),
    "on_tool_start": (bags, values),
    "on_retriever_start": (bags, values),
    "on_llm_new_token": (values,),
    "on_stream_event": (values | st.just({"event": "content-block-delta"}),),
    "on_llm_end": (results(),),
    "on_chain_end": (values,),
    "on_tool_end": (messages(),),
    "on_retriever_end": (results(),),
    "on_llm_error": (errors,),
    "on_chain_error": (errors,),
    "on_tool_error": (errors,),
    "on_retriever_error": (errors,),
    "on_retry": (values,),
    "on_text": (values,),
    "on_agent_action": (values,),
    "on_agent_finish": (values,),
    "on_custom_event": (values, values),
}
events = st.builds(
    SimpleNamespace, run_id=run_ids, interrupts=values, checkpoint_id=values, checkpoint_ns=values, status=values
)
calls = st.one_of(
    *(st.tuples(st.just(hook), st.tuples(*args), run_ids, optional) for hook, args in HOOKS.items()),
    st.tuples(st.sampled_from(["on_interrupt", "on_resume"]), st.tuples(events | values), st.none(), st.none()),
    st.tuples(st.just("close"), st.just(()), st.none(), st.none()),
)


POSITIONAL = {"on_chain_start": "inputs", "on_llm_end": "response", "on_custom_event": "name"}
"""Arguments that a hook already gets by position."""


def perform(handler: OTelCallbackHandler, call: tuple) -> None:
    """Call one hook with arguments that no LangChain would pass."""
    hook, args, run_id, kwargs = call
    try:
        if kwargs is None:
            getattr(handler, hook)(*args)
        else:
            more = {name: value for name, value in kwargs.items() if name != POSITIONAL.get(hook)}
            getattr(handler, hook)(*args, run_id=run_id, **more)
    except Exception as error:
        kinds = [object.__repr__(type(value)) for value in (*args, run_id)]
        raise AssertionError(f"{hook} of {kinds} with {list(kwargs or ())}") from error


@pytest.fixture(scope="module")
def quiet_loggers() -> Iterator[None]:
    """Keep out of the report what the SDK logs about hostile values."""
    loggers = [logging.getLogger(name) for name in ("opentelemetry", "otel_callbacks")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"detail": "all", "chunk_metrics": True, "remote_parent": True, "metadata_keys": ("name", "thread_id")},
        {"filter": lambda info: info.metadata["missing"]},
        {"max_open_runs": 1, "run_ttl_s": 1e-9},
    ],
    ids=["default", "all", "filter", "bounds"],
)
@settings(
    deadline=None,
    max_examples=50,
    phases=[Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(sequence=st.lists(calls, max_size=8))
@pytest.mark.usefixtures("quiet_loggers")
def test_no_hook_raises_whatever_it_gets(options, sequence):
    """No hook raises, in any order and with any values, and the tracer works afterwards as before."""
    telemetry = RecordedSpans()
    handler = telemetry.new_handler(**options)
    for call in sequence:
        perform(handler, call)
    handler.close()
    assert handler.open_runs == 0
    telemetry.clear()
    ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [telemetry.new_handler()]})
    assert telemetry.tree() == "chat"
    telemetry.shutdown()


@pytest.mark.parametrize("wrong", ["end without start", "double start", "double end", "end after close"])
@pytest.mark.parametrize("kind", ["chat_model", "llm", "chain", "tool", "retriever"])
def test_wrong_order_is_recorded_once(telemetry: RecordedSpans, kind, wrong):
    """An end without a start is ignored, a double start or end counts once, and nothing is recorded after `close`."""
    handler = telemetry.new_handler()
    ending = "llm" if kind == "chat_model" else kind
    run_id = uuid.uuid4()
    if wrong != "end without start":
        for _ in range(2 if wrong == "double start" else 1):
            getattr(handler, f"on_{kind}_start")({}, "x", run_id=run_id)
    if wrong == "end after close":
        handler.close()
    for _ in range(2 if wrong == "double end" else 1):
        getattr(handler, f"on_{ending}_end")("x", run_id=run_id)
    assert len(telemetry.spans) == (0 if wrong == "end without start" else 1)
    assert telemetry.total("otel_callbacks.runs") == len(telemetry.spans)
    assert handler.open_runs == 0


class BadProcessor(SpanProcessor):
    """Fails at every start and end."""

    def on_start(self, span, parent_context=None):
        raise RuntimeError("hands off")

    def on_end(self, span):
        raise RuntimeError("hands off")


class BadSampler(Sampler):
    """Fails to decide."""

    def should_sample(self, *args, **kwargs):
        raise RuntimeError("sample")

    def get_description(self):
        return "bad"


class BadExporter(SpanExporter):
    """Fails to export."""

    def export(self, spans):
        raise RuntimeError("export")


class BadTracers(NoOpTracerProvider):
    """Fails to provide a tracer."""

    def get_tracer(self, *args, **kwargs) -> Tracer:
        raise RuntimeError("tracer")


def bad_providers():
    """Build tracer providers of which each has one part that fails."""

    def with_processor(*processors, **options):
        provider = TracerProvider(shutdown_on_exit=False, **options)
        for processor in processors:
            provider.add_span_processor(processor)
        return provider

    return {
        "processor": with_processor(BadProcessor()),
        "sampler": with_processor(sampler=BadSampler()),
        "exporter": with_processor(SimpleSpanProcessor(BadExporter())),
        "exporter behind a batch": with_processor(BatchSpanProcessor(BadExporter())),
        "tracer": BadTracers(),
    }


def application(model: BaseChatModel):
    """Build a chain that falls back to the model when another one fails."""
    careful = ScriptedChat(script=[ValueError("no")]).with_fallbacks([model])
    return RunnableLambda(str.upper) | careful | RunnableLambda(lambda message: message.content)


@pytest.mark.parametrize("what", list(bad_providers()))
@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_failing_telemetry_does_not_change_the_result(what, way, caplog):
    """When a processor, sampler, exporter or provider raises, the chain's result is the same as without tracing."""
    caplog.set_level(logging.CRITICAL, "opentelemetry")
    provider = bad_providers()[what]
    handler = OTelCallbackHandler(tracer_provider=provider, config=Config())
    chain = application(ScriptedChat(script=["hi"]))
    config = {"callbacks": [handler]}
    if way == "stream":
        assert "".join(chain.stream("x", config)) == "hi"
    else:
        assert (chain.invoke("x", config) if way == "invoke" else await chain.ainvoke("x", config)) == "hi"
    assert handler.open_runs == 0
    assert [record for record in caplog.records if record.name.startswith("langchain")] == []
    if isinstance(provider, TracerProvider):
        provider.shutdown()


def test_failures_inside_are_counted_and_logged_once(telemetry: RecordedSpans, caplog):
    """Failures in the tracer show in `otel_callbacks.errors`, and once per kind in the log, without their messages."""
    telemetry.tracer_provider.add_span_processor(BadProcessor())
    for _ in range(3):
        ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [telemetry.new_handler()]})
    assert telemetry.total("otel_callbacks.errors", otel_callbacks__error__kind="start_span") == 3
    ours = [record.getMessage() for record in caplog.records if record.name == "otel_callbacks"]
    assert len(ours) == len({message.split(":")[0] for message in ours})
    assert all("hands off" not in message for message in ours)


class Word(str, Enum):
    """An enumeration whose members are texts, although Python formats them by their names."""

    HELPER = "helper"
    OTHER = "other"


def test_members_of_an_enumeration_show_as_their_values(telemetry: RecordedSpans):
    """Names, tags, models and conversations that are members of an enumeration are exported as their values."""
    graph = StateGraph(dict)
    graph.add_node(Word.OTHER, lambda _: {})
    graph.add_edge(START, Word.OTHER)
    config = {"callbacks": [telemetry.new_handler()], "run_name": Word.HELPER, "tags": [Word.OTHER]}
    graph.compile().invoke({}, {**config, "configurable": {"thread_id": Word.HELPER}})
    metadata = {"ls_model_name": Word.HELPER, "ls_provider": Word.OTHER, "session_id": Word.OTHER}
    ScriptedChat(script=["hi"]).invoke("x", {**config, "metadata": metadata}, stop=[Word.OTHER])
    assert telemetry.tree() == "invoke_workflow helper\n  node other\nchat helper"
    values = [value for span in telemetry.spans for value in span.attributes.values()]
    texts = [text for value in values for text in (value if isinstance(value, tuple) else [value])]
    assert not [text for text in texts if isinstance(text, Word)]
    assert {span.attributes["gen_ai.conversation.id"] for span in telemetry.spans} == {"helper", "other"}


class OtherText(str):
    """A text whose class is not exactly `str`."""

    __slots__ = ()


class Kind(str, Enum):
    """Types of chains as members of an enumeration."""

    PARSER = "parser"


@pytest.mark.parametrize("run_type", ["parser", OtherText("parser"), Kind.PARSER])
def test_chain_type_of_another_class_of_text_is_read(telemetry: RecordedSpans, run_type):
    """A chain's own type counts whatever class of text it has."""
    handler, root, inner = telemetry.new_handler(), uuid.uuid4(), uuid.uuid4()
    handler.on_chain_start({}, {}, run_id=root, name="root")
    handler.on_chain_start({}, {}, run_id=inner, parent_run_id=root, name="p", run_type=run_type)
    handler.on_chain_end({}, run_id=inner)
    assert telemetry.total("otel_callbacks.runs", langchain__run_type="parser") == 1


class Undecided:
    """A value that is neither true nor false, like an array of several elements."""

    def __bool__(self):
        raise ValueError("ambiguous")


def test_value_without_a_truth_value_costs_itself_only(telemetry: RecordedSpans):
    """A value of another type where a text is expected is left out, and the rest of the run's data stays."""
    handler, odd = telemetry.new_handler(), Undecided()
    run_id = uuid.uuid4()
    handler.on_tool_start(
        {"description": "Looks it up."}, "x", run_id=run_id, name=odd, tags=odd, metadata=odd, tool_call_id=odd
    )
    handler.on_tool_end("x", run_id=run_id)
    assert telemetry.span("execute_tool tool").attributes["gen_ai.tool.description"] == "Looks it up."
    assert telemetry.total("otel_callbacks.errors") == 0
