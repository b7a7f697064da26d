"""Instruments and what is measured on them. Dimensions are an allow-list taken from span attributes."""

import weakref
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from opentelemetry import metrics
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Meter, Observation

from otel_callbacks import semconv
from otel_callbacks._mapping.usage import Usage
from otel_callbacks.semconv import Dialect, Instrument

MAX_VALUES_PER_DIMENSION = 200
_MAX_CACHED_SETS = 4096

_MODEL = (
    semconv.OPERATION_NAME,
    semconv.PROVIDER_NAME,
    semconv.REQUEST_MODEL,
    semconv.RESPONSE_MODEL,
    semconv.SERVER_ADDRESS,
    semconv.SERVER_PORT,
)
_REQUEST = (semconv.OPERATION_NAME, semconv.PROVIDER_NAME, semconv.REQUEST_MODEL)
_COST = (*_REQUEST, semconv.RESPONSE_MODEL, semconv.AGENT_NAME)
_DURATION_ONLY = (semconv.ERROR_TYPE, semconv.OUTCOME)
_MODEL_DURATION = (*_MODEL, *_DURATION_ONLY)
_OPEN_ENDED = frozenset(
    {
        semconv.PROVIDER_NAME,
        semconv.REQUEST_MODEL,
        semconv.RESPONSE_MODEL,
        semconv.SERVER_ADDRESS,
        semconv.TOOL_NAME,
        semconv.AGENT_NAME,
        semconv.WORKFLOW_NAME,
        semconv.GRAPH_NODE,
        semconv.ERROR_TYPE,
        semconv.FINISH_REASON,
    }
)
"""Dimensions whose values come from outside; their number is capped."""

Labels = dict[str, Any]


class Runs(Protocol):
    """What is counted as open."""

    open: Any

    def tend(self) -> None:
        """Close what is due."""


class ModelLabels(NamedTuple):
    """All sets of labels that measurements of one model run take."""

    duration: Labels
    model: Labels
    input: Labels
    output: Labels
    request: tuple[Any, ...]
    """Values in the order of `_REQUEST`."""


class Dimensions:
    """Projects attributes onto allow-listed dimensions; few distinct sets, so each is built once."""

    def __init__(self) -> None:
        self._sets: dict[tuple[Any, ...], Labels] = {}
        self._of_models: dict[tuple[Any, ...], ModelLabels] = {}
        self._seen: dict[str, set[Any]] = {key: set() for key in _OPEN_ENDED}

    def of(self, attributes: Mapping[str, Any], keys: tuple[str, ...]) -> Labels:
        """The labels `keys` give; absent attributes give none, values above the cap read ``_OTHER``."""
        identity = (keys, *map(attributes.get, keys))
        labels = self._sets.get(identity)
        if labels is None:
            labels = {key: self.capped(key, attributes[key]) for key in keys if attributes.get(key) is not None}
            if len(self._sets) < _MAX_CACHED_SETS:
                self._sets[identity] = labels
        return labels

    def of_model(self, attributes: Mapping[str, Any]) -> ModelLabels:
        """The labels of a model run, found with one look-up: four cost 20 000 instructions more."""
        identity = tuple(map(attributes.get, _MODEL_DURATION))
        labels = self._of_models.get(identity)
        if labels is None:
            request = self.of(attributes, _REQUEST)
            model = self.of(attributes, _MODEL)
            labels = ModelLabels(
                duration=self.of(attributes, _MODEL_DURATION),
                model=model,
                input={**model, semconv.TOKEN_TYPE: "input"},
                output={**model, semconv.TOKEN_TYPE: "output"},
                request=tuple(map(request.get, _REQUEST)),
            )
            if len(self._of_models) < _MAX_CACHED_SETS:
                self._of_models[identity] = labels
        return labels

    def capped(self, key: str, value: Any) -> Any:
        """`value`, or ``_OTHER`` where the dimension has its number of values already."""
        seen = self._seen.get(key)
        if seen is None or value in seen:
            return value
        if len(seen) >= MAX_VALUES_PER_DIMENSION:
            return semconv.OTHER
        seen.add(value)
        return value


