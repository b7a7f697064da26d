"""OTLP JSON as plain values: what a program wrote to files, and what Jaeger returns, in one form to compare."""

import json
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple


class Span(NamedTuple):
    """What must survive the way from the program to Jaeger's API."""

    trace_id: str
    parent: str
    name: str
    kind: int
    start: int
    end: int
    status: tuple[int, str]
    attributes: dict[str, Any]
    events: list[tuple[str, int, dict[str, Any]]]
    links: list[tuple[str, str, dict[str, Any]]]
    resource: dict[str, Any]


def value_of(value: dict[str, Any]) -> Any:
    """Return the Python value of an OTLP value; arrays as JSON text, as Jaeger's disk store keeps them."""
    if "arrayValue" in value:
        return json.dumps([value_of(one) for one in value["arrayValue"].get("values", [])], separators=(",", ":"))
    kind, content = next(iter(value.items()))
    return {"intValue": int, "doubleValue": float, "boolValue": bool, "stringValue": str}[kind](content)


def attributes_of(holder: dict[str, Any]) -> dict[str, Any]:
    """Return attributes by key."""
    return {pair["key"]: value_of(pair["value"]) for pair in holder.get("attributes", [])}


def spans_of(document: dict[str, Any]) -> dict[str, Span]:
    """Return spans by id."""
    return {
        span["spanId"]: _span(span, attributes_of(of_resource["resource"]))
        for of_resource in document.get("resourceSpans", [])
        for of_scope in of_resource["scopeSpans"]
        for span in of_scope["spans"]
    }


def _span(span: dict[str, Any], resource: dict[str, Any]) -> Span:
    status = span.get("status", {})
    events = [(one["name"], int(one["timeUnixNano"]), attributes_of(one)) for one in span.get("events", [])]
    links = [(one["traceId"], one["spanId"], attributes_of(one)) for one in span.get("links", [])]
    return Span(
        trace_id=span["traceId"],
        parent=span.get("parentSpanId", ""),
        name=span["name"],
        kind=span.get("kind", 0),
        start=int(span["startTimeUnixNano"]),
        end=int(span["endTimeUnixNano"]),
        status=(status.get("code", 0), status.get("message", "")),
        attributes=attributes_of(span),
        events=events,
        links=links,
        resource=resource,
    )


def spans_in(path: Path) -> dict[str, Span]:
    """Return all spans of a file of OTLP JSON lines."""
    return {
        span_id: span for line in path.read_text().splitlines() for span_id, span in spans_of(json.loads(line)).items()
    }


class Points(NamedTuple):
    """A metric's points, summed over all label sets."""

    count: int
    total: float
    buckets: Counter[float]
    """Return the number of values up to each boundary."""


def histograms_in(path: Path) -> dict[str, Points]:
    """Return the histograms of the last export in a file of OTLP JSON lines, by metric name."""
    last = json.loads(path.read_text().splitlines()[-1])
    return {
        metric["name"]: _points(metric["histogram"]["dataPoints"])
        for of_resource in last["resourceMetrics"]
        for of_scope in of_resource["scopeMetrics"]
        for metric in of_scope["metrics"]
        if "histogram" in metric
    }


def _points(points: list[dict[str, Any]]) -> Points:
    buckets: Counter[float] = Counter()
    for point in points:
        seen = 0
        for boundary, count in zip([*point["explicitBounds"], float("inf")], point["bucketCounts"], strict=True):
            seen += int(count)
            buckets[float(boundary)] += seen
    return Points(sum(int(one["count"]) for one in points), sum(one["sum"] for one in points), buckets)
