"""A fleet on this machine: processes of traced runs at a bounded rate, and what became of each of their spans.

usage: python -m benchmarks.simulate ENDPOINT RUNS_PER_SECOND SECONDS    (one process of the fleet)
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
"""Whatever this machine is set up for, spans are made, and go where they are counted."""


class Fate(NamedTuple):
    """What became of the spans of one process or of all.

    Everything is a number of spans but `runs` and `seconds`. `made` is `sampled_out` + `queue_full` + `sent`, and
    `sent` is `accepted` + `export_failed`.
    """

    runs: int
    seconds: float
    """From the first run to the last, without the flush at the end."""
    made: int
    """What the sampler was asked for."""
    sampled_out: int
    queue_full: int
    """Ended, and pushed out of the batch processor's queue before they were sent."""
    sent: int
    """Given to the exporter."""
    accepted: int
    export_failed: int
    """Refused, or not answered within the exporter's time limit."""


class _Sampler(Sampler):
    """The one that `setup` chose, counted."""

    def __init__(self, chosen: Sampler) -> None:
        self._chosen = chosen
        self.made = self.sampled_out = 0

    def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
        result = self._chosen.should_sample(*args, **kwargs)
        self.made += 1
        self.sampled_out += result.decision is not Decision.RECORD_AND_SAMPLE
        return result

    def get_description(self) -> str:
        return self._chosen.get_description()


class _Ended(SpanProcessor):
    """Counts what the batch processor is given."""

    def __init__(self) -> None:
        self.spans = 0

    def on_end(self, span: ReadableSpan) -> None:
        self.spans += 1


class _Exports:
    """Counts what OTLP exporters are given and what comes of it, at their class: `setup` makes them by itself."""

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
    """Run LCEL chains, `rate` of them a second at most, then send all that is left."""
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
        due = max(due + 1 / rate, now)  # what is late is not made up for: the rate is a bound
    taken = time.monotonic() - started
    provider.force_flush()
    telemetry.shutdown()
    return Fate(
        runs=runs,
        seconds=taken,
        made=sampler.made,
        sampled_out=sampler.sampled_out,
        queue_full=ended.spans - exports.sent,
        sent=exports.sent,
        accepted=exports.accepted,
        export_failed=exports.sent - exports.accepted,
    )


def fleet(endpoint: str, processes: int, rate: float, seconds: float) -> list[Fate]:
    """Run so many processes side by side, together `rate` runs a second at most.

    Raises:
        ValueError: `endpoint` is not on this machine.
    """
    require_loopback(endpoint)
    command = [sys.executable, "-m", "benchmarks.simulate", endpoint, str(rate / processes), str(seconds)]
    environment = {**os.environ, **_ALWAYS}
    started: list[subprocess.Popen[str]] = []
    try:
        started.extend(
            subprocess.Popen(command, cwd=_ROOT, env=environment, stdout=subprocess.PIPE, text=True)
            for _ in range(processes)
        )
        outputs = [process.communicate()[0] for process in started]
    finally:
        for process in started:
            process.kill()
    failed = sum(process.returncode != 0 for process in started)
    if failed:
        raise RuntimeError(f"{failed} of {processes} processes failed: see above")
    return [Fate(**json.loads(output)) for output in outputs]


def require_loopback(endpoint: str) -> None:
    """Refuse an address that is not this machine's: load is for what one may break.

    Raises:
        ValueError: it is another machine's, or none.
    """
    host = urlsplit(endpoint).hostname or ""
    try:
        if host == "localhost" or ipaddress.ip_address(host).is_loopback:
            return
    except ValueError:
        pass
    raise ValueError(f"{endpoint}: must be on this machine, such as http://127.0.0.1:4318")


def total(fates: Iterable[Fate]) -> Fate:
    """Sum everything but the seconds, of which the longest count."""
    known = list(fates)
    sums: list[Any] = [sum(column) for column in zip(*known, strict=True)]
    return Fate(*sums)._replace(seconds=max(fate.seconds for fate in known))


def as_json(fates: Sequence[Fate]) -> dict[str, Any]:
    """Give the sum, and each process by itself."""
    return {"total": total(fates)._asdict(), "processes": [fate._asdict() for fate in fates]}


def as_text(fates: Sequence[Fate]) -> str:
    """Lay out the sum."""
    whole = total(fates)
    per_second = whole.runs / whole.seconds
    lines = [f"{whole.runs} runs of {len(fates)} processes in {whole.seconds:.1f} s: {per_second:.1f} a second", ""]
    rows = {
        "made": whole.made,
        "sampled out": whole.sampled_out,
        "dropped, queue full": whole.queue_full,
        "sent": whole.sent,
        "dropped, export failed": whole.export_failed,
        "accepted": whole.accepted,
    }
    lines += [f"  {name:24}{spans:>10}" for name, spans in rows.items()]
    return "\n".join([*lines, "", "All but the first line are spans; made = sampled out + queue full + sent."])


if __name__ == "__main__":
    print(json.dumps(one_process(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))._asdict()))
