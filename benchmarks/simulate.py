"""A fleet on this machine: processes of traced runs at a bounded rate, and what became of each of their spans.

usage: python -m benchmarks.simulate ENDPOINT RUNS_PER_SECOND SECONDS      runs one process of the fleet
"""

import ipaddress
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult

import otel_callbacks
from benchmarks import programs

SERVICE = "otel-callbacks-simulation"
_ROOT = Path(__file__).parent.parent
_ALWAYS = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_SDK_DISABLED": ""}
"""Make spans, and send them where they are counted, however this machine is set up."""


class Fate(NamedTuple):
    """What became of the spans of one process or of all.

    Everything except `runs` and `seconds` is a number of spans. `made` is `sampled_out` + `queue_full` + `sent`, and
    `sent` is `accepted` + `export_failed`.
    """

    runs: int
    seconds: float
    """From the first run to the last, without the flush at the end."""
    made: int
    """Decisions of the sampler."""
    sampled_out: int
    queue_full: int
    """Ended, and pushed out of the batch processor's full queue."""
    sent: int
    """Handed to the exporter."""
    accepted: int
    export_failed: int
    """Refused, or not answered within the exporter's time limit."""


class _Sampler(Sampler):
    """Counts the decisions of the sampler that `setup` chose."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler
        self.made = self.sampled_out = 0

    def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
        result = self._sampler.should_sample(*args, **kwargs)
        self.made += 1
        self.sampled_out += result.decision is not Decision.RECORD_AND_SAMPLE
        return result

    def get_description(self) -> str:
        return self._sampler.get_description()


class _Ended(SpanProcessor):
    """Counts the spans that the batch processor receives."""

    def __init__(self) -> None:
        self.spans = 0

    def on_end(self, span: ReadableSpan) -> None:
        self.spans += 1


class _Exports:
    """Counts the spans that OTLP exporters receive and send; patches their class, because `setup` makes them itself."""

    def __init__(self) -> None:
        self.sent = self.accepted = 0
        export = OTLPSpanExporter.export

        def counted(exporter: OTLPSpanExporter, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            self.sent += len(spans)
            result = export(exporter, spans)
            if result is SpanExportResult.SUCCESS:
                self.accepted += len(spans)
            return result

        OTLPSpanExporter.export = counted  # type: ignore[method-assign, assignment]


def one_process(endpoint: str, rate: float, seconds: float) -> Fate:
    """Run LCEL chains, at most `rate` per second, then send everything that is left."""
    exports, ended = _Exports(), _Ended()
    telemetry = otel_callbacks.setup(SERVICE, endpoint=endpoint)
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        raise TypeError(provider)
    sampler = provider.sampler = _Sampler(provider.sampler)
    provider.add_span_processor(ended)
    chain = programs.lcel()
    started = due = time.monotonic()
    runs = 0
    while (now := time.monotonic()) < started + seconds:
        if now < due:
            time.sleep(due - now)
        chain.invoke({"question": "How is it?"}, {"callbacks": [telemetry.handler]})
        runs += 1
        due = max(due + 1 / rate, now)  # a late run is not made up for: the rate is a bound
    duration = time.monotonic() - started
    provider.force_flush()
    telemetry.shutdown()
    return Fate(
        runs=runs,
        seconds=duration,
        made=sampler.made,
        sampled_out=sampler.sampled_out,
        queue_full=ended.spans - exports.sent,
        sent=exports.sent,
        accepted=exports.accepted,
        export_failed=exports.sent - exports.accepted,
    )


def fleet(endpoint: str, processes: int, rate: float, seconds: float) -> list[Fate]:
    """Run `processes` processes side by side, together at most `rate` runs per second.

    Raises:
        ValueError: `endpoint` is not on this machine.
    """
    require_loopback(endpoint)
    command = [sys.executable, "-m", "benchmarks.simulate", endpoint, str(rate / processes), str(seconds)]
    environment = {**os.environ, **_ALWAYS}
    fleet: list[subprocess.Popen[str]] = []
    try:
        fleet.extend(
            subprocess.Popen(command, cwd=_ROOT, env=environment, stdout=subprocess.PIPE, text=True)
            for _ in range(processes)
        )
        outputs = [process.communicate()[0] for process in fleet]
    finally:
        for process in fleet:
            process.kill()
    failures = sum(process.returncode != 0 for process in fleet)
    if failures:
        raise RuntimeError(f"{failures} of {processes} processes failed: see above")
    return [Fate(**json.loads(output)) for output in outputs]


def require_loopback(endpoint: str) -> None:
    """Refuse an address that is not this machine's: a load test may break what it hits.

    Raises:
        ValueError: It belongs to another machine, or is not an address.
    """
    host = urlsplit(endpoint).hostname or ""
    try:
        if host == "localhost" or ipaddress.ip_address(host).is_loopback:
            return
    except ValueError:
        pass
    raise ValueError(f"{endpoint}: must be on this machine, such as http://127.0.0.1:4318")


def total(fates: Iterable[Fate]) -> Fate:
    """Sum up all columns, but take the longest of the seconds."""
    rows = list(fates)
    sums: list[Any] = [sum(column) for column in zip(*rows, strict=True)]
    return Fate(*sums)._replace(seconds=max(fate.seconds for fate in rows))


def as_json(fates: Sequence[Fate]) -> dict[str, Any]:
    """Return the sum, and each process separately."""
    return {"total": total(fates)._asdict(), "processes": [fate._asdict() for fate in fates]}


def as_text(fates: Sequence[Fate]) -> str:
    """Lay out the sum."""
    whole = total(fates)
    per_second = whole.runs / whole.seconds
    lines = [f"{whole.runs} runs of {len(fates)} processes in {whole.seconds:.1f} s: {per_second:.1f} per second", ""]
    rows = {
        "made": whole.made,
        "sampled out": whole.sampled_out,
        "dropped, queue full": whole.queue_full,
        "sent": whole.sent,
        "dropped, export failed": whole.export_failed,
        "accepted": whole.accepted,
    }
    lines += [f"  {name:24}{spans:>10}" for name, spans in rows.items()]
    return "\n".join(
        [*lines, "", "All figures below the first line are spans; made = sampled out + queue full + sent."]
    )


if __name__ == "__main__":
    print(json.dumps(one_process(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))._asdict()))
