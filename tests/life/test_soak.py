import pytest

pytest.importorskip("langchain.agents.factory")  # the load has an agent of LangChain 1.0 in it

from benchmarks.soak import Soak


def test_mixed_load_leaves_nothing_open():
    """A short `make soak` exports every run of tasks and threads that finish, fail, cancel or drop their work."""
    soak = Soak(seconds=3)
    assert soak.run(show=lambda _: None) == []
    assert {"ok", "error", "cancelled", "interrupted"} <= set(soak.tally.outcomes)
