"""Hooks for forked children, which inherit locks that stay locked, lack threads, and hold their parent's runs."""

import os
import weakref
from collections.abc import Callable
from types import MethodType


def after_fork_in_child(renew: Callable[[], object]) -> None:
    """Call `renew` in every child forked from now on; do nothing where the platform cannot fork.

    Args:
        renew: A function, or a bound method. A method is held weakly, because Python keeps hooks as long as the process
            and they must not keep objects alive.
    """
    if not hasattr(os, "register_at_fork"):
        return
    if not isinstance(renew, MethodType):
        os.register_at_fork(after_in_child=renew)
        return
    method = weakref.WeakMethod(renew)
    os.register_at_fork(after_in_child=lambda: (living := method()) and living())
