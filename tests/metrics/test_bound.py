import gc
import inspect
import logging
import os
import random
import weakref
from contextlib import suppress
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage
from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.metrics import NoOpMeter
from opentelemetry.metrics._internal import _ProxyMeterProvider
from opentelemetry.sdk import metrics as sdk
from opentelemetry.sdk import version
from opentelemetry.sdk.metrics import _internal
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import (
    DropAggregation,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    LastValueAggregation,
    SumAggregation,
    View,
)
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from otel_callbacks import semconv
from otel_callbacks._metrics import labels
from otel_callbacks._metrics.bound import BoundHistogram
from otel_callbacks._metrics.labels import KeptLabels
from tests.support.clock import StillClock
from tests.support.models import ScriptedChat, usage
from tests.support.recorded_spans import RecordedSpans

BINDABLE = tuple(map(int, version.__version__.split(".")[:3])) >= (1, 45, 2)
"""Whether this SDK has the shape that `bound` knows; older ones go through ``record``."""
needs_binding = pytest.mark.skipif(not BINDABLE, reason="this SDK's histograms are not bound")
CLOCKS = (
    "opentelemetry.sdk.metrics._internal.instrument.time_ns",
    "opentelemetry.sdk.metrics._internal._view_instrument_match.time_ns",
    "opentelemetry.sdk.metrics._internal.metric_reader_storage.time_ns",
    "otel_callbacks._metrics.bound.time_ns",
)


def in_span(number: int, *, sampled: bool) -> Context:
    """Return a context with a span of that number."""
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    return trace.set_span_in_context(NonRecordingSpan(SpanContext(number, number, is_remote=False, trace_flags=flags)))


SETS = (
    {},
    {"model": "m"},
    {"model": "m", "agent": "a"},
    {"model": "m", "agent": "b"},
    {"model": "", "port": 1},
    {"model": "m", "port": True},
    {"port": 1.0},
    {"tags": ["x", "y"]},
    {"odd": None, "": "no key"},
)
CONTEXTS = (None, Context(), in_span(1, sampled=True), in_span(2, sampled=True), in_span(3, sampled=False))


class OddFilter(sdk.ExemplarFilter):
    """Samples what has an agent; another implementation than the SDK's."""

    def should_sample(self, value, time_unix_nano, attributes, context):
        return "agent" in (attributes or {})


class OddReservoir(sdk.SimpleFixedSizeExemplarReservoir):
    """Changes the labels that it is offered."""

    def __init__(self, **_):
        super().__init__(size=2)

    def offer(self, value, time_unix_nano, attributes, context):
        super().offer(value, time_unix_nano, {**attributes, "reservoir": "odd"}, context)


FILTERS = (sdk.TraceBasedExemplarFilter, sdk.AlwaysOnExemplarFilter, sdk.AlwaysOffExemplarFilter, OddFilter)
AGGREGATIONS = (
    None,
    ExplicitBucketHistogramAggregation((1, 5, 25)),
    ExplicitBucketHistogramAggregation((2.5,), record_min_max=False),
    ExponentialBucketHistogramAggregation(max_size=4),
    SumAggregation(),
    LastValueAggregation(),
    DropAggregation(),
)
HAS_LIMIT = "aggregation_cardinality_limit" in inspect.signature(View).parameters


@st.composite
def views(draw):
    """Arguments of a view that the histogram matches."""
    arguments = {
        "instrument_name": draw(st.sampled_from(["h", "*"])),
        "aggregation": draw(st.sampled_from(AGGREGATIONS)),
    }
    if draw(st.booleans()):
        arguments["attribute_keys"] = draw(st.sampled_from([set(), {"model"}, {"model", "agent", "port"}]))
    if arguments["instrument_name"] == "h" and draw(st.booleans()):
        arguments["name"] = draw(st.sampled_from(["renamed", "h2"]))
    if draw(st.integers(0, 4)) == 0:
        arguments["exemplar_reservoir_factory"] = lambda _: OddReservoir
    if HAS_LIMIT and draw(st.booleans()):
        arguments["aggregation_cardinality_limit"] = draw(st.integers(1, 3))
    return arguments


