"""Secrets in what identifies runs and always leaves: names, tags, descriptions, stop sequences and ids.

A program has few distinct ones, so each is searched once. Ids are new in every call and join traces with other data;
only those that begin like a known token are searched.
"""

import re
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from otel_callbacks import semconv
from otel_callbacks._mapping.records import SpanPlan

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_callbacks._content.redaction import Redactor

_MOST = 4096
"""Texts, and plans, that are remembered."""
_SHORTEST_TOKEN = 16
_HEAD = 2
_PLAIN = re.compile(r"[A-Za-z0-9_.-]{0,15}|[A-Za-z]{1,15}(?:[_-][A-Za-z]{1,15}){1,5}", re.ASCII)
"""Words in which no built-in rule finds a secret: the redactor need not be loaded for them."""
_OUR_OWN = frozenset(
    {
        semconv.OPERATION_NAME,
        semconv.OUTCOME,
        semconv.OUTPUT_TYPE,
        semconv.RUN_TYPE,
        semconv.SERVER_ADDRESS,
        semconv.TOOL_TYPE,
    }
)
"""Attributes whose values this package chooses, or that hold no free text."""
_IDS = frozenset(
    {
        semconv.GRAPH_CHECKPOINT_ID,
        semconv.GRAPH_INTERRUPT_IDS,
        semconv.REQUEST_PREVIOUS_RESPONSE_ID,
        semconv.RESPONSE_ID,
        semconv.TOOL_CALL_ID,
    }
)


class Identities:
    """Removes secrets from identifying texts. One object serves all threads.

    Args:
        load_redactor: Returns what finds them; called with the first text that is no plain word.
        has_own_rules: Whether the application has rules of its own, for which a plain word may be a secret as well.
    """

    def __init__(self, load_redactor: "Callable[[], Redactor]", *, has_own_rules: bool = False) -> None:
        self._load_redactor = load_redactor
        self._has_own_rules = has_own_rules
        self._clean: set[str] = set()
        """Texts without secrets, which nearly all are: a look-up here costs less than one of what a text becomes."""
        self._marked: dict[str, str] = {}
        self._plans: dict[int, tuple[SpanPlan, SpanPlan]] = {}

    def text(self, text: str) -> str:
        """Return a name, a tag or a description without its secrets."""
        if text in self._clean:
            return text
        marked = self._marked.get(text)
        return self._search(text) if marked is None else marked

    def identifier(self, text: str) -> str:
        """Return an id as it is, unless it begins like a known token."""
        if len(text) < _SHORTEST_TOKEN or text[:_HEAD] not in self._heads or not text.startswith(self._prefixes):
            return text
        return self._redactor.redact_text(text)

    def clean(self, attributes: dict[str, Any]) -> None:
        """Remove secrets from the texts among attributes."""
        known = self._clean
        for key, value in attributes.items():
            kind = type(value)
            if kind is str:
                if value not in known:
                    attributes[key] = self._value(key, value)
            elif kind is list and not known.issuperset(value):
                attributes[key] = [self._value(key, entry) for entry in value]

    def plan(self, plan: SpanPlan) -> SpanPlan:
        """Return a plan without secrets in its names. Runs of the same names share one, which is searched once."""
        entry = self._plans.get(id(plan))  # the entry keeps the plan alive, so its id is nobody else's
        if entry is not None:
            return entry[1]
        if len(self._plans) >= _MOST:
            self._plans.clear()
        clean = self._clean_plan(plan)
        self._plans[id(plan)] = plan, clean
        return clean

    def _clean_plan(self, plan: SpanPlan) -> SpanPlan:
        attributes = dict(plan.attributes)
        self.clean(attributes)
        inherit = plan.inherit
        if inherit is not None and inherit.agent_name is not None:
            inherit = replace(inherit, agent_name=self.text(inherit.agent_name))
        if attributes == plan.attributes and inherit == plan.inherit:
            return plan
        name = plan.name
        for key, value in plan.attributes.items():
            if type(value) is str:
                name = name.replace(value, attributes[key])
        return SpanPlan(plan.operation, name, attributes, inherit)

    def _value(self, key: str, text: str) -> str:
        if key in _OUR_OWN:
            return text
        return self.identifier(text) if key in _IDS else self.text(text)

    def _search(self, text: str) -> str:
        is_plain = not self._has_own_rules and _PLAIN.fullmatch(text)
        clean = text if is_plain else self._redactor.redact_text(text)
        if len(self._clean) + len(self._marked) >= _MOST:
            self._clean.clear()
            self._marked.clear()
        if clean == text:
            self._clean.add(text)
        else:
            self._marked[text] = clean
        return clean

    @cached_property
    def _redactor(self) -> "Redactor":
        return self._load_redactor()

    @cached_property
    def _prefixes(self) -> tuple[str, ...]:
        from otel_callbacks._content.redaction import DEFAULT_RULES

        return tuple(literal for rule in DEFAULT_RULES if rule.begins for literal in rule.literals)

    @cached_property
    def _heads(self) -> frozenset[str]:
        return frozenset(prefix[:_HEAD] for prefix in self._prefixes)
