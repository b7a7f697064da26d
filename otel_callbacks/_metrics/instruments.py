"""Instruments, and what is measured on them. Measuring gets values, never runs."""

import logging
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from opentelemetry import metrics
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Meter, Observation

from otel_callbacks import semconv
from otel_callbacks._mapping.cost import Cost
from otel_callbacks._mapping.records import Usage
from otel_callbacks._metrics import labels
from otel_callbacks._metrics.bound import BoundHistogram
from otel_callbacks._metrics.labels import Labels, LabelSets, ModelLabels
from otel_callbacks.semconv import Dialect, Instrument

logger = logging.getLogger("otel_callbacks")


class OpenRuns(Protocol):
    """What is counted as open."""

    open: Any

    def close_due(self) -> None:
        """Close what is due, so that it is not counted as open."""


class ObservedCount:
    """Plain numbers behind an observable counter: incremented on the hot path, read when metrics are collected.

    A key of `values` is the tuple of label values in the order of `keys`. Far cheaper than a counter's `add`.
    """

    def __init__(self, meter: Meter, instrument: Instrument, keys: tuple[str, ...]) -> None:
        self.values: Counter[tuple[Any, ...]] = Counter()
        self._keys = keys
        meter.create_observable_counter(instrument.name, [self._observe], instrument.unit, instrument.description)

    def _observe(self, _: CallbackOptions) -> Iterable[Observation]:
        return [
            Observation(count, {key: value for key, value in zip(self._keys, values, strict=True) if value is not None})
            for values, count in list(self.values.items())  # a copy: other threads go on counting
        ]


