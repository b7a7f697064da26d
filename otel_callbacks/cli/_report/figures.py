"""Figures of spans in bounded memory: percentiles within one per cent, for any number of spans."""

import heapq
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from otel_callbacks import semconv
from otel_callbacks.cli._report.reading import Span

_GROWTH = math.log(1.02)
# In seconds; a duration of 0 has no logarithm.
_SMALLEST = 1e-6
_MOST = 2**63
_MOST_SUBJECTS = 2000
"""Names per kind; the rest share one."""
_MOST_WORDS = 100
"""Error types and outcomes per name; the rest share one."""
_LONGEST_NAME = 200
"""Characters of a name that are kept."""


class Durations:
    """A histogram whose buckets grow by 2 %: percentiles are exact within 1 %, for a few hundred numbers in memory."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self.count = 0

    def add(self, seconds: float) -> None:
        """Count one more."""
        self._buckets[math.ceil(math.log(max(seconds, _SMALLEST)) / _GROWTH)] += 1
        self.count += 1

    def percentile(self, share: float) -> float | None:
        """Return the seconds that a `share` of all durations do not exceed; ``None`` if there are none."""
        remaining = math.ceil(share * self.count)
        for bucket, count in sorted(self._buckets.items()):
            remaining -= count
            if remaining <= 0:
                return math.exp((bucket - 0.5) * _GROWTH)  # the middle of the bucket
        return None


class Group:
    """All spans of one model, tool, agent, workflow or node."""

    def __init__(self) -> None:
        self.durations = Durations()
        self.first_chunks = Durations()
        self.errors: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.input_tokens = 0
        self.output_tokens = 0
        self.cost_usd = 0.0

    def add(self, span: Span) -> None:
        """Add one span."""
        attributes = span.attributes
        self.durations.add(span.duration_s)
        if span.is_error:
            _count(self.errors, attributes.get(semconv.ERROR_TYPE, semconv.OTHER))
        _count(self.outcomes, attributes.get(semconv.OUTCOME, "error" if span.is_error else "ok"))
        first_chunk = attributes.get(semconv.RESPONSE_TIME_TO_FIRST_CHUNK)
        if first_chunk is not None and _is_amount(first_chunk):
            self.first_chunks.add(first_chunk)
        self.input_tokens += _number(attributes.get(semconv.USAGE_INPUT))
        self.output_tokens += _number(attributes.get(semconv.USAGE_OUTPUT))
        self.cost_usd += _number(attributes.get(semconv.COST_USD))

    @property
    def error_ratio(self) -> float:
        """Share of the spans that failed."""
        return sum(self.errors.values()) / self.durations.count if self.durations.count else 0.0


class Report:
    """Everything the command prints.

    Args:
        top: How many of the slowest and of the most expensive traces to name.
    """

    def __init__(self, top: int) -> None:
        self._top = top
        self.groups: dict[str, dict[str, Group]] = {}
        self.roots = Group()
        """Root runs: spans without a parent."""
        self.cost_usd = 0.0
        self._slowest: list[tuple[float, str, str]] = []
        self._dearest: list[tuple[float, str, str]] = []

    def add(self, span: Span) -> None:
        """Add one span."""
        kind, name = _subject(span)
        if kind:
            groups = self.groups.setdefault(kind, {})
            key = name if name in groups or len(groups) < _MOST_SUBJECTS else semconv.OTHER
            groups.setdefault(key, Group()).add(span)
        # Not the totals of agents and workflows: they repeat what the model calls below them cost.
        self.cost_usd += _number(span.attributes.get(semconv.COST_USD))
        if span.is_root:
            self.roots.add(span)
            self._keep(self._slowest, span.duration_s, span)
            # A root that is a model call has no total.
            cost = _number(span.attributes.get(semconv.COST_TOTAL_USD, span.attributes.get(semconv.COST_USD)))
            if cost:
                self._keep(self._dearest, float(cost), span)

    @property
    def errors_of_calls(self) -> Counter[str]:
        """Failed model and tool calls by type; the runs around them, which fail with them, are not counted again."""
        groups = [group for kind in ("model", "tool") for group in self.groups.get(kind, {}).values()]
        return sum((group.errors for group in groups), Counter())

    @property
    def slowest(self) -> list[tuple[float, str, str]]:
        """Seconds, trace id and name of the slowest traces."""
        return sorted(self._slowest, reverse=True)

    @property
    def dearest(self) -> list[tuple[float, str, str]]:
        """USD, trace id and name of the most expensive traces."""
        return sorted(self._dearest, reverse=True)

    def _keep(self, heap: list[tuple[float, str, str]], value: float, span: Span) -> None:
        heapq.heappush(heap, (value, _short(span.trace_id), _short(span.name)))
        if len(heap) > self._top:
            heapq.heappop(heap)


def excesses(report: Report, p95_s: float | None, error_ratio: float | None, cost_usd: float | None) -> list[str]:
    """Return a sentence per exceeded limit; ``None`` sets no limit."""
    sentences = []
    p95 = report.roots.durations.percentile(0.95)
    if p95_s is not None and p95 is not None and p95 > p95_s:
        sentences.append(f"p95 of root runs is {p95:.3g} s, above {p95_s:g} s")
    if error_ratio is not None and report.roots.error_ratio > error_ratio:
        sentences.append(f"{report.roots.error_ratio:.3g} of root runs failed, above {error_ratio:g}")
    if cost_usd is not None and report.cost_usd > cost_usd:
        sentences.append(f"model calls cost {report.cost_usd:.4g} USD, above {cost_usd:g}")
    return sentences


_MODEL_OPERATIONS = frozenset({semconv.CHAT, semconv.TEXT_COMPLETION, semconv.EMBEDDINGS})
_WORKFLOW_NAMES = tuple(sorted({dialect.workflow_name for dialect in semconv.DIALECTS.values()}))


def _subject(span: Span) -> tuple[str, str]:
    """Return the kind of a span's subject and its name; "" for other spans."""
    attributes = span.attributes
    # As text, because a foreign span may have an array here.
    operation = str(attributes.get(semconv.OPERATION_NAME, ""))
    if operation in _MODEL_OPERATIONS:
        return "model", _name(attributes, semconv.RESPONSE_MODEL, semconv.REQUEST_MODEL)
    if operation == semconv.EXECUTE_TOOL:
        return "tool", _name(attributes, semconv.TOOL_NAME)
    if operation == semconv.INVOKE_AGENT:
        return "agent", _name(attributes, semconv.AGENT_NAME)
    if operation == semconv.INVOKE_WORKFLOW:
        return "workflow", _name(attributes, *_WORKFLOW_NAMES)
    return ("node", _name(attributes, semconv.GRAPH_NODE)) if attributes.get(semconv.GRAPH_NODE) else ("", "")


def _name(attributes: Mapping[str, Any], *keys: str) -> str:
    return _short(next((str(attributes[key]) for key in keys if attributes.get(key)), "(no name)"))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"


def _count(counts: Counter[str], word: Any) -> None:
    word = _short(str(word))
    counts[word if word in counts or len(counts) < _MOST_WORDS else semconv.OTHER] += 1


def _number(value: Any) -> Any:
    return value if _is_amount(value) else 0


def _is_amount(value: Any) -> bool:
    """Tell whether a value counts or measures something; text, and what would make every sum infinite, does not."""
    return type(value) in {int, float} and 0 <= value < _MOST
