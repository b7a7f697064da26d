"""The HTTP APIs of Jaeger and Prometheus, as far as the tests use them."""

import json
import time
import urllib.parse
import urllib.request
from typing import Any
from urllib.error import HTTPError

from otlp_files import Span, spans_of

HTTP_NOT_FOUND = 404


def get(url: str, **query: Any) -> Any:
    """Fetch a JSON document."""
    with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(query)}", timeout=20) as answer:  # noqa: S310 (loopback HTTP)
        return json.load(answer)


class Jaeger:
    """Jaeger's query API, version 3 (OTLP) where it has one."""

    def __init__(self, url: str) -> None:
        self._url = url

    def spans(self, trace_id: str) -> dict[str, Span]:
        """Return the spans of a trace by id; none if there is no such trace."""
        try:
            return spans_of(get(f"{self._url}/api/v3/traces/{trace_id}")["result"])
        except HTTPError as error:
            if error.code != HTTP_NOT_FOUND:
                raise
            return {}

    def services(self) -> list[str]:
        """Return the names of all services."""
        return get(f"{self._url}/api/v3/services")["services"]

    def search(self, service: str, **attributes: str) -> set[str]:
        """Return the ids of the traces of the last hour that have a span with these attributes."""
        now = time.time()
        query = {
            "query.service_name": service,
            "query.start_time_min": _rfc3339(now - 3600),
            "query.start_time_max": _rfc3339(now + 60),
            "query.search_depth": 1000,
            "query.attributes": json.dumps(attributes),
        }
        spans = spans_of(get(f"{self._url}/api/v3/traces", **query).get("result", {}))
        return {span.trace_id for span in spans.values()}

    def monitor(self, what: str, service: str, kind: str, **more: Any) -> dict[str, list[float]]:
        """Return the points of the Monitor tab by operation: ``calls``, ``errors`` or ``latencies``."""
        query = {
            "service": service,
            "groupByOperation": "true",
            "lookback": 600_000,
            "step": 5_000,
            "ratePer": 60_000,
            "spanKind": kind,
            **more,
        }
        answer = get(f"{self._url}/api/metrics/{what}", **query)
        return {
            next(label["value"] for label in metric["labels"] if label["name"] == "operation"): [
                point["gaugeValue"]["doubleValue"]
                for point in metric["metricPoints"]
                if isinstance(point["gaugeValue"]["doubleValue"], (int, float))
            ]
            for metric in answer["metrics"]
        }


class Prometheus:
    """Prometheus' query API."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/api/v1"

    def now(self, expression: str) -> list[dict[str, Any]]:
        """Run an instant query: series with ``metric`` and ``value``."""
        return get(f"{self._url}/query", query=expression)["data"]["result"]

    def total(self, expression: str) -> float:
        """Return the one number that an expression gives; 0 if it gives nothing."""
        return sum(float(series["value"][1]) for series in self.now(expression))

    def history(self, expression: str, seconds: float = 600, step: int = 5) -> list[dict[str, Any]]:
        """Run a range query over the last seconds: series with ``metric`` and ``values``."""
        now = time.time()
        query = {"query": expression, "start": now - seconds, "end": now, "step": step}
        return get(f"{self._url}/query_range", **query)["data"]["result"]

    def label_values(self, label: str, selector: str) -> list[str]:
        """Return the values of a label in the series that a selector finds."""
        return get(f"{self._url}/label/{label}/values", **{"match[]": selector})["data"]

    def series(self, selector: str) -> list[dict[str, str]]:
        """Return the label sets, with names, of the series that a selector finds."""
        return get(f"{self._url}/series", **{"match[]": selector})["data"]

    def exemplars(self, expression: str) -> list[dict[str, Any]]:
        """Return the exemplars of the last hour, with ``labels``, ``value`` and ``timestamp``."""
        now = time.time()
        data = get(f"{self._url}/query_exemplars", query=expression, start=now - 3600, end=now + 60)["data"]
        return [exemplar for series in data for exemplar in series["exemplars"]]

    def rules(self) -> list[dict[str, Any]]:
        """Return all rules with their health."""
        return [rule for group in get(f"{self._url}/rules")["data"]["groups"] for rule in group["rules"]]


def _rfc3339(timestamp: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(timestamp))