class Instruments:
    """All instruments of one meter in one dialect."""

    def __init__(self, meter: Meter, dialect: Dialect) -> None:
        self._label_sets = LabelSets()
        self.tables: weakref.WeakSet[OpenRuns] = weakref.WeakSet()
        """Tables whose runs are counted as open."""
        self.runs = ObservedCount(meter, semconv.RUNS, (semconv.RUN_TYPE, semconv.OUTCOME)).values
        self.errors = ObservedCount(meter, semconv.ERRORS, (semconv.ERROR_KIND,)).values
        self.discrepancies = ObservedCount(meter, semconv.DISCREPANCIES, (semconv.DISCREPANCY_KIND,)).values
        self.redactions = ObservedCount(meter, semconv.REDACTIONS, (semconv.REDACTION_RULE,)).values
        self._cost: Any = ObservedCount(meter, semconv.COST, labels.COST).values  # not integers: a sum of money
        self._tokens_by_agent = ObservedCount(meter, semconv.TOKENS, labels.TOKENS).values
        self._unpriced = ObservedCount(meter, semconv.UNPRICED, labels.REQUEST).values
        reason_keys = (*labels.REQUEST, semconv.FINISH_REASON)
        self._finish_reasons = ObservedCount(meter, semconv.FINISH_REASONS, reason_keys).values
        self._usage_missing = ObservedCount(meter, semconv.USAGE_MISSING, labels.REQUEST).values
        unanswered_keys = (semconv.AGENT_NAME, semconv.ERROR_TYPE)
        self._unanswered = ObservedCount(meter, semconv.TOOL_CALLS_UNANSWERED, unanswered_keys).values
        self._durations = _durations(meter, dialect)
        self._model_duration = self._durations[semconv.CHAT][0]  # text models share the instrument
        self._first_chunk = _histogram(meter, dialect.time_to_first_chunk)
        self._first_visible_chunk = _histogram(meter, semconv.FIRST_VISIBLE_CHUNK)
        self._per_chunk = _histogram(meter, dialect.time_per_output_chunk)
        self._inference_calls = _histogram(meter, semconv.AGENT_INFERENCE_CALLS)
        self._tool_calls = _histogram(meter, semconv.AGENT_TOOL_CALLS)
        self._token_usage = _histogram(meter, dialect.token_usage) if dialect.token_usage else None
        self._token_histograms = [
            (key, _histogram(meter, instrument))
            for key, instrument in (
                (semconv.USAGE_INPUT, dialect.input_tokens),
                (semconv.USAGE_OUTPUT, dialect.output_tokens),
            )
            if instrument
        ]
        self._usage_counters = {key: _counter(meter, instrument) for key, instrument in dialect.usage_counters.items()}
        name, unit, description, _ = semconv.RUNS_OPEN
        meter.create_observable_up_down_counter(name, [self._observe_open], unit, description)

    def _observe_open(self, _: CallbackOptions) -> Iterable[Observation]:
        tables = list(self.tables)
        # First what is overdue: in a quiet process the collection of metrics is the only thing that still happens.
        for table in tables:
            table.close_due()
        return [Observation(sum(len(table.open) for table in tables))]

    def failed(self, kind: str, error: BaseException) -> None:
        """Count a failure of this package; log the first of each kind, without the message (it may be content)."""
        self.errors[kind,] += 1
        if self.errors[kind,] == 1:  # once per kind: a fault that hits every run must not flood the log
            logger.warning(
                "otel_callbacks failed in %s: %s (counted in %s)", kind, type(error).__name__, semconv.ERRORS.name
            )

    def _measure(
        self, record: Callable[[Any, Labels, Context | None], None], value: float, to: Labels, context: Context | None
    ) -> None:
        """Measure `value` on one instrument; one that raises loses only this measurement."""
        try:
            record(value, to, context)
        except Exception as error:  # noqa: BLE001 - a meter of the application's own making
            self.failed("measure", error)

    def duration(self, operation: str, seconds: float, attributes: Mapping[str, Any], context: Context | None) -> None:
        """Record how long an operation took; of all steps, only graph nodes have a duration metric."""
        entry = self._durations.get(operation)
        if entry:
            histogram, keys = entry
            self._measure(histogram.record, seconds, self._label_sets.of(attributes, keys), context)

    def model_call(
        self,
        seconds: float,
        attributes: Mapping[str, Any],
        context: Context | None,
        *,
        agent: str | None,
        first_chunk_s: float | None,
        first_visible_s: float | None,
        usage: Usage | None,
        finish_reasons: Iterable[str],
        is_usage_expected: bool,
    ) -> None:
        """Record one model call.

        Args:
            seconds: Duration.
            attributes: What labels are taken from.
            context: Holds the span for exemplars.
            agent: The agent that made it.
            first_chunk_s: Seconds to the first chunk with content; ``None`` where nothing was streamed.
            first_visible_s: Seconds to the first chunk that is more than reasoning; ``None`` where that is the first.
            usage: Token counts; ``None`` where none were reported.
            finish_reasons: One for each choice.
            is_usage_expected: Whether the call counts as one without usage if input or output is not known.
        """
        sets = self._label_sets.of_model(attributes)
        self._measure(self._model_duration.record, seconds, sets.duration, context)
        if first_chunk_s is not None:
            self._measure(self._first_chunk.record, first_chunk_s, sets.model, context)
        if first_visible_s is not None:
            self._measure(self._first_visible_chunk.record, first_visible_s, sets.model, context)
        counts = usage.counts if usage is not None else {}
        if counts:
            self._tokens(counts, sets, context)
            self._tokens_of_agent(counts, sets.request, agent)
        is_complete = semconv.USAGE_INPUT in counts and semconv.USAGE_OUTPUT in counts
        if is_usage_expected and not is_complete and not (usage is not None and usage.from_cache):
            self._usage_missing[sets.request] += 1
        for reason in finish_reasons:
            capped = self._label_sets.capped(semconv.FINISH_REASON, reason)
            self._finish_reasons[sets.request + (capped,)] += 1  # noqa: RUF005 - a star needs Python 3.11 here

    def _tokens(self, counts: Mapping[str, int], sets: ModelLabels, context: Context | None) -> None:
        """Record token counts: input and output are totals, the others are parts of them."""
        if self._token_usage is not None:
            if semconv.USAGE_INPUT in counts:
                self._measure(self._token_usage.record, counts[semconv.USAGE_INPUT], sets.input, context)
            if semconv.USAGE_OUTPUT in counts:
                self._measure(self._token_usage.record, counts[semconv.USAGE_OUTPUT], sets.output, context)
        for key, histogram in self._token_histograms:
            if key in counts:
                self._measure(histogram.record, counts[key], sets.model, context)
        for key, counter in self._usage_counters.items():
            for modality, count in _by_modality(key, counts):
                self._measure(counter.add, count, {**sets.model, semconv.TOKEN_MODALITY: modality}, context)

    def _tokens_of_agent(self, counts: Mapping[str, int], request: tuple[Any, ...], agent: str | None) -> None:
        """Count by agent. Only input and output, so that a sum over all series counts each token once."""
        _, provider, model = request
        capped = self._label_sets.capped(semconv.AGENT_NAME, agent) if agent is not None else None
        for key, token_type in ((semconv.USAGE_INPUT, "input"), (semconv.USAGE_OUTPUT, "output")):
            if key in counts:
                self._tokens_by_agent[capped, provider, model, token_type] += counts[key]

    def output_chunk(self, seconds: float, attributes: Mapping[str, Any], context: Context | None) -> None:
        """Record the time between two chunks of a stream."""
        self._measure(self._per_chunk.record, seconds, self._label_sets.of(attributes, labels.MODEL), context)

    def cost(self, cost: Cost | None, attributes: Mapping[str, Any], agent: str | None) -> None:
        """Count what a model call cost; one without a price is counted as such."""
        if cost is None:
            unpriced = self._label_sets.of(attributes, labels.REQUEST)
            self._unpriced[tuple(map(unpriced.get, labels.REQUEST))] += 1
            return
        known = {**attributes, semconv.AGENT_NAME: agent, semconv.COST_SOURCE: cost.source}
        priced = self._label_sets.of(known, labels.COST)
        self._cost[tuple(map(priced.get, labels.COST))] += cost.usd

    def unanswered_call(self, agent: str | None, error_type: str) -> None:
        """Count a tool call that no tool answered."""
        self._unanswered[agent and self._label_sets.capped(semconv.AGENT_NAME, agent), error_type] += 1

    def agent_calls(self, inference: int, tool: int, attributes: Mapping[str, Any], context: Context | None) -> None:
        """Record how many model and tool calls an agent made itself."""
        agent = self._label_sets.of(attributes, (semconv.AGENT_NAME,))
        self._measure(self._inference_calls.record, inference, agent, context)
        self._measure(self._tool_calls.record, tool, agent, context)


