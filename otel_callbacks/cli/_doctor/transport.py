"""Whether telemetry leaves and arrives: each signal's address, a test span and metric, what back ends have of them."""

import argparse
import json
import logging
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any, get_args
from urllib.parse import quote, unquote, urlsplit

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import format_trace_id

from otel_callbacks import semconv
from otel_callbacks._setup.addresses import WEB, problem, public, without_user
from otel_callbacks._setup.exporters import (
    DEFAULT_ADDRESSES,
    Protocol,
    Signal,
    exporters_of,
    host_and_port,
    http_address,
    protocol_of,
)
from otel_callbacks.cli._doctor.findings import Finding
from otel_callbacks.cli._doctor.ports import holder

logger = logging.getLogger("otel_callbacks")

SPAN_NAME = "otel-callbacks doctor"
_TIMEOUT_S = 3.0
_POLL_S = 0.5
# Above what the Date header, in whole seconds, and a slow answer can add.
_MOST_SKEW_S = 5.0
_HEADERS = "OTEL_EXPORTER_OTLP_HEADERS"
_NOT_FOUND, _REFUSING = 404, 400
_LONGEST_ANSWER = 16 * 2**20
_UNANSWERED = (OSError, HTTPException, ValueError)
"""What a request may raise: no answer, one that is not HTTP, and headers that cannot be sent."""


def findings(args: argparse.Namespace) -> Iterator[Finding]:
    """Check each signal's address, send a test, and look for it in the back ends."""
    usable: dict[Signal, str] = {}
    for signal in get_args(Signal):
        variable = f"OTEL_{signal.upper()}_EXPORTER"
        if os.environ.get(variable, "otlp").strip().lower() == "none":
            yield Finding("warning", "A signal is switched off", f"{signal} are not exported", f"unset {variable}")
            continue
        protocol = args.protocol or protocol_of(signal)
        source, address = _address(signal, args.otlp, protocol)
        trouble = problem(address, _SCHEMES[protocol])
        if trouble:
            text, fix = (
                f"{signal}: the address in {source} is not valid: {trouble}",
                f"such as {DEFAULT_ADDRESSES[protocol]}",
            )
            yield Finding("wrong", "The address is wrong", text, f"set {source} to an address {fix}")
            continue
        problems = list(_problems(signal, address, protocol))
        yield from problems or [Finding("ok", "Nothing listens", f"{signal} go to {public(address)}")]
        if not problems:
            usable[signal] = address
    yield from _skew(usable.values())
    yield from _round_trip(args, usable)


_SCHEMES: dict[Protocol, frozenset[str]] = {"http/protobuf": WEB, "grpc": WEB | {""}}


def _address(signal: Signal, base: str | None, protocol: Protocol) -> tuple[str, str]:
    """Return what sets a signal's address, and the address."""
    variable = f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT"
    own = os.environ.get(variable)
    if own and not base:
        return variable, own  # the specification appends no path to a signal's own address
    source = "--otlp" if base else "OTEL_EXPORTER_OTLP_ENDPOINT"
    base = base or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or DEFAULT_ADDRESSES[protocol]
    return source, http_address(base, signal) if protocol == "http/protobuf" else base


def _problems(signal: Signal, address: str, protocol: Protocol) -> Iterator[Finding]:
    try:
        socket.create_connection(host_and_port(address), _TIMEOUT_S).close()
    except (OSError, ValueError) as error:
        fix = "start a collector (otel-callbacks stack up), or set OTEL_EXPORTER_OTLP_ENDPOINT"
        yield Finding("wrong", "Nothing listens", f"{signal}: nothing answers at {public(address)} ({error})", fix)
        return
    if protocol == "http/protobuf":
        yield from _refusal(signal, address)


def _refusal(signal: Signal, address: str) -> Iterator[Finding]:
    """Send an empty request, which is a valid one, and report how it is refused."""
    try:
        _open(address, b"", _headers(signal)).close()
    except urllib.error.HTTPError as error:
        if error.code == _NOT_FOUND and signal != "traces":
            text = f"{signal}: {public(address)} answers 404: a back end for traces only, such as Jaeger"
            yield Finding("wrong", "Jaeger takes no metrics", text, _elsewhere(signal))
        elif error.code >= _REFUSING:
            text = f"{signal}: {public(address)} answers {error.code} {error.reason}"
            fix = f"check the address, and {_HEADERS} where it wants a key"
            yield Finding("wrong", "The back end refuses", text, fix)
    except ValueError:
        # The message would quote the header.
        text, fix = f"{signal}: a header has a character that HTTP does not allow", f"correct {_HEADERS}"
        yield Finding("wrong", "The back end refuses", text, fix)
    except (OSError, HTTPException) as error:
        text = f"{signal}: {public(address)} accepts connections but does not answer as HTTP ({error})"
        fix = "a gRPC port? set OTEL_EXPORTER_OTLP_PROTOCOL=grpc, or use port 4318"
        yield Finding("wrong", "The back end refuses", text + _held_by(address), fix)


def _open(address: str, data: bytes | None = None, headers: dict[str, str] | None = None) -> Any:
    """Send a request to an address the user gave, as exporters do: a user and a password in it become a header."""
    url, credentials = without_user(address)
    content = {"Content-Type": "application/x-protobuf"} if data is not None else {}
    request = urllib.request.Request(url, data, {**content, **(headers or {}), **credentials})  # noqa: S310
    return urllib.request.urlopen(request, timeout=_TIMEOUT_S)  # noqa: S310


def _held_by(address: str) -> str:
    port = urlsplit(address).port
    process = holder(port) if port is not None else None
    return f"; the port is held by {process}" if process else ""


