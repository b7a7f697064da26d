"""Where runs go: the tracer, the table and the instruments of a pair of providers, shared by all handlers on them."""

import logging
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from opentelemetry import metrics, trace

from otel_callbacks import semconv
from otel_callbacks._metrics.instruments import Instruments
from otel_callbacks._process.forks import after_fork_in_child
from otel_callbacks._runs.run import OpenRun
from otel_callbacks._runs.table import RunTable, table_of
from otel_callbacks._version import SCOPE, __version__

logger = logging.getLogger("otel_callbacks")

_NO_TRACES = trace.NoOpTracerProvider()
_NO_METRICS = metrics.NoOpMeterProvider()
_Failure = tuple[str, Exception]
"""The kind of a failure, and what was raised."""


@dataclass(slots=True, eq=False)
class Destination:
    """A pair of providers, and what this package has on them."""

    tracer_provider: trace.TracerProvider
    meter_provider: metrics.MeterProvider
    tracer: trace.Tracer
    table: RunTable
    instruments: Instruments
    dialect: semconv.Dialect

    def failed(self, kind: str, error: BaseException) -> None:
        """Count a failure of this package, and log the first of each kind."""
        self.instruments.failed(kind, error)

    def discrepancy(self, kind: str) -> None:
        """Count that what was reported contradicts itself, and log the first of each kind: no failure of this package.

        Kinds: ``end``, an end event that disagrees with how its run had been closed; ``usage``, token counts that no
        rule reconciles; ``cost``, a stated cost that cannot be one.
        """
        discrepancies = self.instruments.discrepancies
        discrepancies[kind,] += 1
        if discrepancies[kind,] == 1:
            logger.warning(
                "otel_callbacks got reports that contradict each other: %s (counted in %s)",
                kind,
                semconv.DISCREPANCIES.name,
            )

    def collect(
        self,
        extract: Callable[[Any, dict[str, Any]], None],
        source: Any,
        out: dict[str, Any],
        kind: str = "mapping",
    ) -> None:
        """Run an extractor; one that fails loses only the keys it has not yet written."""
        try:
            extract(source, out)
        except Exception as error:  # noqa: BLE001 - whatever a hostile value raises
            self.failed(kind, error)


class Destinations:
    """The destinations of one handler: on the providers it was given, or on the global ones, whenever these are set.

    Args:
        tracer_provider: Where spans go; ``None``: the global provider.
        meter_provider: Where measurements go; ``None``: the global provider.
        dialect: Whose names to emit.
    """

    def __init__(self, tracer_provider: Any, meter_provider: Any, dialect: semconv.Dialect) -> None:
        self.tracer_provider: trace.TracerProvider | None = tracer_provider
        self.meter_provider: metrics.MeterProvider | None = meter_provider
        self.dialect = dialect
        self.key = uuid4().hex
        """Finds this object again after its holder was pickled: providers cannot be pickled."""
        self._opened: list[Destination] = []

    def current(self) -> Destination:
        """Return where a run that starts now goes."""
        # Asked at every start: an application may set its global providers after it made the handler.
        try:
            tracer_provider = self.tracer_provider or trace.get_tracer_provider()
            meter_provider = self.meter_provider or metrics.get_meter_provider()
        except Exception:  # noqa: BLE001 - the environment names a provider that cannot be loaded
            return self._current_where_possible()
        return self._at(tracer_provider, meter_provider)

    def all(self) -> list[Destination]:
        """Return every destination used so far, newest first."""
        return list(self._opened)

    def count_redaction(self, rule: str, count: int) -> None:
        """Count values that a rule of redaction removed."""
        self.current().instruments.redactions[rule,] += count

    def find(self, key: int) -> tuple[Destination, OpenRun] | None:
        """Return the open run of that id; one opened before a global provider was set is at an older destination."""
        for destination in self._opened:
            run = destination.table.open.get(key)
            if run is not None:
                return destination, run
        return None

    def _at(self, tracer_provider: trace.TracerProvider, meter_provider: metrics.MeterProvider) -> Destination:
        if self._opened:
            newest = self._opened[0]
            if newest.tracer_provider is tracer_provider and newest.meter_provider is meter_provider:
                return newest
        return self._open(tracer_provider, meter_provider)

    def _current_where_possible(self) -> Destination:
        """Return where runs go while there is no global provider for one of the signals."""
        tracer_provider: trace.TracerProvider = _NO_TRACES
        meter_provider: metrics.MeterProvider = _NO_METRICS
        failures: list[_Failure] = []
        try:
            tracer_provider = self.tracer_provider or trace.get_tracer_provider()
        except Exception as error:  # noqa: BLE001
            failures.append(("get_tracer_provider", error))
        try:
            meter_provider = self.meter_provider or metrics.get_meter_provider()
        except Exception as error:  # noqa: BLE001
            failures.append(("get_meter_provider", error))
        destination = self._at(tracer_provider, meter_provider)
        for failure in failures:
            destination.failed(*failure)
        return destination

    def _open(self, tracer_provider: trace.TracerProvider, meter_provider: metrics.MeterProvider) -> Destination:
        table = table_of(tracer_provider)
        # Each signal works without the other, and the application is told which one does not.
        failures: list[_Failure] = []
        instruments = _instruments_of(meter_provider, self.dialect, failures)
        instruments.tables.add(table)
        tracer = _tracer_of(tracer_provider, self.dialect, failures)
        destination = Destination(tracer_provider, meter_provider, tracer, table, instruments, self.dialect)
        self._opened.insert(0, destination)
        for failure in failures:
            destination.failed(*failure)
        return destination


def _tracer_of(provider: trace.TracerProvider, dialect: semconv.Dialect, failures: list[_Failure]) -> trace.Tracer:
    try:
        return provider.get_tracer(SCOPE, __version__, schema_url=dialect.schema_url)
    except Exception as error:  # noqa: BLE001 - a provider of the application
        failures.append(("get_tracer", error))
        return _NO_TRACES.get_tracer(SCOPE)


_instruments: "weakref.WeakKeyDictionary[metrics.MeterProvider, dict[str, Instruments]]" = weakref.WeakKeyDictionary()
_opening = threading.RLock()


def _instruments_of(provider: metrics.MeterProvider, dialect: semconv.Dialect, failures: list[_Failure]) -> Instruments:
    """Return the one set of a provider: a second one would register the observable instruments twice."""
    with _opening:
        by_dialect = _instruments.setdefault(provider, {})
        if dialect.name not in by_dialect:
            try:
                instruments = Instruments(provider.get_meter(SCOPE, __version__, dialect.schema_url), dialect)
            except Exception as error:  # noqa: BLE001 - a provider of the application
                failures.append(("get_meter", error))
                instruments = Instruments(_NO_METRICS.get_meter(SCOPE), dialect)
            by_dialect[dialect.name] = instruments
        return by_dialect[dialect.name]


def _renew_lock() -> None:
    global _opening  # noqa: PLW0603 - a lock held by another thread at fork would never be released here
    _opening = threading.RLock()


after_fork_in_child(_renew_lock)