class Count:
    """Plain integers behind an observable counter: incremented on the hot path, read when metrics are collected.

    A key of `values` is the tuple of label values in the order of `keys`. Far cheaper than a counter's `add`.
    """

    def __init__(self, meter: Meter, instrument: Instrument, keys: tuple[str, ...]) -> None:
        self.values: Counter[tuple[Any, ...]] = Counter()
        self._keys = keys
        meter.create_observable_counter(instrument.name, [self._observe], instrument.unit, instrument.description)

    def _observe(self, _: CallbackOptions) -> Iterable[Observation]:
        return [
            Observation(count, {key: value for key, value in zip(self._keys, values, strict=True) if value is not None})
            for values, count in list(self.values.items())
        ]


class Instruments:
    """All instruments of one meter in one dialect."""

    def __init__(self, meter: Meter, dialect: Dialect) -> None:
        self._dimensions = Dimensions()
        self.tables: weakref.WeakSet[Runs] = weakref.WeakSet()
        self.runs = Count(meter, semconv.RUNS, (semconv.RUN_TYPE, semconv.OUTCOME)).values
        self.errors = Count(meter, semconv.ERRORS, (semconv.ERROR_KIND,)).values
        self.redactions = Count(meter, semconv.REDACTIONS, (semconv.REDACTION_RULE,)).values
        self._cost: Any = Count(meter, semconv.COST, _COST).values  # a sum of money
        self._unpriced = Count(meter, semconv.UNPRICED, _REQUEST).values
        self._finish_reasons = Count(meter, semconv.FINISH_REASONS, (*_REQUEST, semconv.FINISH_REASON)).values
        self._usage_missing = Count(meter, semconv.USAGE_MISSING, _REQUEST).values
        self._durations = _durations(meter, dialect)
        self._model_duration = self._durations[semconv.CHAT][0]
        self._first_chunk = _histogram(meter, dialect.time_to_first_chunk)
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
        for table in list(self.tables):
            table.tend()
        return [Observation(sum(len(table.open) for table in list(self.tables)))]

    def duration(self, operation: str, seconds: float, attributes: Mapping[str, Any], context: Context | None) -> None:
        """Record how long an operation took; steps other than graph nodes have no duration metric."""
        known = self._durations.get(operation)
        if known:
            histogram, keys = known
            histogram.record(seconds, self._dimensions.of(attributes, keys), context)

    def model_labels(self, attributes: Mapping[str, Any]) -> ModelLabels:
        """What the measurements of a model run that has ended take."""
        return self._dimensions.of_model(attributes)

    def model_duration(self, seconds: float, labels: ModelLabels, context: Context | None) -> None:
        self._model_duration.record(seconds, labels.duration, context)

    def first_chunk(self, seconds: float, labels: ModelLabels, context: Context | None) -> None:
        self._first_chunk.record(seconds, labels.model, context)

    def output_chunk(self, seconds: float, attributes: Mapping[str, Any], context: Context | None) -> None:
        self._per_chunk.record(seconds, self._dimensions.of(attributes, _MODEL), context)

    def usage(self, usage: Usage, labels: ModelLabels, context: Context | None) -> None:
        """Record the tokens of one model run; input and output are totals, the other counts parts of them."""
        counts = usage.counts
        if self._token_usage is not None:
            if semconv.USAGE_INPUT in counts:
                self._token_usage.record(counts[semconv.USAGE_INPUT], labels.input, context)
            if semconv.USAGE_OUTPUT in counts:
                self._token_usage.record(counts[semconv.USAGE_OUTPUT], labels.output, context)
        for key, histogram in self._token_histograms:
            if key in counts:
                histogram.record(counts[key], labels.model, context)
        for key, counter in self._usage_counters.items():
            for modality, count in _by_modality(key, counts):
                counter.add(count, {**labels.model, semconv.TOKEN_MODALITY: modality}, context)

    def usage_missing(self, labels: ModelLabels) -> None:
        self._usage_missing[labels.request] += 1

    def cost(self, usd: float | None, attributes: Mapping[str, Any], agent: str | None) -> None:
        """Count what a model call cost; one without a price is counted apart."""
        if usd is None:
            labels = self._dimensions.of(attributes, _REQUEST)
            self._unpriced[tuple(map(labels.get, _REQUEST))] += 1
            return
        labels = self._dimensions.of({**attributes, semconv.AGENT_NAME: agent}, _COST)
        self._cost[tuple(map(labels.get, _COST))] += usd

    def finish_reasons(self, reasons: Iterable[str], labels: ModelLabels) -> None:
        for reason in reasons:
            capped = self._dimensions.capped(semconv.FINISH_REASON, reason)
            self._finish_reasons[labels.request + (capped,)] += 1  # noqa: RUF005 - a star needs Python 3.11 here

    def agent_calls(self, inference: int, tool: int, attributes: Mapping[str, Any], context: Context | None) -> None:
        labels = self._dimensions.of(attributes, (semconv.AGENT_NAME,))
        self._inference_calls.record(inference, labels, context)
        self._tool_calls.record(tool, labels, context)


