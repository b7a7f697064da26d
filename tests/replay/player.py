"""Replays recorded payloads to a handler, with hooks, threads and contexts as in LangChain but without its programs."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context, copy_context
from typing import Any

from langchain_core.callbacks import CallbackManager
from langchain_core.runnables.config import var_child_runnable_config

from otel_callbacks import OTelCallbackHandler
from tests.replay.payload import Event, Objects, events

_RETURN_IN_A_COPY = ("_end", "_error")
"""Hooks that LangChain calls in a copy of the run's context in async code, tools apart."""


def play(scenario: str, handler: OTelCallbackHandler) -> None:
    """Replay one scenario to the end, including what follows once LangChain has dropped its run ids.

    Raises:
        NotLoadable: The scenario needs a class that this environment does not have.
    """
    recorded = events(scenario)
    if any(event.in_loop for event in recorded):
        asyncio.run(_play_in_loop(recorded, handler))
    else:
        _Player(handler, Objects()).play(recorded)


async def _play_in_loop(recorded: list[Event], handler: OTelCallbackHandler) -> None:
    _Player(handler, Objects()).play(recorded)
    await asyncio.sleep(0)  # the run ids are gone, so in this turn the loop ends the runs that got no end


class _Player:
    def __init__(self, handler: OTelCallbackHandler, objects: Objects) -> None:
        self._handler = handler
        self._objects = objects
        self._main = copy_context()
        self._contexts: dict[str, tuple[str, Context]] = {}
        """By run: the thread it started on, and its context."""
        self._bodies: dict[str, list[str]] = {}
        """By thread: the open chains and tools, which are the parents of what their bodies run, innermost last."""

    def play(self, recorded: list[Event]) -> None:
        # All objects first, so that one that cannot be loaded does not leave a scenario half played.
        for event, (args, kwargs) in [(event, self._objects.arguments(event)) for event in recorded]:
            self._context(event).run(self._call, event, args, kwargs)

    def _call(self, event: Event, args: list[Any], kwargs: dict[str, Any]) -> None:
        with self._child_config(event):
            getattr(self._handler, event.hook)(*args, **kwargs)
        self._note_body(event)

    def _context(self, event: Event) -> Context:
        run = event.kwargs.get("run_id")
        if run is None:
            return self._main
        if event.hook.endswith("_start"):
            self._contexts[run] = event.thread, self._context_below(event)
        context = self._contexts[run][1]
        is_copied = event.in_loop and event.hook.endswith(_RETURN_IN_A_COPY) and not event.hook.startswith("on_tool")
        return context.copy() if is_copied else context

    def _context_below(self, event: Event) -> Context:
        """Return the context a run starts in: its parent's, or on another thread a copy of that."""
        thread, context = self._contexts.get(event.kwargs["parent_run_id"], ("main", self._main))
        return context if thread == event.thread else context.copy()

    @contextmanager
    def _child_config(self, event: Event) -> Iterator[None]:
        """Set the configuration that LangChain has in the body of a chain or tool, which names the parent."""
        around = self._bodies.get(event.thread)
        if not around:
            yield
            return
        manager = CallbackManager([self._handler], parent_run_id=self._objects.run_id(around[-1]))
        token = var_child_runnable_config.set({"callbacks": manager})
        try:
            yield
        finally:
            var_child_runnable_config.reset(token)

    def _note_body(self, event: Event) -> None:
        if event.hook in {"on_chain_start", "on_tool_start"}:
            self._bodies.setdefault(event.thread, []).append(event.kwargs["run_id"])
        elif event.hook.startswith(("on_chain_", "on_tool_")):
            for around in self._bodies.values():
                if event.kwargs["run_id"] in around:
                    around.remove(event.kwargs["run_id"])
