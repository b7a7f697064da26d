"""Measure the tiers of deploy/scale on this machine, and write benchmarks/scale.json.

usage: python scripts/scale_figures.py [TRACES]

It measures CPU time per span of each tier, and bytes per span as OTLP, in Kafka and in Cassandra, for spans with and
without content. One machine runs everything, so figures are CPU time per span, not throughput; loads are bounded.
"""

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import native_jars
from native_scale import ScaleStack
from native_stack import HOST, ROOT, Program, wait_until

RESULT = ROOT / "benchmarks/scale.json"
_ARRIVAL_S = 300.0
_LOADS = {"without content": 0, "with content": 1500}
_RATE = 40.0
"""Traces per second of each process: below what the store takes on two cores."""
_KEEP_ALL = {"OTELCOL_TAIL_WAIT": "12s", "OTELCOL_TAIL_WAIT_AFTER_ROOT": "3s", "OTELCOL_TAIL_PERCENT": "100"}


def cpu_s(program: Program) -> float:
    """Return the CPU time that a running program has used."""
    fields = _proc(program, "stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mib(program: Program) -> float:
    """Return the most memory that a running program has had."""
    return int(_proc(program, "status").partition("VmHWM:")[2].split()[0]) / 1024


def _proc(program: Program, name: str) -> str:
    if program.process is None:
        raise RuntimeError(f"a program has ended, see {program.log}")
    return Path(f"/proc/{program.process.pid}/{name}").read_text()


def measure(stack: ScaleStack, traces: int, content: int) -> dict[str, Any]:
    """Send one load through all tiers, and measure until every span is stored."""
    tiers: dict[str, list[Program]] = {
        "gateway": [gateway.program for gateway in stack.gateways],
        "sampler": [sampler.program for sampler in stack.samplers],
        "kafka": [stack.kafka],
        "ingester": [stack.ingester],
        "cassandra": [stack.trace_store],
    }
    _warm(stack, content)
    _flush(stack)
    before = {tier: sum(map(cpu_s, programs)) for tier, programs in tiers.items()}
    kafka_before, store_before = _kafka_bytes(stack), _store_bytes(stack)
    stored_before = _stored(stack)
    reports = _send(stack, traces, content, tag=f"measured-{content}")
    spans = sum(report["spans"] for report in reports)
    _wait_for(stack, stored_before + spans)
    used = {tier: sum(map(cpu_s, programs)) - before[tier] for tier, programs in tiers.items()}
    _flush(stack)
    return {
        "spans": spans,
        "spans_per_s": round(sum(report["spans"] / report["seconds"] for report in reports)),
        "refused": sum(report["refused"] for report in reports),
        "cpu_us_per_span": {tier: round(1e6 * seconds / spans) for tier, seconds in used.items()},
        "spans_per_cpu_s": {tier: round(spans / seconds) for tier, seconds in used.items()},
        "peak_mib": {tier: round(max(map(peak_mib, programs))) for tier, programs in tiers.items()},
        "bytes_per_span": {
            "otlp": round(sum(report["bytes"] for report in reports) / spans),
            "kafka": round((_kafka_bytes(stack) - kafka_before) / spans),
            "cassandra": round((_store_bytes(stack) - store_before) / spans),
        },
    }


def _warm(stack: ScaleStack, content: int) -> None:
    """Send a first load, after which Java's compilers and all caches are warm."""
    before = _stored(stack)
    reports = _send(stack, 300, content, tag=f"warm-{content}")
    _wait_for(stack, before + sum(report["spans"] for report in reports))


def _send(stack: ScaleStack, traces: int, content: int, tag: str) -> list[Mapping[str, Any]]:
    load = [sys.executable, str(ROOT / "scripts/scale_load.py")]
    options = ["0", str(traces), "--tag", tag, "--rate", str(_RATE), "--content", str(content)]
    processes = [
        subprocess.Popen(
            [*load, half, *options, "--to", f"{HOST}:{gateway.grpc}"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for half, gateway in zip("ab", stack.gateways, strict=True)
    ]
    return [json.loads(process.communicate()[0]) for process in processes]


def _stored(stack: ScaleStack) -> int:
    """Count the spans that the ingester has written."""
    with urllib.request.urlopen(f"http://{HOST}:{stack.ingester_metrics}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    values = re.findall(r"^otelcol_exporter_sent_spans\S* (\S+)$", text, re.MULTILINE)
    return sum(int(float(value)) for value in values)


def _wait_for(stack: ScaleStack, spans: int) -> None:
    if not wait_until(lambda: _stored(stack) >= spans, _ARRIVAL_S):
        raise RuntimeError(f"{_stored(stack)} of {spans} spans were stored")


def _flush(stack: ScaleStack) -> None:
    """Have Cassandra write its tables to disk."""
    native_jars.cassandra_flush(stack.cassandra_jmx)


def _kafka_bytes(stack: ScaleStack) -> int:
    return sum(path.stat().st_size for path in (stack.folder / "kafka/data").glob("otlp_spans-*/*.log"))


def _store_bytes(stack: ScaleStack) -> int:
    data = stack.folder / "cassandra/data/jaeger_v1"
    return sum(path.stat().st_size for path in data.rglob("*") if path.is_file())


def main(arguments: list[str]) -> int:
    """Measure, and write the file."""
    traces = int(arguments[0]) if arguments else 1500
    with tempfile.TemporaryDirectory() as folder, ScaleStack(Path(folder), environment=_KEEP_ALL) as stack:
        loads = {name: measure(stack, traces, content) for name, content in _LOADS.items()}
    machine = {"cores": os.cpu_count(), "architecture": platform.machine(), "python": platform.python_version()}
    RESULT.write_text(json.dumps({"machine": machine, "sampled_percent": 100, "loads": loads}, indent=2) + "\n")
    print(RESULT.read_text(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
