"""Where telemetry goes: tracer, open runs and instruments of a pair of providers, shared by all handlers on them."""

import logging
import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from opentelemetry import metrics, trace

from otel_callbacks import semconv
from otel_callbacks._metrics.instruments import Instruments
from otel_callbacks._runs.run import OpenRun, RunTable, table_of
from otel_callbacks._version import __version__

logger = logging.getLogger("otel_callbacks")

SCOPE = "otel_callbacks"


@dataclass(slots=True, eq=False)
class Pipeline:
    """One destination of runs."""

    tracer_provider: trace.TracerProvider
    meter_provider: metrics.MeterProvider
    tracer: trace.Tracer
    table: RunTable
    instruments: Instruments
    dialect: semconv.Dialect

    def failed(self, kind: str, error: BaseException) -> None:
        """Count a failure of the tracer itself; log the first of each kind, without the message (it may be content)."""
        errors = self.instruments.errors
        errors[kind,] += 1
        if errors[kind,] == 1:
            logger.warning(
                "otel_callbacks failed in %s: %s (counted in %s)", kind, type(error).__name__, semconv.ERRORS.name
            )

    def collect(self, extract: Callable[[Any, dict[str, Any]], None], source: Any, out: dict[str, Any]) -> None:
        """The one guard around extractors: a failing one loses only the keys it had not written."""
        try:
            extract(source, out)
        except Exception as error:  # noqa: BLE001 - whatever a hostile value raises
            self.failed("mapping", error)


_instruments: "weakref.WeakKeyDictionary[metrics.MeterProvider, dict[str, Instruments]]" = weakref.WeakKeyDictionary()
_opening = threading.RLock()


def _instruments_of(provider: metrics.MeterProvider, dialect: semconv.Dialect) -> Instruments:
    """One set per provider: a second one would register the observable instruments twice."""
    with _opening:
        by_dialect = _instruments.setdefault(provider, {})
        if dialect.name not in by_dialect:
            meter = provider.get_meter(SCOPE, __version__, dialect.schema_url)
            by_dialect[dialect.name] = Instruments(meter, dialect)
        return by_dialect[dialect.name]


def _renew_lock() -> None:
    global _opening  # noqa: PLW0603 - a lock held by another thread at fork would never be released here
    _opening = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


class Destination:
    """The providers a handler was given, or the global ones: also those set after the handler was made."""

    def __init__(self, tracer_provider: Any, meter_provider: Any, dialect: semconv.Dialect) -> None:
        self.tracer_provider: trace.TracerProvider | None = tracer_provider
        self.meter_provider: metrics.MeterProvider | None = meter_provider
        self.dialect = dialect
        self.key = uuid4().hex
        """Finds the destination again after its holder was pickled: providers do not travel."""
        self._pipelines: list[Pipeline] = []

    def current(self) -> Pipeline:
        """The pipeline a run that starts now belongs to."""
        tracer_provider = self.tracer_provider or trace.get_tracer_provider()
        meter_provider = self.meter_provider or metrics.get_meter_provider()
        if self._pipelines:
            newest = self._pipelines[0]
            if newest.tracer_provider is tracer_provider and newest.meter_provider is meter_provider:
                return newest
        return self._open(tracer_provider, meter_provider)

    def all(self) -> list[Pipeline]:
        """Every pipeline used so far, newest first."""
        return list(self._pipelines)

    def find(self, key: int) -> tuple[Pipeline, OpenRun] | None:
        """The open run of that id; one opened before a global provider was set is in an older pipeline."""
        for pipeline in self._pipelines:
            run = pipeline.table.open.get(key)
            if run is not None:
                return pipeline, run
        return None

    def _open(self, tracer_provider: trace.TracerProvider, meter_provider: metrics.MeterProvider) -> Pipeline:
        table = table_of(tracer_provider)
        instruments = _instruments_of(meter_provider, self.dialect)
        instruments.tables.add(table)
        tracer = tracer_provider.get_tracer(SCOPE, __version__, schema_url=self.dialect.schema_url)
        pipeline = Pipeline(tracer_provider, meter_provider, tracer, table, instruments, self.dialect)
        self._pipelines.insert(0, pipeline)
        return pipeline
