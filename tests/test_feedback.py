"""From an answer to its trace and back."""

import uuid

import pytest
from langchain_core.runnables import RunnableLambda
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from otel_callbacks import TraceRef, record_evaluation, trace_url
from otel_callbacks._runs import table
from tests.semconv.checker import Checker
from tests.semconv.otlp import documents
from tests.support.models import ScriptedChat
from tests.support.programs import graph
from tests.support.recorded_spans import RecordedSpans


def ids(span) -> tuple[str, str]:
    """The trace and span id in the form of a reference."""
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"


def test_run_is_found_while_it_runs_and_afterwards(telemetry: RecordedSpans):
    """The id that the application gave a run leads to its span while it runs and after it has ended."""
    handler, run_id = telemetry.new_handler(), uuid.uuid4()
    during: list[TraceRef | None] = []
    chain = RunnableLambda(lambda _: during.append(handler.trace_ref(run_id)), name="work")
    chain.invoke("x", {"callbacks": [handler], "run_id": run_id})
    after = handler.trace_ref(str(run_id))
    assert during == [after]
    assert after[:2] == ids(telemetry.span("invoke_workflow work"))


def test_answer_leads_to_its_trace(telemetry: RecordedSpans):
    """A message's id leads to the run that produced it."""
    handler = telemetry.new_handler()
    answer = ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [handler]})
    assert handler.trace_ref(answer.id)[:2] == ids(telemetry.span("chat"))


def test_hidden_run_is_found_at_its_visible_ancestor(telemetry: RecordedSpans):
    """While a hidden run is open, its id leads to the span of its visible ancestor."""
    handler, inner = telemetry.new_handler(detail="operations"), uuid.uuid4()
    refs: list[TraceRef | None] = []
    hidden = RunnableLambda(lambda _: refs.append(handler.trace_ref(inner)), name="hidden")
    outer = RunnableLambda(lambda _: hidden.invoke("x", {"run_id": inner}), name="outer")
    outer.invoke("x", {"callbacks": [handler]})
    assert refs[0][:2] == ids(telemetry.span("invoke_workflow outer"))


@pytest.mark.parametrize("run_id", [uuid.uuid4(), "no id at all", "", "run-7"])
def test_unknown_run_is_nowhere(telemetry: RecordedSpans, run_id):
    """An unknown or malformed id raises no error and leads nowhere."""
    assert telemetry.new_handler().trace_ref(run_id) is None


def test_memory_of_ended_runs_is_bounded(telemetry: RecordedSpans, monkeypatch):
    """Old runs are forgotten; the latest ones are still found."""
    monkeypatch.setattr(table, "_REMEMBERED_ENDED", 10)
    handler = telemetry.new_handler()
    answers = [ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [handler]}).id for _ in range(50)]
    is_found = [handler.trace_ref(answer) is not None for answer in answers]
    assert is_found[-10:] == [True] * 10
    assert sum(is_found) <= 20


def test_unsampled_run_has_a_place_that_says_so():
    """An unsampled run has a reference, because its trace id may be in logs, but one that is not `sampled`."""
    telemetry = RecordedSpans(sampler=ALWAYS_OFF)
    handler = telemetry.new_handler()
    answer = ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [handler]})
    assert handler.trace_ref(answer.id).sampled is False


def test_address_in_jaeger():
    """Jaeger's address of a run holds its trace and span id."""
    ref = TraceRef("a" * 32, "b" * 16)
    assert trace_url(ref) == f"http://localhost:16686/trace/{'a' * 32}?uiFind={'b' * 16}"
    assert trace_url(ref, "https://jaeger.example/ui/").startswith("https://jaeger.example/ui/trace/aaa")


def test_evaluation_is_an_event_of_the_evaluated_span(telemetry: RecordedSpans):
    """`gen_ai.evaluation.result` follows the conventions, carries the span's ids, and explains without secrets."""
    handler = telemetry.new_handler()
    answer = ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [handler]})
    ref = handler.trace_ref(answer.id)
    why = "leaked sk-ant-abcdefghijklmnopqrstuvwxyz012345"
    record_evaluation(ref, "harm", score=1, label="fail", explanation=why, logger_provider=telemetry.logger_provider)
    [record] = telemetry.logs
    assert record.event_name == "gen_ai.evaluation.result"
    assert (f"{record.trace_id:032x}", f"{record.span_id:016x}") == ref[:2]
    assert dict(record.attributes) == {
        "gen_ai.evaluation.name": "harm",
        "gen_ai.evaluation.score.value": 1.0,
        "gen_ai.evaluation.score.label": "fail",
        "gen_ai.evaluation.explanation": "leaked [REDACTED:anthropic_key]",
    }
    checker = Checker("py-1.3b0")
    for document in documents(telemetry):
        checker.feed(document)
    assert checker.findings == []


@pytest.mark.parametrize(
    "ref",
    [
        None,
        ("a" * 32, "b" * 16),
        TraceRef("a" * 31, "b" * 16),
        TraceRef("a" * 32, "b" * 17),
        TraceRef("0" * 32, "b" * 16),
        TraceRef("a" * 32, "0" * 16),
        TraceRef("g" * 32, "b" * 16),
        TraceRef("a" * 32, None),  # type: ignore[arg-type]
    ],
)
def test_evaluation_of_no_run_is_refused(telemetry: RecordedSpans, ref):
    """A reference that no span can have is refused: its event would be lost silently."""
    with pytest.raises(ValueError, match="trace_ref"):
        record_evaluation(ref, "lost", score=1, logger_provider=telemetry.logger_provider)
    assert telemetry.logs == ()


@pytest.mark.parametrize("score", [float("nan"), float("inf"), "good", object()])
def test_score_is_a_finite_number(telemetry: RecordedSpans, score):
    """A score that is not a finite number is refused: it would not reach a back end intact."""
    with pytest.raises(ValueError, match="finite number"):
        record_evaluation(TraceRef("a" * 32, "b" * 16), "odd", score=score, logger_provider=telemetry.logger_provider)
    assert telemetry.logs == ()


def test_evaluation_needs_a_result():
    """An evaluation with neither a score nor a label is a mistake in code, and refused."""
    with pytest.raises(ValueError, match="a score, a label"):
        record_evaluation(TraceRef("a" * 32, "b" * 16), "empty")


def test_nodes_have_references_of_their_own(telemetry: RecordedSpans):
    """Every visible run has its own span id, not only the root."""
    handler = telemetry.new_handler()
    span_ids: list[str] = []
    handler.subscribe(lambda summary: span_ids.append(summary.span_id))
    graph("trip", look=lambda state: {"seen": [1]}).invoke({"seen": []}, {"callbacks": [handler]})
    assert len(set(span_ids)) == 2
