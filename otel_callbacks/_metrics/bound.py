"""A histogram that remembers where OpenTelemetry's SDK adds up the measurements of each label set.

``Histogram.record`` checks, cleans, copies and hashes its labels on every call, only to find the same place again. Here
the first measurement of a label set goes through ``record``, and later ones go straight to where that one was added.

This is the only module that knows the SDK from the inside. Whatever it does not know goes through ``record``.
"""

from collections.abc import Iterator, Mapping
from math import inf
from operator import attrgetter
from time import time_ns
from types import CodeType, FunctionType
from typing import Any
from zlib import crc32

from opentelemetry.context import Context, get_current
from opentelemetry.metrics import Histogram

from otel_callbacks._metrics.labels import KeptLabels, Labels

_STEPS = (
    "instrument.Histogram.record",
    "measurement.Measurement.__post_init__",
    "measurement_consumer.SynchronousMeasurementConsumer.consume_measurement",
    "measurement_consumer.SynchronousMeasurementConsumer.add_metric_reader",
    "measurement_consumer.SynchronousMeasurementConsumer.remove_metric_reader",
    "metric_reader_storage.MetricReaderStorage.consume_measurement",
    "_view_instrument_match._ViewInstrumentMatch.consume_measurement",
    "_view_instrument_match._ViewInstrumentMatch._get_or_create_aggregation",
    "_view_instrument_match._ViewInstrumentMatch.collect",
)
"""Functions of the SDK that are skipped, or that could move the place that is remembered."""
_KNOWN_SHAPES = frozenset({0xC978771C})
"""Checksums of the names that these functions use. An SDK whose functions do more has another one; read what they do,
and let the tests compare both ways, before it goes in here."""
_UNCHANGEABLE = frozenset({str, bool, int, float})
"""Types of label values that the SDK keeps as they are, and that nobody can change afterwards."""


class BoundHistogram:
    """A histogram whose measurements cost about a quarter of ``record`` where the SDK is known, and do the same.

    It takes no lock: all it shares between threads is a dictionary whose entries say where the SDK adds up, and an
    aggregation of cumulative temporality stays where it is.
    """

    __slots__ = ("_consumer", "_found", "_histogram")

    def __init__(self, histogram: Histogram) -> None:
        self._histogram: Any = histogram
        self._consumer = _consumer_of(histogram)
        # A pair, so that no thread sees the places of one set of readers beside another set of readers.
        self._found: tuple[Any, dict[Labels, tuple[Any, ...]]] = (None, {})

    def record(self, value: float, labels: Labels, context: Context | None) -> None:
        """Measure `value`, in the context whose span an exemplar names; ``None``: the current one."""
        consumer, histogram = self._consumer, self._histogram
        if consumer is None or type(labels) is not KeptLabels or not 0 <= value < inf or not histogram._is_enabled():
            histogram.record(value, labels, context)
            return
        readers, places = self._found
        if consumer._reader_storages is not readers:  # the SDK replaces this mapping when a reader comes or goes
            readers, places = self._found = (consumer._reader_storages, {})
        aggregations = places.get(labels)
        if not aggregations:
            histogram.record(value, labels, context)
            if aggregations is None:
                places[labels] = _aggregations(histogram, consumer, readers, labels)
            return
        context = context or get_current()  # as the SDK: an empty context is the current one, too
        now = time_ns()
        is_sampled = consumer._sdk_config.exemplar_filter.should_sample(value, now, labels, context)
        measurement = _Measurement(value, now, histogram, context, labels)
        for aggregation in aggregations:
            aggregation.aggregate(measurement, is_sampled)


class _Measurement:
    """What aggregations read of the SDK's ``Measurement``, which would clean the labels again."""

    __slots__ = ("attributes", "context", "instrument", "time_unix_nano", "value")

    def __init__(self, value: float, now: int, instrument: Any, context: Context, attributes: Labels) -> None:
        self.value = value
        self.time_unix_nano = now
        self.instrument = instrument
        self.context = context
        self.attributes = attributes