@st.composite
def readers(draw):
    """Arguments of a reader."""
    temporality = draw(st.sampled_from([AggregationTemporality.CUMULATIVE] * 3 + [AggregationTemporality.DELTA]))
    arguments = {"preferred_temporality": {sdk.Histogram: temporality}}
    aggregation = draw(st.sampled_from(AGGREGATIONS))
    if aggregation is not None and draw(st.booleans()):
        arguments["preferred_aggregation"] = {sdk.Histogram: aggregation}
    return arguments


values = st.one_of(
    st.integers(0, 60), st.floats(0, 60), st.sampled_from([-1, float("nan"), float("inf"), 0, 0.0, 1e300, 10**30])
)
measurements = st.tuples(st.just("measure"), values, st.integers(0, len(SETS) - 1), st.integers(0, len(CONTEXTS) - 1))
steps = st.one_of(
    measurements,
    measurements,
    measurements,
    measurements,
    st.tuples(st.just("collect"), st.integers(0, 2)),
    st.tuples(st.sampled_from(["disable", "enable", "remove", "shut down"])),
    st.tuples(st.just("add"), readers()),
)


class World:
    """A meter provider with one histogram, which is measured on in one of two ways."""

    def __init__(self, reader_arguments, view_arguments, exemplar_filter, *, bind):
        self.readers = [InMemoryMetricReader(**arguments) for arguments in reader_arguments]
        self.provider = sdk.MeterProvider(
            list(self.readers),
            views=[View(**arguments) for arguments in view_arguments],
            exemplar_filter=exemplar_filter(),
            shutdown_on_exit=False,
        )
        self.meter = self.provider.get_meter("m")
        histogram = self.meter.create_histogram("h", explicit_bucket_boundaries_advisory=[1, 10])
        self.histogram = BoundHistogram(histogram) if bind else histogram

    def do(self, kind, *arguments):
        """Take a step, and return what can be seen of it."""
        try:
            return getattr(self, kind.replace(" ", "_"))(*arguments)
        except Exception as error:  # noqa: BLE001 - the SDK's own, as of values that its exponential buckets cannot hold
            return repr(error)

    def measure(self, value, labels, context):
        self.histogram.record(value, KEPT[labels], CONTEXTS[context])

    def collect(self, reader):
        if reader < len(self.readers):
            return seen(self.readers[reader])
        return None

    def add(self, arguments):
        if hasattr(self.provider, "add_metric_reader"):
            self.readers.append(InMemoryMetricReader(**arguments))
            self.provider.add_metric_reader(self.readers[-1])

    def remove(self):
        if hasattr(self.provider, "remove_metric_reader") and self.readers:
            self.provider.remove_metric_reader(self.readers.pop())

    def disable(self):
        self._enable(False)

    def enable(self):
        self._enable(True)

    def _enable(self, enabled):
        if hasattr(self.meter, "_set_meter_config"):
            self.meter._set_meter_config(_internal._MeterConfig(is_enabled=enabled))

    def shut_down(self):
        with suppress(Exception):  # the readers that were removed cannot be shut down again
            self.provider.shutdown()


KEPT = [KeptLabels(labels) for labels in SETS]


def seen(reader):
    """Collect, and return each metric's name with its points as text: values, labels, times and exemplars."""
    data = reader.get_metrics_data()
    return [
        (metric.name, type(metric.data).__name__, [repr(point) for point in metric.data.data_points])
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
    ]


@given(
    st.lists(readers(), max_size=2),
    st.lists(views(), max_size=2),
    st.sampled_from((sdk.TraceBasedExemplarFilter, *FILTERS)),
    st.lists(steps, min_size=4, max_size=40),
)
@settings(max_examples=int(os.environ.get("OTEL_CALLBACKS_TEST_EXAMPLES", "60")), deadline=None)
def test_both_ways_give_the_same_points(reader_arguments, view_arguments, exemplar_filter, taken):
    """Bound or not, a histogram has the same points, exemplars and times under any views, readers and filters."""
    clock = StillClock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.root.manager, "disable", logging.CRITICAL)  # the SDK warns of what it ignores
        for name in CLOCKS:
            patch.setattr(name, clock)
        pair = [World(reader_arguments, view_arguments, exemplar_filter, bind=bind) for bind in (False, True)]
        for number, step in enumerate([*taken, ("collect", 0), ("collect", 1), ("collect", 2)]):
            clock.now_ns = 1_000 + number
            results = []
            for world in pair:
                random.seed(number)  # reservoirs draw lots
                results.append(world.do(*step))
            assert results[0] == results[1]


LABELS = KeptLabels(model="m", agent="a")