def _durations(meter: Meter, dialect: Dialect) -> dict[str, tuple[BoundHistogram, tuple[str, ...]]]:
    """Return the duration histogram and label keys of each operation; some share an instrument."""
    tool = (semconv.TOOL_NAME, semconv.TOOL_TYPE, semconv.AGENT_NAME)
    retriever = (*labels.REQUEST, semconv.RETRIEVER_NAME, semconv.RETRIEVER_INNER)
    table: dict[str, tuple[Instrument, tuple[str, ...]]] = {
        semconv.CHAT: (dialect.inference_duration, labels.MODEL),
        semconv.TEXT_COMPLETION: (dialect.inference_duration, labels.MODEL),
        semconv.RETRIEVAL: (semconv.OPERATION_DURATION, retriever),
        semconv.EMBEDDINGS: (semconv.OPERATION_DURATION, labels.REQUEST),
        semconv.EXECUTE_TOOL: (semconv.TOOL_DURATION, tool),
        semconv.INVOKE_AGENT: (semconv.AGENT_DURATION, (semconv.AGENT_NAME,)),
        semconv.INVOKE_WORKFLOW: (dialect.workflow_duration, (dialect.workflow_name,)),
        "node": (semconv.STEP_DURATION, (semconv.GRAPH_NODE, semconv.AGENT_NAME, semconv.WORKFLOW)),
    }
    histograms = {instrument.name: _histogram(meter, instrument) for instrument, _ in table.values()}
    durations = {}
    for operation, (instrument, keys) in table.items():
        operation_key = (semconv.OPERATION_NAME,) if operation in dialect.duration_has_operation else ()
        all_keys = tuple(dict.fromkeys(operation_key + keys + labels.DURATION_ONLY))
        durations[operation] = histograms[instrument.name], all_keys
    return durations


_MODALITIES: Mapping[str, Mapping[str, str]] = {
    semconv.USAGE_INPUT: semconv.USAGE_INPUT_BY_MODALITY,
    semconv.USAGE_OUTPUT: semconv.USAGE_OUTPUT_BY_MODALITY,
}


def _by_modality(key: str, counts: Mapping[str, int]) -> Iterable[tuple[str, int]]:
    """Split a count into the modalities that the provider reported; the rest, or all, is "unknown"."""
    total = counts.get(key)
    if total is None:
        return
    for modality, modality_key in _MODALITIES.get(key, {}).items():
        part = min(counts.get(modality_key, 0), total)
        if part:
            total -= part
            yield modality, part
    if total:
        yield "unknown", total


def _histogram(meter: Meter, instrument: Instrument) -> BoundHistogram:
    return BoundHistogram(
        meter.create_histogram(
            instrument.name,
            instrument.unit,
            instrument.description,
            explicit_bucket_boundaries_advisory=instrument.buckets,
        )
    )


def _counter(meter: Meter, instrument: Instrument) -> metrics.Counter:
    return meter.create_counter(instrument.name, instrument.unit, instrument.description)
