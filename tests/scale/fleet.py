"""Two processes that send halves of the same traces through different gateways, and the fate of the traces."""

import itertools
import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.error import HTTPError

from backends import HTTP_NOT_FOUND, Prometheus, get
from native_scale import Collector, ScaleStack
from native_stack import HOST, wait_until
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation
from opentelemetry.sdk.resources import Resource
from scale_load import FAILED_EVERY, SPANS_PER_TRACE, trace_id

LOAD = Path(__file__).resolve().parents[2] / "scripts/scale_load.py"
ARRIVAL_S = 90.0
SAMPLING = {
    "OTELCOL_TAIL_WAIT": "12s",
    "OTELCOL_TAIL_WAIT_AFTER_ROOT": "6s",
    "OTELCOL_TAIL_PERCENT": "10",
}
"""Earlier decisions than shipped, so that a test sees them."""

_tags = (f"t{number}" for number in itertools.count())


class Load(NamedTuple):
    """What was sent: tag and number of the traces, and when the first and the last half of each was accepted."""

    tag: str
    count: int
    first: dict[int, float]
    last: dict[int, float]
    spans: int

    @property
    def failed(self) -> list[int]:
        """Numbers of the traces in which a span failed."""
        return list(range(0, self.count, FAILED_EVERY))


class Fleet:
    """The tiers as tests use them."""

    def __init__(self, stack: ScaleStack) -> None:
        self.stack = stack
        self.jaeger = f"http://{HOST}:{stack.ui}"
        self.prometheus = Prometheus(f"http://{HOST}:{stack.prometheus_port}")
        self.long_term_store = Prometheus(f"http://{HOST}:{stack.store_port}")
        self.stores = (self.prometheus, self.long_term_store)

    def collector(self, number: int) -> SimpleNamespace:
        """Return a gateway in the form of the one collector of a stack."""
        return collector_at(self.stack.gateways[number].http)

    def load(self, count: int, rate: float = 100.0, meanwhile: Callable[[], object] | None = None) -> Load:
        """Send `count` traces from two processes at once, and call `meanwhile` while they run."""
        tag = next(_tags)
        processes = [
            subprocess.Popen(
                [
                    *(sys.executable, str(LOAD), half, "0", str(count), "--tag", tag, "--rate", str(rate)),
                    *("--to", f"{HOST}:{gateway.grpc}"),
                ],
                stdout=subprocess.PIPE,
                text=True,
            )
            for half, gateway in zip("ab", self.stack.gateways, strict=True)
        ]
        try:
            if meanwhile:
                meanwhile()
            reports = [json.loads(process.communicate(timeout=ARRIVAL_S * 2)[0]) for process in processes]
        finally:
            for process in processes:
                process.kill()
        halves = {number: [report["accepted"][str(number)] for report in reports] for number in range(count)}
        return Load(
            tag,
            count,
            {number: min(times) for number, times in halves.items()},
            {number: max(times) for number, times in halves.items()},
            sum(report["spans"] for report in reports),
        )

    def accepted(self) -> int:
        """Count the spans that the running gateways have accepted."""
        return _total("receiver_accepted_spans", self.stack.gateways)

    def kept(self) -> int:
        """Count the spans that the running samplers have written to Kafka."""
        return _total("exporter_sent_spans", self.stack.samplers)

    def stored(self, load: Load, numbers: Iterable[int] | None = None) -> dict[int, int]:
        """Count the spans in Jaeger by number of the trace."""
        selection = range(load.count) if numbers is None else numbers
        return {number: self.spans(trace_id(load.tag, number)) for number in selection}

    def spans(self, trace: str) -> int:
        """Count a trace's different spans in the store, once the store can be read."""
        return len(span_ids(self.jaeger, trace))

    def search(self, service: str, **attributes: str) -> set[str]:
        """Return the ids of the traces that have a span of this service with these attributes."""
        query = {"service": service, "tags": json.dumps(attributes), "limit": 100}
        return {trace["traceID"] for trace in get(f"{self.jaeger}/api/traces", **query)["data"] or []}

    def not_whole(self, load: Load, numbers: Iterable[int]) -> list[int]:
        """Wait for these traces, and return those that have not arrived with every span."""
        missing = list(numbers)

        def arrived() -> bool:
            missing[:] = [n for n, spans in self.stored(load, missing).items() if spans != SPANS_PER_TRACE]
            return not missing

        wait_until(arrived, ARRIVAL_S)
        return missing

    def assert_failed_traces_are_whole(self, load: Load) -> None:
        """Assert that every failed trace is there with every span, and that no trace is there in part."""
        assert self.not_whole(load, load.failed) == []
        partial: dict[int, int] = {}

        def none_partial() -> bool:
            partial.clear()
            partial.update({n: spans for n, spans in self.stored(load).items() if spans not in (0, SPANS_PER_TRACE)})
            return not partial

        wait_until(none_partial, ARRIVAL_S)
        assert partial == {}

    @contextmanager
    def without(self, *programs: Any) -> Any:
        """Kill these programs with SIGKILL at the start of the block, and start them again at its end."""
        for program in programs:
            program.kill()
        try:
            yield
        finally:
            for program in programs:
                program.start()


