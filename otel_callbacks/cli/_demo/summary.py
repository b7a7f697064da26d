"""The demo's figures: percentiles from the histograms' buckets, as a table."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from opentelemetry.sdk.metrics.export import Histogram, HistogramDataPoint, Metric, MetricsData

from otel_callbacks import semconv
from otel_callbacks._drawing import duration_text
from otel_callbacks.cli._tables import aligned

_SUBJECTS: Final = (
    semconv.TOOL_NAME,
    semconv.GRAPH_NODE,
    *(dialect.workflow_name for dialect in semconv.DIALECTS.values()),
    semconv.AGENT_NAME,
    semconv.REQUEST_MODEL,
    semconv.OPERATION_NAME,
)
"""What a measurement is about: the first of these that it has."""


class Row(NamedTuple):
    """One histogram of one tool, node, workflow, agent, model or operation; `p50` and `p95` in `unit`."""

    metric: str
    unit: str
    subject: str
    measurements: int
    p50: float
    p95: float


def rows(metrics: MetricsData | None) -> list[Row]:
    """Summarise every histogram by subject, all outcomes together."""
    groups: defaultdict[tuple[str, str, str], list[HistogramDataPoint]] = defaultdict(list)
    for metric, unit, point in _points(metrics):
        groups[metric, unit, _subject(point.attributes or {})].append(point)
    return [Row(*key, sum(p.count for p in points), *_percentiles(points)) for key, points in sorted(groups.items())]


def percentile(counts: Sequence[int], bounds: Sequence[float], least: float, most: float, share: float) -> float:
    """Estimate a percentile of a histogram, linear within its bucket.

    Args:
        counts: Values per bucket; one more than `bounds`.
        bounds: Upper bounds of all buckets but the last.
        least: The smallest value recorded.
        most: The largest value recorded.
        share: The percentile as a fraction; 0.5 for the median.
    """
    rank = share * sum(counts)
    below = 0
    for count, lower, upper in zip(counts, (least, *bounds), (*bounds, most), strict=True):
        if count and below + count >= rank:
            # The bucket may reach beyond the values that were recorded.
            start, end = max(lower, least), min(upper, most)
            return start + (end - start) * (rank - below) / count
        below += count
    return most


def table(entries: Iterable[Row]) -> str:
    """Return rows as text, one line each, below a heading."""
    lines = [("histogram", "of", "count", "p50", "p95")]
    lines += [(r.metric, r.subject, str(r.measurements), _value(r.p50, r.unit), _value(r.p95, r.unit)) for r in entries]
    return "\n".join(aligned(lines, left=2))


def names(metrics: MetricsData | None) -> list[str]:
    """List the names of all metrics, sorted."""
    return sorted(metric.name for metric in _metrics(metrics))


def _metrics(metrics: MetricsData | None) -> Iterator[Metric]:
    for resource in metrics.resource_metrics if metrics else ():
        for scope in resource.scope_metrics:
            yield from scope.metrics


def _points(metrics: MetricsData | None) -> Iterator[tuple[str, str, HistogramDataPoint]]:
    for metric in _metrics(metrics):
        if isinstance(metric.data, Histogram):
            for point in metric.data.data_points:
                yield metric.name, metric.unit or "", point


def _subject(attributes: Mapping[str, Any]) -> str:
    subject = next((str(attributes[key]) for key in _SUBJECTS if key in attributes), "-")
    return f"{subject} {attributes.get(semconv.TOKEN_TYPE, '')}".rstrip()


def _percentiles(points: Sequence[HistogramDataPoint]) -> tuple[float, float]:
    counts = [sum(bucket) for bucket in zip(*(point.bucket_counts for point in points), strict=True)]
    # All points of one histogram have the same bounds.
    bounds = points[0].explicit_bounds
    least, most = min(point.min for point in points), max(point.max for point in points)
    return percentile(counts, bounds, least, most, 0.5), percentile(counts, bounds, least, most, 0.95)


def _value(number: float, unit: str) -> str:
    return duration_text(number) if unit == "s" else f"{number:.0f}"