def _consumer_of(histogram: Histogram) -> Any:
    """Return what takes the histogram's measurements in the SDK; ``None`` if any of it has an unknown shape."""
    if not type(histogram).__module__.startswith("opentelemetry.sdk.metrics."):
        return None  # the API's, a proxy of it, or another SDK's: the SDK may not even be installed
    try:
        from opentelemetry.sdk.metrics import _internal
        from opentelemetry.sdk.metrics._internal.instrument import _Histogram
        from opentelemetry.sdk.metrics._internal.measurement_consumer import SynchronousMeasurementConsumer

        is_known = type(histogram) is _Histogram and _shape(_internal) in _KNOWN_SHAPES
        consumer = histogram._measurement_consumer if is_known else None  # type: ignore[attr-defined]
    except (ImportError, AttributeError):
        return None
    return consumer if type(consumer) is SynchronousMeasurementConsumer else None


def _shape(internal: Any) -> int:
    """Return a checksum of what `_STEPS` use.

    Raises:
        AttributeError: One of them is not there, or is not a plain function, as when it is wrapped or compiled.
    """
    names = list(internal.measurement.Measurement.__match_args__)
    for step in _STEPS:
        function = attrgetter(step)(internal)
        if type(function) is not FunctionType:
            raise AttributeError(step)
        # Sorted, because Python's versions order them differently; the names themselves are the same in all.
        names += sorted(set(_names(function.__code__)))
    return crc32(" ".join(names).encode())


def _names(code: CodeType) -> Iterator[str]:
    """Yield the names that code uses, including the functions and comprehensions inside it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _aggregations(histogram: Any, consumer: Any, readers: Mapping[Any, Any], labels: Labels) -> tuple[Any, ...]:
    """Return where each reader adds up measurements with these labels; nothing if a place may move."""
    from opentelemetry.sdk.metrics._internal._view_instrument_match import _hash_attributes
    from opentelemetry.sdk.metrics._internal.exemplar import (
        AlwaysOffExemplarFilter,
        AlwaysOnExemplarFilter,
        TraceBasedExemplarFilter,
    )

    filters = (TraceBasedExemplarFilter, AlwaysOnExemplarFilter, AlwaysOffExemplarFilter)
    if type(consumer._sdk_config.exemplar_filter) not in filters:
        return ()
    if not all(type(value) in _UNCHANGEABLE for value in labels.values()):
        return ()
    key = _hash_attributes(labels)
    found = []
    for storage in readers.values():
        for match in storage._get_or_init_view_instrument_match(histogram):
            aggregation = match._attributes_aggregation.get(key)  # none above the cardinality limit
            if not _keeps_all(match) or not _adds_up(aggregation, labels):
                return ()
            found.append(aggregation)
    return tuple(found)


def _keeps_all(match: Any) -> bool:
    """Tell whether a view only chooses how to add up, and its reader's temporality keeps what was added up."""
    view = match._view
    return view._name is None and view._attribute_keys is None and not match._reset_on_collect


def _adds_up(aggregation: Any, labels: Labels) -> bool:
    """Tell whether an aggregation is one of the SDK's own, exemplars included, and has exactly these labels."""
    from opentelemetry.sdk.metrics._internal import aggregation as own
    from opentelemetry.sdk.metrics._internal.exemplar import (
        AlignedHistogramBucketExemplarReservoir,
        SimpleFixedSizeExemplarReservoir,
    )

    aggregations = (
        own._ExplicitBucketHistogramAggregation,
        own._ExponentialBucketHistogramAggregation,
        own._SumAggregation,
        own._LastValueAggregation,
    )
    reservoirs = (AlignedHistogramBucketExemplarReservoir, SimpleFixedSizeExemplarReservoir)
    return (
        type(aggregation) in aggregations
        and type(aggregation._reservoir) in reservoirs
        and aggregation._attributes == labels
    )
