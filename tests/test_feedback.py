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
from tests.support.telemetry import Telemetry


def ids(span) -> tuple[str, str]:
    """Trace and span id as a reference has them."""
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"


def test_run_is_found_while_it_runs_and_afterwards(telemetry: Telemetry):
    """By the id that the application gave the run."""
    handler, run_id = telemetry.handler(), uuid.uuid4()
    during: list[TraceRef | None] = []
    chain = RunnableLambda(lambda _: during.append(handler.trace_ref(run_id)), name="work")
    chain.invoke("x", {"callbacks": [handler], "run_id": run_id})
    after = handler.trace_ref(str(run_id))
    assert during == [after]
    assert after[:2] == ids(telemetry.span("invoke_workflow work"))


def test_answer_leads_to_its_trace(telemetry: Telemetry):
    """A message's id names the run that made it."""
    handler = telemetry.handler()
    answer = ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [handler]})
    assert handler.trace_ref(answer.id)[:2] == ids(telemetry.span("chat"))


def test_hidden_run_is_found_at_its_visible_ancestor(telemetry: Telemetry):
    """While it runs."""
    handler, inner = telemetry.handler(detail="operations"), uuid.uuid4()
    found: list[TraceRef | None] = []
    hidden = RunnableLambda(lambda _: found.append(handler.trace_ref(inner)), name="hidden")
    outer = RunnableLambda(lambda _: hidden.invoke("x", {"run_id": inner}), name="outer")
    outer.invoke("x", {"callbacks": [handler]})
    assert found[0][:2] == ids(telemetry.span("invoke_workflow outer"))


@pytest.mark.parametrize("run_id", [uuid.uuid4(), "no id at all", "", "run-7"])
def test_unknown_run_is_nowhere(telemetry: Telemetry, run_id):
    """No error, no invention."""
    assert telemetry.handler().trace_ref(run_id) is None


def test_memory_of_ended_runs_is_bounded(telemetry: Telemetry, monkeypatch):
    """Old runs are forgotten, the last ones are known."""
    monkeypatch.setattr(table, "_REMEMBERED_ENDED", 10)
    handler = telemetry.handler()
    answers = [ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [handler]}).id for _ in range(50)]
    known = [handler.trace_ref(answer) is not None for answer in answers]
    assert known[-10:] == [True] * 10
    assert sum(known) <= 20


def test_unsampled_run_has_a_place_that_says_so():
    """Its trace id may be in logs; its span is in no back end."""
    telemetry = Telemetry(sampler=ALWAYS_OFF)
    handler = telemetry.handler()
    answer = ScriptedChat(script=["hi"]).invoke("x", {"callbacks": [handler]})
    assert handler.trace_ref(answer.id).sampled is False


def test_address_in_jaeger():
    """Trace and span are in it."""
    ref = TraceRef("a" * 32, "b" * 16)
    assert trace_url(ref) == f"http://localhost:16686/trace/{'a' * 32}?uiFind={'b' * 16}"
    assert trace_url(ref, "https://jaeger.example/ui/").startswith("https://jaeger.example/ui/trace/aaa")


def test_evaluation_is_an_event_of_the_evaluated_span(telemetry: Telemetry):
    """`gen_ai.evaluation.result` follows the conventions, has the span's ids, and no secret in its explanation."""
    handler = telemetry.handler()
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
def test_evaluation_of_no_run_is_refused(telemetry: Telemetry, ref):
    """An event with ids that no span can have would be lost in silence."""
    with pytest.raises(ValueError, match="trace_ref"):
        record_evaluation(ref, "lost", score=1, logger_provider=telemetry.logger_provider)
    assert telemetry.logs == ()


@pytest.mark.parametrize("score", [float("nan"), float("inf"), "good", object()])
def test_score_is_a_finite_number(telemetry: Telemetry, score):
    """Nothing else survives the way to a back end."""
    with pytest.raises(ValueError, match="finite number"):
        record_evaluation(TraceRef("a" * 32, "b" * 16), "odd", score=score, logger_provider=telemetry.logger_provider)
    assert telemetry.logs == ()


def test_evaluation_needs_a_result():
    """A mistake in code."""
    with pytest.raises(ValueError, match="a score, a label"):
        record_evaluation(TraceRef("a" * 32, "b" * 16), "empty")


def test_places_are_those_of_nodes_too(telemetry: Telemetry):
    """Any visible run is known, not roots only."""
    handler = telemetry.handler()
    seen: list[str] = []
    handler.subscribe(lambda summary: seen.append(summary.span_id))
    graph("trip", look=lambda state: {"seen": [1]}).invoke({"seen": []}, {"callbacks": [handler]})
    assert len(set(seen)) == 2
