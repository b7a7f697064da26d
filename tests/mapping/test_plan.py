import pytest

from otel_callbacks import semconv
from otel_callbacks._mapping import tables
from otel_callbacks._mapping.conversation import conversation_id
from otel_callbacks._mapping.records import Inherited
from tests.mapping.records import start

DIALECT = semconv.DIALECTS["py-1.3"]


@pytest.mark.parametrize(
    ("run_type", "operation"),
    [
        ("chat", "chat"),
        ("llm", "text_completion"),
        ("tool", "execute_tool"),
        ("retriever", "retrieval"),
        ("chain", "chain"),
        ("prompt", "prompt"),
        ("parser", "parser"),
    ],
)
def test_each_run_type_has_its_operation(run_type, operation):
    """The run type determines the operation, not the run's name."""
    plan = tables.PLAN[run_type](start(run_type, "agent"), Inherited(), DIALECT, False)
    assert plan.operation == operation


@pytest.mark.parametrize("run_type", ["chat", "llm", "tool", "retriever", "chain"])
def test_bare_plan_needs_nothing(run_type):
    """A run whose data cannot be read still becomes a span of its operation."""
    plan = tables.bare_plan(run_type)
    assert plan.name == plan.operation
    assert plan.attributes.get("gen_ai.operation.name") in {plan.operation, None}


def test_each_detail_shows_more():
    """Each detail shows everything that the one before shows, and more."""
    visible = tables.VISIBLE
    assert visible["operations"] < visible["steps"] < visible["all"]


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"thread_id": "t", "session_id": "s", "conversation_id": "c"}, "t"),
        ({"session_id": "s", "conversation_id": "c"}, "s"),
        ({"conversation_id": "c"}, "c"),
        ({"thread_id": 7}, "7"),
        ({"thread_id": "", "session_id": "s"}, "s"),
        ({"thread_id": None}, None),
        ({"thread_id": ["t"]}, None),
        ({"user_id": "u"}, None),
        ({}, None),
    ],
)
def test_conversation_id(metadata, expected):
    """The conversation is the first that is present of the thread's, the session's and the conversation's id."""
    assert conversation_id(metadata) == expected
