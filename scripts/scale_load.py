"""Send one process's half of many traces to a gateway, at a bounded rate.

usage: python scripts/scale_load.py HALF FIRST COUNT --to HOST:PORT [--rate TRACES_PER_SECOND] [--tag TAG] ...

A trace has ten spans: HALF ``a`` sends its root and four more, ``b`` the other five. Every tenth trace fails, only in
half b. Prints one JSON document: spans sent, their bytes as OTLP, refused attempts, and when each batch was accepted.
"""

import argparse
import hashlib
import json
import random
import sys
import time
from collections.abc import Iterator

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

SPANS_PER_TRACE = 10
FAILED_EVERY = 10
SERVICE = "fleet"
_FAILING_SPAN = 7
_HALVES = {"a": range(5), "b": range(5, SPANS_PER_TRACE)}
_TRACES_PER_BATCH = 10
_GIVE_UP_S = 120.0
_WORDS = [hashlib.sha256(bytes([n])).hexdigest()[: 3 + n % 7] for n in range(200)]


def trace_id(tag: str, number: int) -> str:
    """Return the id of the trace with this number, as Jaeger writes it."""
    return hashlib.sha256(f"{tag}/{number}".encode()).hexdigest()[:32]


def spans(half: str, tag: str, number: int, content: int = 0) -> Iterator[ReadableSpan]:
    """Yield one half of a trace: agent steps and model calls, the latter with `content` characters of text."""
    dice = random.Random(f"{half}/{tag}/{number}")  # noqa: S311 - not a secret
    resource = Resource({"service.name": SERVICE, "service.instance.id": half})
    end = time.time_ns()
    for position in _HALVES[half]:
        is_model = position % 2 == 1
        fails = number % FAILED_EVERY == 0 and position == _FAILING_SPAN
        yield ReadableSpan(
            name="chat gpt-4o-mini" if is_model else "invoke_agent helper",
            context=_context(tag, number, position),
            parent=_context(tag, number, 0) if position else None,
            kind=SpanKind.CLIENT if is_model else SpanKind.INTERNAL,
            resource=resource,
            attributes=_attributes(dice, content, is_model=is_model),
            status=Status(StatusCode.ERROR if fails else StatusCode.UNSET),
            start_time=end - 100_000_000 * (SPANS_PER_TRACE - position),
            end_time=end,
            instrumentation_scope=InstrumentationScope("otel_callbacks", "1"),
        )


def _context(tag: str, number: int, position: int) -> SpanContext:
    span = int(hashlib.sha256(f"{tag}/{number}/{position}".encode()).hexdigest()[:16], 16)
    return SpanContext(int(trace_id(tag, number), 16), span, is_remote=False, trace_flags=TraceFlags(1))


def _attributes(dice: random.Random, content: int, *, is_model: bool) -> dict[str, str | int]:
    if not is_model:
        return {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "helper"}
    attributes: dict[str, str | int] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.usage.input_tokens": dice.randrange(3000),
        "gen_ai.usage.output_tokens": dice.randrange(900),
    }
    if content:
        text = " ".join(dice.choice(_WORDS) for _ in range(content // 6))
        attributes["gen_ai.input.messages"] = json.dumps([{"role": "user", "parts": [{"content": text}]}])
    return attributes


def main(arguments: list[str]) -> int:
    """Send the half, and return the exit code: 1 if a batch was refused for two minutes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("half", choices=_HALVES)
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("--to", required=True)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--tag", default="load")
    parser.add_argument("--content", type=int, default=0)
    args = parser.parse_args(arguments)
    exporter = OTLPSpanExporter(endpoint=args.to, insecure=True, timeout=5)
    report: dict[str, int] = {"spans": 0, "bytes": 0, "refused": 0}
    accepted: dict[int, float] = {}
    start = time.monotonic()
    end = args.first + args.count
    for first in range(args.first, end, _TRACES_PER_BATCH):
        numbers = range(first, min(first + _TRACES_PER_BATCH, end))
        batch = [span for number in numbers for span in spans(args.half, args.tag, number, args.content)]
        deadline = time.monotonic() + _GIVE_UP_S
        while exporter.export(batch) is not SpanExportResult.SUCCESS:
            report["refused"] += 1
            if time.monotonic() > deadline:
                return 1
        accepted.update(dict.fromkeys(numbers, time.time()))
        report["spans"] += len(batch)
        report["bytes"] += encode_spans(batch).ByteSize()
        time.sleep(max(0.0, start + (numbers.stop - args.first) / args.rate - time.monotonic()))
    exporter.shutdown()
    print(json.dumps({**report, "seconds": time.monotonic() - start, "accepted": accepted}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
