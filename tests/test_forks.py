"""Hooks that run in forked children."""

import gc
import os
import weakref

import pytest

from otel_callbacks._process import forks
from otel_callbacks._process.forks import after_fork_in_child


class Counter:
    """Something that has to be renewed in a child."""

    def __init__(self):
        self.renewals = 0

    def renew(self):
        self.renewals += 1


def in_child(probe):
    """The exit code of a forked child: what `probe` returns there."""
    child = os.fork()
    if child == 0:
        os._exit(probe())
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_functions_and_methods_are_called_in_the_child_only():
    """A child renews what was registered, once; its parent renews nothing."""
    counter, calls = Counter(), []
    after_fork_in_child(counter.renew)
    after_fork_in_child(lambda: calls.append("called"))

    assert in_child(lambda: 10 * counter.renewals + len(calls)) == 11
    assert (counter.renewals, calls) == (0, [])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_methods_keep_no_object_alive():
    """An object that is gone costs a child nothing."""
    counter = Counter()
    gone = weakref.ref(counter)
    after_fork_in_child(counter.renew)
    del counter
    gc.collect()

    assert gone() is None
    assert in_child(lambda: 0) == 0


def test_platforms_without_forks(monkeypatch):
    """Where Python cannot fork, nothing is registered and nothing fails."""
    monkeypatch.delattr(forks.os, "register_at_fork", raising=False)

    after_fork_in_child(Counter().renew)