def _elsewhere(signal: Signal) -> str:
    if signal == "logs":
        return "set OTEL_LOGS_EXPORTER=none, or send logs to a collector"
    return "send metrics to a collector or Prometheus, e.g. OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://localhost:9090/api/v1/otlp/v1/metrics"


def _headers(signal: Signal) -> dict[str, str]:
    value = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_HEADERS") or os.environ.get(_HEADERS, "")
    pairs = (entry.partition("=") for entry in value.split(",") if "=" in entry)
    # The specification has them percent-encoded.
    return {unquote(key).strip(): unquote(value).strip() for key, _, value in pairs}


def _skew(addresses: Any) -> Iterator[Finding]:
    """Compare clocks by the receiver's HTTP header: spans of a wrong clock lie outside the time range one looks at."""
    # A path means OTLP over HTTP; a gRPC port answers no HTTP request.
    address = next((url for url in addresses if url.startswith("http") and urlsplit(url).path), None)
    if address is None:
        return
    try:
        with _open(address, b"") as answer:
            date = answer.headers.get("Date")
            skew = time.time() - parsedate_to_datetime(date).timestamp() if date else 0.0
    except (*_UNANSWERED, OverflowError):
        return
    if abs(skew) > _MOST_SKEW_S:
        text = f"this machine's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the receiver's"
        yield Finding("wrong", "Clocks differ", text, "synchronise the clocks (NTP)")


def _round_trip(args: argparse.Namespace, usable: dict[Signal, str]) -> Iterator[Finding]:
    sent: dict[Signal, str] = {}
    for signal, send in (("traces", _send_span), ("metrics", _send_metric)):
        if signal not in usable:
            continue
        identity, is_accepted = send(args)
        if is_accepted:
            sent[signal] = identity
            yield Finding("ok", "The test does not arrive", f"a test for {signal} was accepted: {identity}")
        else:
            text = f"the test for {signal} was not accepted by {public(usable[signal])}"
            yield Finding("wrong", "The back end refuses", text, "see the exporter's message above")
    yield from _arrivals(args, sent)


def _arrivals(args: argparse.Namespace, sent: dict[Signal, str]) -> Iterator[Finding]:
    searches: tuple[tuple[str | None, Signal, Callable[[str, str], bool]], ...] = (
        (args.jaeger, "traces", _is_in_jaeger),
        (args.prometheus, "metrics", _is_in_prometheus),
    )
    for base, signal, is_there in searches:
        if base is None or signal not in sent:
            continue
        if _wait(lambda: is_there(base, sent[signal]), args.timeout):  # noqa: B023 - called before the next round
            yield Finding("ok", "The test does not arrive", f"the test for {signal} can be queried at {public(base)}")
        else:
            text = f"the test for {signal} was accepted, but was not found at {public(base)} after {args.timeout:.0f} s"
            fix = "look at the collector's log and its exporters; is this the back end it sends to?"
            yield Finding("wrong", "The test does not arrive", text, fix)


def _wait(holds: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while True:
        if holds():
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)


def _send_span(args: argparse.Namespace) -> tuple[str, bool]:
    """Send one span. Return its trace id and whether every exporter accepted it."""
    # By way of memory, because span processors do not return whether the export succeeded.
    memory = InMemorySpanExporter()
    provider = TracerProvider(sampler=ALWAYS_ON, resource=Resource.create(), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    span = provider.get_tracer("otel_callbacks").start_span(SPAN_NAME)
    span.end()
    is_accepted = _export(exporters_of("traces", args.otlp, args.protocol), memory.get_finished_spans())
    return format_trace_id(span.get_span_context().trace_id), is_accepted


def _send_metric(args: argparse.Namespace) -> tuple[str, bool]:
    """Count one check. Return its label and whether every exporter accepted it."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], resource=Resource.create(), shutdown_on_exit=False)
    # Unique, so that the series of an earlier check is not taken for this one.
    check = f"{time.time_ns():x}"
    provider.get_meter("otel_callbacks").create_counter(semconv.DOCTOR_METRIC, "{check}").add(
        1, {semconv.DOCTOR_CHECK: check}
    )
    data = reader.get_metrics_data()
    # Some packages register metric readers instead of exporters; those cannot send one document.
    exporters = [entry for entry in exporters_of("metrics", args.otlp, args.protocol) if hasattr(entry, "export")]
    return check, _export(exporters, data)


def _export(exporters: list[Any], batch: Any) -> bool:
    """Tell whether there are exporters, and each accepts the batch."""
    try:
        results = [exporter.export(batch).name for exporter in exporters]
    except Exception as error:  # noqa: BLE001 - an exporter may raise anything about its address and headers
        # Without the message, which may quote a header.
        logger.warning("an exporter fails: %s", type(error).__name__)
        return False
    return bool(results) and all(result == "SUCCESS" for result in results)


def _is_in_jaeger(base: str, trace_id: str) -> bool:
    # /api/traces belongs to Jaeger's own pages and may change; /api/v3 is its stable interface.
    return SPAN_NAME in json.dumps(_get(f"{base.rstrip('/')}/api/v3/traces/{trace_id}"))


def _is_in_prometheus(base: str, check: str) -> bool:
    # By label alone: Prometheus adds suffixes to the metric's name, depending on its settings.
    label = semconv.DOCTOR_CHECK.replace(".", "_")
    query = quote(f'{{{label}="{check}"}}')
    answer = _get(f"{base.rstrip('/')}/api/v1/query?query={query}")
    data = answer.get("data") if isinstance(answer, dict) else None
    return bool(isinstance(data, dict) and data.get("result"))


def _get(address: str) -> Any:
    try:
        with _open(address) as answer:
            return json.loads(answer.read(_LONGEST_ANSWER))
    except (*_UNANSWERED, RecursionError):
        return None
