"""Recorded callback payloads, with LangChain's and LangGraph's own objects restored from their JSON forms."""

import importlib
import inspect
import json
import re
import warnings
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from uuid import UUID

from langchain_core.load import load
from langchain_core.outputs import LLMResult

FOLDER = Path(__file__).parent.parent / "payloads"
SCENARIOS = sorted(path.stem for path in FOLDER.glob("*.json"))

_CLASSES = {
    "Command": "langgraph.types.Command",
    "GraphInterruptEvent": "langgraph.callbacks.GraphInterruptEvent",
    "GraphResumeEvent": "langgraph.callbacks.GraphResumeEvent",
}
"""Classes whose objects the handler distinguishes; all others become plain namespaces."""
_LOAD_OPTIONS = {"allowed_objects": "all"} if "allowed_objects" in inspect.signature(load).parameters else {}
_RUN = re.compile(r"run-(\d+)")


class Event(NamedTuple):
    """One recorded callback: the hook's name, its thread, and its arguments as JSON."""

    hook: str
    thread: str
    in_loop: bool
    args: list[Any]
    kwargs: dict[str, Any]


class NotLoadable(Exception):  # noqa: N818 - a reason to skip, not an error
    """Raised for a payload with objects of a class that this environment does not have."""


def events(scenario: str) -> list[Event]:
    """Return the scenario's events in the order in which they were recorded."""
    text = (FOLDER / f"{scenario}.json").read_text(encoding="utf-8").replace("127.0.0.1:PORT", "127.0.0.1:8000")
    recorded = json.loads(text)["events"]
    return [Event(e["hook"], e["thread"], e["in_loop"], e["args"], e["kwargs"]) for e in recorded]


class Objects:
    """Restores the objects of one scenario; equal run ids and equal exceptions become one object each."""

    def __init__(self) -> None:
        self._run_ids: dict[str, UUID] = {}
        self._errors: dict[tuple[str, str], BaseException] = {}

    def run_id(self, name: str | None) -> UUID | None:
        """Return the id of "run-7", always the same object, as LangChain has one object per run."""
        if name is None:
            return None
        return self._run_ids.setdefault(name, UUID(int=int(name.removeprefix("run-"))))

    def arguments(self, event: Event) -> tuple[list[Any], dict[str, Any]]:
        """Return the positional and the keyword arguments of the hook."""
        args = list(event.args)
        # LangChain itself passes `serialized`, the first argument of a start, as a dictionary.
        serialized = [args.pop(0)] if event.hook.endswith("_start") else []
        kwargs = {
            key: self.run_id(value) if key in {"run_id", "parent_run_id"} else self.object(value)
            for key, value in event.kwargs.items()
        }
        return serialized + [self.object(value) for value in args], kwargs

    def object(self, value: Any) -> Any:
        """Return the value with every JSON form of an object replaced by the object."""
        if isinstance(value, list):
            return [self.object(entry) for entry in value]
        if not isinstance(value, dict):
            return value
        if "__exception__" in value:
            key = (value["__exception__"], value["str"])
            return self._errors.get(key) or self._errors.setdefault(key, _exception(value))
        if "__type__" in value:
            return self._typed(value)
        if value.get("lc") == 1 and value.get("type") == "constructor":
            return self._constructed(value)
        return {key: self.object(entry) for key, entry in value.items()}

    def _typed(self, value: dict[str, Any]) -> Any:
        name = value["__type__"]
        fields = {key: self.object(entry) for key, entry in value.items() if key != "__type__"}
        if name == "LLMResult":
            return LLMResult(generations=fields["generations"], llm_output=fields["llm_output"])
        if "run_id" in fields:
            fields["run_id"] = self.run_id(fields["run_id"])
        return _class(_CLASSES[name])(**fields) if name in _CLASSES else SimpleNamespace(**fields)

    def _constructed(self, value: dict[str, Any]) -> Any:
        if value["id"][:3] == ["langchain", "schema", "agent"]:  # now in a package of its own
            return SimpleNamespace(**self.object(value["kwargs"]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `load` warns that it is in beta
            return load(value, **_LOAD_OPTIONS)


def _exception(value: dict[str, Any]) -> BaseException:
    """Make an exception without raising it: the frames of a traceback would keep the run ids alive."""
    kind = _class(value["__exception__"])
    error: BaseException = kind.__new__(kind, value["str"])
    for name in ("status_code", "code", "type"):
        if name in value:
            setattr(error, name, value[name])
    target = re.search(r"goto='(\w+)'", value["str"])
    if target:
        error.args = (_class(_CLASSES["Command"])(goto=target[1]),)
    return error


@cache
def _class(path: str) -> Any:
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        raise NotLoadable(f"{path} does not exist here") from None