def histogram_of(*metric_readers, meter="m", **options):
    """Return a bound histogram of a new provider."""
    provider = sdk.MeterProvider(metric_readers or [InMemoryMetricReader()], shutdown_on_exit=False, **options)
    return BoundHistogram(provider.get_meter(meter).create_histogram("h"))


def is_bound(histogram, labels=LABELS):
    """Tell whether further measurements with these labels pass by ``record``."""
    histogram.record(1, labels, None)
    return bool(histogram._found[1].get(labels))


@needs_binding
@pytest.mark.parametrize("aggregation", AGGREGATIONS[:-1])
def test_known_aggregations_are_bound(aggregation):
    """With the newest SDK, cumulative readers are bound, whatever aggregation a view chooses."""
    view = View(instrument_name="h", aggregation=aggregation)
    assert is_bound(histogram_of(InMemoryMetricReader(), InMemoryMetricReader(), views=[view]))


@needs_binding
def test_a_handlers_second_call_passes_by_record(telemetry: RecordedSpans, monkeypatch):
    """A handler's first model call goes through ``record``; the second has the same labels and does not."""
    config = {"callbacks": [telemetry.new_handler()]}
    model = ScriptedChat(script=[AIMessage("hi", usage_metadata=usage(7, 5))] * 2)
    model.invoke("x", config)

    def fail(*_):
        pytest.fail("went through record")

    monkeypatch.setattr(sdk.Histogram, "record", fail)
    model.invoke("x", config)
    assert telemetry.count("gen_ai.client.token.usage") == 4
    assert telemetry.count("gen_ai.client.operation.duration") == 2


DELTA = InMemoryMetricReader, {"preferred_temporality": {sdk.Histogram: AggregationTemporality.DELTA}}
UNBOUND = {
    "delta": lambda: histogram_of(InMemoryMetricReader(), DELTA[0](**DELTA[1])),
    "renames": lambda: histogram_of(views=[View(instrument_name="h", name="renamed")]),
    "filters": lambda: histogram_of(views=[View(instrument_name="h", attribute_keys={"model", "agent"})]),
    "drops": lambda: histogram_of(views=[View(instrument_name="h", aggregation=DropAggregation())]),
    "reservoir": lambda: histogram_of(
        views=[View(instrument_name="h", exemplar_reservoir_factory=lambda _: OddReservoir)]
    ),
    "filter of exemplars": lambda: histogram_of(exemplar_filter=OddFilter()),
    "no reader": lambda: BoundHistogram(sdk.MeterProvider(shutdown_on_exit=False).get_meter("m").create_histogram("h")),
    "no SDK": lambda: BoundHistogram(NoOpMeter("m").create_histogram("h")),
    "proxy": lambda: BoundHistogram(_ProxyMeterProvider().get_meter("m").create_histogram("h")),
}


@pytest.mark.parametrize("case", UNBOUND)
def test_what_is_unknown_goes_through_record(case):
    """A measurement goes through ``record`` wherever its place may move, or where others take part in it."""
    assert not is_bound(UNBOUND[case]())


@needs_binding
@pytest.mark.parametrize("labels", [{"model": "m"}, KeptLabels(tags=["x"]), KeptLabels(model=None)])
def test_labels_that_may_change_go_through_record(labels):
    """Labels that are not kept, or that hold what the SDK has to clean, go through ``record``."""
    histogram = histogram_of()
    histogram.record(1, labels, None)
    assert not [place for place in histogram._found[1].values() if place]


@pytest.mark.parametrize("patched", [sdk.Histogram, _internal.SynchronousMeasurementConsumer])
def test_an_sdk_that_does_more_goes_through_record(patched, monkeypatch):
    """If a step that would be skipped is another one than that of the known SDK, ``record`` takes it."""
    name = "record" if patched is sdk.Histogram else "consume_measurement"
    original, calls = getattr(patched, name), []

    def also(*arguments, **options):
        calls.append(arguments)
        return original(*arguments, **options)

    monkeypatch.setattr(patched, name, also)
    histogram = histogram_of()
    for _ in range(3):
        assert not is_bound(histogram)
    assert len(calls) == 3


