import pytest

from otel_callbacks._mapping import tags


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["seq:step:1", "retry:attempt:2"], 2),
        (["retry:attempt:12"], 12),
        (["retry:attempt:x"], None),
        (["seq:step:1"], None),
        ([], None),
    ],
)
def test_retry_attempt(given, expected):
    """The attempt's number is read from the tag `with_retry` sets from the second attempt on."""
    assert tags.read(given).retry_attempt == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [(["graph:step:3"], 3), (["vip", "graph:step:0"], 0), (["graph:step:"], None), (["graph"], None)],
)
def test_graph_step(given, expected):
    """LangGraph's tag tells that a run is a node, and its step."""
    assert tags.read(given).graph_step == expected


def test_sequence_and_hidden():
    """Steps of sequences and LangGraph's hidden runs are known by their tags."""
    assert tags.read(["seq:step:2"]).in_sequence
    assert tags.read(["langsmith:hidden"]).hidden
    assert not tags.read(["vip"]).in_sequence
    assert not tags.read(["vip"]).hidden


@pytest.mark.parametrize("kind", [list, tuple])
def test_own_tags_are_what_langchain_did_not_set(kind):
    """LangChain's own tags are kept apart from the application's, whose order stays."""
    given = kind(["seq:step:1", "vip", "map:key:ctx", "graph:step:1", "retry:attempt:2", "langsmith:hidden", "beta"])
    assert tags.read(given).own == ("vip", "beta")
