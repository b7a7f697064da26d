"""Labels of measurements: an allow-list of span attributes, whose values are limited in number."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from otel_callbacks import semconv

MAX_VALUES_PER_LABEL = 200
_MAX_CACHED_SETS = 4096

MODEL = (
    semconv.OPERATION_NAME,
    semconv.PROVIDER_NAME,
    semconv.REQUEST_MODEL,
    semconv.RESPONSE_MODEL,
    semconv.SERVER_ADDRESS,
    semconv.SERVER_PORT,
)
REQUEST = (semconv.OPERATION_NAME, semconv.PROVIDER_NAME, semconv.REQUEST_MODEL)
COST = (*REQUEST, semconv.RESPONSE_MODEL, semconv.AGENT_NAME, semconv.COST_SOURCE)
TOKENS = (semconv.AGENT_NAME, semconv.PROVIDER_NAME, semconv.REQUEST_MODEL, semconv.TOKEN_TYPE)
DURATION_ONLY = (semconv.ERROR_TYPE, semconv.OUTCOME)
_MODEL_DURATION = (*MODEL, *DURATION_ONLY)
_FROM_OUTSIDE = frozenset(
    {
        semconv.PROVIDER_NAME,
        semconv.REQUEST_MODEL,
        semconv.RESPONSE_MODEL,
        semconv.SERVER_ADDRESS,
        semconv.SERVER_PORT,
        semconv.RETRIEVER_NAME,
        semconv.TOOL_NAME,
        semconv.AGENT_NAME,
        semconv.WORKFLOW_NAME,
        semconv.WORKFLOW,
        semconv.GRAPH_NODE,
        semconv.ERROR_TYPE,
        semconv.FINISH_REASON,
    }
)
"""Labels whose values the application or a provider chooses; their number is capped."""

Labels = dict[str, Any]


class KeptLabels(Labels):
    """Labels that were made once, are found again and never changed, so that what belongs to them can be kept, too."""

    __slots__ = ()
    __hash__ = object.__hash__  # type: ignore[assignment]  # each set is there once: the object is its own key


class ModelLabels(NamedTuple):
    """All sets of labels for the measurements of one model call."""

    duration: Labels
    model: Labels
    input: Labels
    output: Labels
    request: tuple[Any, ...]
    """Values in the order of `REQUEST`."""


class LabelSets:
    """Makes labels of attributes. A program has few distinct sets, so each is made once."""

    def __init__(self) -> None:
        self._sets: dict[tuple[Any, ...], Labels] = {}
        self._of_models: dict[tuple[Any, ...], ModelLabels] = {}
        self._values: dict[str, set[Any]] = {key: set() for key in _FROM_OUTSIDE}

    def of(self, attributes: Mapping[str, Any], keys: tuple[str, ...]) -> Labels:
        """Return the labels under `keys`; absent attributes yield none, values above the cap read ``_OTHER``."""
        # By value, so that every run with these attributes finds the same set, whatever object they stand in.
        identity = (keys, *map(attributes.get, keys))
        labels = self._sets.get(identity)
        if labels is None:
            labels = {key: self.capped(key, attributes[key]) for key in keys if attributes.get(key) is not None}
            # Values above the cap make new identities without end, so the cache stops growing instead of turning over.
            if len(self._sets) < _MAX_CACHED_SETS:
                labels = self._sets.setdefault(identity, KeptLabels(labels))
        return labels

    def of_model(self, attributes: Mapping[str, Any]) -> ModelLabels:
        """Return the labels of a model call with one look-up: four cost 20 000 instructions more."""
        identity = tuple(map(attributes.get, _MODEL_DURATION))
        labels = self._of_models.get(identity)
        if labels is None:
            request = self.of(attributes, REQUEST)
            model = self.of(attributes, MODEL)
            is_kept = len(self._of_models) < _MAX_CACHED_SETS
            make = KeptLabels if is_kept else dict
            labels = ModelLabels(
                duration=self.of(attributes, _MODEL_DURATION),
                model=model,
                input=make(model, **{semconv.TOKEN_TYPE: "input"}),
                output=make(model, **{semconv.TOKEN_TYPE: "output"}),
                request=tuple(map(request.get, REQUEST)),
            )
            if is_kept:
                labels = self._of_models.setdefault(identity, labels)
        return labels

    def capped(self, key: str, value: Any) -> Any:
        """Return `value`, or ``_OTHER`` if the label has as many values as it may have."""
        values = self._values.get(key)
        if values is None or value in values:
            return value
        if len(values) >= MAX_VALUES_PER_LABEL:
            return semconv.OTHER
        values.add(value)
        return value
