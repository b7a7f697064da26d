import pytest

from otel_callbacks._mapping import tags


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["seq:step:1", "retry:attempt:2"], 2),
        (["retry:attempt:12"], 12),
        (["retry:attempt:x"], None),
        (["seq:step:1"], None),
        ([], None),
    ],
)
def test_retry_attempt(names, expected):
    """The attempt's number comes from the tag that `with_retry` sets from the second attempt on."""
    assert tags.read(names).retry_attempt == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [(["graph:step:3"], 3), (["vip", "graph:step:0"], 0), (["graph:step:"], None), (["graph"], None)],
)
def test_graph_step(names, expected):
    """A node's step comes from LangGraph's tag."""
    assert tags.read(names).graph_step == expected


def test_sequence_and_hidden():
    """Steps of sequences and LangGraph's hidden runs are recognised by their tags."""
    assert tags.read(["seq:step:2"]).in_sequence
    assert tags.read(["langsmith:hidden"]).hidden
    assert not tags.read(["vip"]).in_sequence
    assert not tags.read(["vip"]).hidden


@pytest.mark.parametrize("kind", [list, tuple])
def test_own_tags_are_those_that_langchain_did_not_set(kind):
    """The application's tags are those that LangChain did not set, in their order."""
    names = kind(["seq:step:1", "vip", "map:key:ctx", "graph:step:1", "retry:attempt:2", "langsmith:hidden", "beta"])
    assert tags.read(names).own == ("vip", "beta")