@needs_binding
def test_a_meter_that_is_disabled_later_measures_nothing():
    """A bound histogram is silent while its meter is disabled, and goes on afterwards."""
    reader = InMemoryMetricReader()
    meter = sdk.MeterProvider([reader], shutdown_on_exit=False).get_meter("m")
    histogram = BoundHistogram(meter.create_histogram("h"))
    assert is_bound(histogram)
    for enabled in (False, True):
        meter._set_meter_config(_internal._MeterConfig(is_enabled=enabled))
        histogram.record(1, LABELS, None)
    assert count(reader) == 2


@pytest.mark.parametrize("empty", [None, Context()])
def test_an_empty_context_is_the_current_one(empty):
    """Without a context, or with an empty one, the exemplar names the span that is current."""
    reader = InMemoryMetricReader()
    histogram = histogram_of(reader)
    histogram.record(1, LABELS, None)
    token = attach(in_span(1, sampled=True))
    histogram.record(2, LABELS, empty)
    detach(token)
    assert "span_id=1," in seen(reader)[0][2][0]


@pytest.mark.skipif(not HAS_LIMIT, reason="this SDK has no cardinality limit")
def test_labels_above_the_cardinality_limit_go_through_record():
    """A label set that the SDK counts in its overflow point is never taken for one with a place of its own."""
    histogram = histogram_of(views=[View(instrument_name="h", aggregation_cardinality_limit=1)])
    assert is_bound(histogram)
    assert not is_bound(histogram, KeptLabels(model="another"))


def count(reader):
    """Return how many measurements a collection reports now."""
    data = reader.get_metrics_data()
    return sum(
        point.count
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    )


@pytest.mark.parametrize("with_delta", [False, True])
def test_collections_lose_and_double_nothing(with_delta):
    """Threads that measure during collections are counted once each, by every reader."""
    cumulative, delta = InMemoryMetricReader(), DELTA[0](**DELTA[1])
    histogram = histogram_of(cumulative, *[delta] * with_delta)
    sums = []

    def measure():
        for _ in range(2000):
            histogram.record(1, LABELS, None)

    def collect():
        sums.extend((count(cumulative), count(delta) if with_delta else 0) for _ in range(50))

    threads = [Thread(target=target) for target in (measure, measure, collect)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(cumulative) == 4000
    assert [total for total, _ in sums] == sorted(total for total, _ in sums)
    if with_delta:
        assert sum(part for _, part in sums) + count(delta) == 4000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_child_goes_on_counting_on_its_own():
    """A child counts on from its parent's numbers; the parent does not see what the child measures."""
    reader = InMemoryMetricReader()
    histogram = histogram_of(reader)
    for _ in range(2):
        histogram.record(1, LABELS, None)
    child = os.fork()
    if child == 0:
        histogram.record(1, LABELS, None)
        os._exit(count(reader))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    assert count(reader) == 2


@needs_binding
def test_places_of_a_removed_reader_are_forgotten():
    """After a reader is gone, the next measurement lets go of everything that was remembered for it."""
    provider = sdk.MeterProvider(shutdown_on_exit=False)
    first, second = InMemoryMetricReader(), InMemoryMetricReader()
    histogram = BoundHistogram(provider.get_meter("m").create_histogram("h"))
    provider.add_metric_reader(first)
    provider.add_metric_reader(second)
    assert is_bound(histogram)
    gone = weakref.ref(histogram._found[1][LABELS][0])
    provider.remove_metric_reader(first)
    histogram.record(1, KeptLabels(model="another"), None)
    gc.collect()
    assert gone() is None
    assert count(second) == 2


def test_label_sets_above_the_cache_leave_nothing_behind(monkeypatch):
    """Label sets that are not kept are not remembered, so that places are as many as the sets the cache holds."""
    monkeypatch.setattr(labels, "_MAX_CACHED_SETS", 3)
    sets, histogram = labels.LabelSets(), histogram_of()
    for number in range(50):
        attributes = {semconv.REQUEST_MODEL: f"m-{number}"}
        histogram.record(1, sets.of(attributes, labels.MODEL), None)
        histogram.record(1, sets.of_model(attributes).input, None)
    assert len(histogram._found[1]) <= 2 * 3


def test_a_histogram_that_is_gone_takes_its_places_with_it():
    """Label sets and places are as short-lived as the histogram that remembers them."""
    histogram, kept = histogram_of(), KeptLabels(model="m")
    is_bound(histogram, kept)
    places = weakref.ref(histogram._histogram)
    del histogram
    gc.collect()
    assert places() is None
    assert gc.get_referrers(kept) == []