def collector_at(port: int) -> SimpleNamespace:
    """Return whatever accepts OTLP/HTTP at this port in the form of the one collector of a stack."""
    return SimpleNamespace(ports=SimpleNamespace(otlp_http=port), url=lambda port: f"http://{HOST}:{port}")


def _total(counter: str, collectors: Iterable[Collector]) -> int:
    return int(summed(f"otelcol_{counter}", (metrics_page(one.metrics) for one in collectors)))


def summed(counter: str, pages: Iterable[str]) -> float:
    """Return the sum of a counter over the metrics pages of programs."""
    return sum(float(value) for page in pages for value in re.findall(rf"^{counter}\S* (\S+)$", page, re.MULTILINE))


def last_values(store: Prometheus, job: str) -> dict[tuple[tuple[str, str], ...], float]:
    """Return the last value of each series of the tracer for a job, from any writer."""
    series = store.now(f'last_over_time({{job="{job}",__name__=~"otel_callbacks.*|gen_ai.*"}}[1h])')
    writers = {"cluster", "replica"}
    return {
        tuple(sorted((k, v) for k, v in one["metric"].items() if k not in writers)): float(one["value"][1])
        for one in series
    }


def send_exponential(collector: SimpleNamespace, job: str) -> None:
    """Send one exponential histogram, ``lasting_seconds``, of a hundred values up to 1."""
    exporter = OTLPMetricExporter(
        f"{collector.url(collector.ports.otlp_http)}/v1/metrics",
        preferred_aggregation={Histogram: ExponentialBucketHistogramAggregation()},
    )
    provider = MeterProvider([PeriodicExportingMetricReader(exporter)], resource=Resource({"service.name": job}))
    durations = provider.get_meter("test").create_histogram("lasting", unit="s")
    for number in range(1, 101):
        durations.record(number / 100)
    provider.shutdown()


def metrics_page(port: int) -> str:
    """Fetch the metrics page of a program."""
    with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=10) as answer:
        return answer.read().decode()


def span_ids(jaeger: str, trace: str) -> set[str]:
    """Return the ids of a trace's spans in the store, once the store can be read."""
    answer: dict[str, Any] = {}

    def read() -> bool:
        try:
            # Version 3 of the API treats a missing trace as an error.
            answer.update(get(f"{jaeger}/api/traces/{trace}"))
        except HTTPError as error:
            return error.code == HTTP_NOT_FOUND
        return True

    assert wait_until(read, ARRIVAL_S)
    return {span["spanID"] for one in answer.get("data") or [] for span in one["spans"]}