def _durations(meter: Meter, dialect: Dialect) -> dict[str, tuple[metrics.Histogram, tuple[str, ...]]]:
    """Operation -> its duration histogram and dimensions; operations that share a metric share the instrument."""
    tool = (semconv.TOOL_NAME, semconv.TOOL_TYPE, semconv.AGENT_NAME)
    table: dict[str, tuple[Instrument, tuple[str, ...]]] = {
        semconv.CHAT: (dialect.inference_duration, _MODEL),
        semconv.TEXT_COMPLETION: (dialect.inference_duration, _MODEL),
        semconv.RETRIEVAL: (semconv.OPERATION_DURATION, _REQUEST),
        semconv.EMBEDDINGS: (semconv.OPERATION_DURATION, _REQUEST),
        semconv.EXECUTE_TOOL: (semconv.TOOL_DURATION, tool),
        semconv.INVOKE_AGENT: (semconv.AGENT_DURATION, (semconv.AGENT_NAME,)),
        semconv.INVOKE_WORKFLOW: (dialect.workflow_duration, (dialect.workflow_name,)),
        "node": (semconv.STEP_DURATION, (semconv.GRAPH_NODE,)),
    }
    histograms = {instrument.name: _histogram(meter, instrument) for instrument, _ in table.values()}
    operation = (semconv.OPERATION_NAME,)
    return {
        name: (
            histograms[instrument.name],
            tuple(dict.fromkeys((operation if name in dialect.duration_has_operation else ()) + keys + _DURATION_ONLY)),
        )
        for name, (instrument, keys) in table.items()
    }


def _by_modality(key: str, counts: Mapping[str, int]) -> Iterable[tuple[str, int]]:
    """Split a count into modalities where the provider told them; the rest, or all, is "unknown"."""
    total = counts.get(key)
    if total is None:
        return
    modalities = {
        semconv.USAGE_INPUT: semconv.USAGE_INPUT_BY_MODALITY,
        semconv.USAGE_OUTPUT: semconv.USAGE_OUTPUT_BY_MODALITY,
    }.get(key, {})
    for modality, modality_key in modalities.items():
        part = min(counts.get(modality_key, 0), total)
        if part:
            total -= part
            yield modality, part
    if total:
        yield "unknown", total


def _histogram(meter: Meter, instrument: Instrument) -> metrics.Histogram:
    return meter.create_histogram(
        instrument.name,
        instrument.unit,
        instrument.description,
        explicit_bucket_boundaries_advisory=instrument.buckets,
    )


def _counter(meter: Meter, instrument: Instrument) -> metrics.Counter:
    return meter.create_counter(instrument.name, instrument.unit, instrument.description)
