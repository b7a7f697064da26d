"""Check OTLP/JSON telemetry against the GenAI semantic conventions in ``genai.json``."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.semconv.attributes import Typed, attributes
from tests.semconv.schema import faults

CONVENTIONS = json.loads((Path(__file__).parent / "genai.json").read_text(encoding="utf-8"))

_USAGE = "gen_ai.usage."
_PARTS_OF_USAGE = [
    ("cache_read.input_tokens", "input_tokens"),
    ("cache_write.input_tokens", "input_tokens"),
    ("reasoning.output_tokens", "output_tokens"),
    *[(f"{modality}.input_tokens", "input_tokens") for modality in ("text", "image", "audio")],
    *[(f"{modality}.output_tokens", "output_tokens") for modality in ("text", "image", "audio")],
]
_STATUS_ERROR = {2, "STATUS_CODE_ERROR"}
_STATUS_OK = {1, "STATUS_CODE_OK"}
_KINDS = {1: "INTERNAL", 2: "SERVER", 3: "CLIENT", 4: "PRODUCER", 5: "CONSUMER"}
_FREE_ON_FOREIGN_SPANS = {"gen_ai.conversation.id", "gen_ai.agent.name", "gen_ai.agent.id", "gen_ai.agent.version"}


class Finding(NamedTuple):
    """One violation of the conventions."""

    code: str
    what: str
    text: str


class Checker:
    """Collects the violations in the documents that it is fed.

    Args:
        profile: A key of ``profiles`` in ``genai.json``.
    """

    def __init__(self, profile: str) -> None:
        self.findings: list[Finding] = []
        self.spans = 0
        """Number of GenAI spans seen."""
        self.metrics = 0
        """Number of GenAI metrics seen."""
        self._profile = profile
        self._rules = CONVENTIONS["profiles"][profile]
        self._spans_by_operation: dict[str, list[dict[str, Any]]] = {}
        for rule in self._rules["spans"].values():
            for operation in rule["operations"]:
                self._spans_by_operation.setdefault(operation, []).append(rule)

    def feed(self, document: dict[str, Any]) -> None:
        """Check one OTLP/JSON document: an export request of spans, metrics or logs."""
        for span in _members(document, "resourceSpans", "scopeSpans", "spans"):
            self._span(span)
        for metric in _members(document, "resourceMetrics", "scopeMetrics", "metrics"):
            self._metric(metric)
        for record in _members(document, "resourceLogs", "scopeLogs", "logRecords"):
            self._log_record(record)

    def _find(self, code: str, what: str, text: str) -> None:
        self.findings.append(Finding(code, what, text))

    # Attributes

    def _attribute(self, what: str, key: str, typed: Typed) -> None:
        rule = self._attribute_rule(key)
        if rule is None:
            self._unknown_attribute(what, key)
            return
        kind, value = typed
        expected = rule["type"]
        if expected not in {"any", kind} and not (expected.endswith("[]") and kind == "[]"):
            self._find("wrong-type", what, f"{key} is {kind}, must be {expected}")
            return
        if key == "error.type" and not value:
            self._find("empty-value", what, "error.type is empty")
        renamed = CONVENTIONS["deprecated"]["values"].get(key, {})
        for entry in value if isinstance(value, list) else [value]:
            if entry not in rule.get("values", [entry]) and str(entry) in renamed:
                self._find("deprecated-value", what, f"{key}={entry!r}: use {renamed[str(entry)]!r}")
        if "schema" in rule:
            self._content(what, key, rule["schema"], typed)

    def _attribute_rule(self, key: str) -> dict[str, Any] | None:
        rules = self._rules["attributes"]
        families = (family for family in rules if family.endswith(".*") and key.startswith(family[:-1]))
        return rules.get(key) or rules.get(next(families, ""))

    def _unknown_attribute(self, what: str, key: str) -> None:
        renamed = CONVENTIONS["deprecated"]["attributes"].get(key)
        if key.startswith("gen_ai.") and renamed:
            self._find("deprecated-attribute", what, f"{key}: use {renamed[0]}")
        elif key.startswith("gen_ai."):
            self._find("unknown-attribute", what, f"{key} is not in {self._profile}")

    def _content(self, what: str, key: str, schema_name: str, typed: Typed) -> None:
        kind, value = typed
        if kind == "string":
            try:
                value = json.loads(value, parse_constant=_reject_constant)
            except ValueError as error:
                self._find("bad-json", what, f"{key} is not JSON: {error}")
                return
        elif kind not in {"map", "any[]", "[]", "map[]"}:
            self._find("wrong-type", what, f"{key} is {kind}, must be a structure or a JSON string")
            return
        schema = CONVENTIONS["schemas"][schema_name]
        # Objects are only recommended for the arguments and results of tools.
        for fault in faults(schema, value, schema) if not schema_name.startswith("tool_call_") else ():
            self._find("schema", what, f"{key} {fault}")

    def _required(self, what: str, rules: dict[str, Any], values: dict[str, Any]) -> None:
        missing = [key for key, levels in rules.items() if levels[0] == "required" and key not in values]
        if "server.address" in values and "server.port" in rules and "server.port" not in values:
            missing.append("server.port")
        for key in missing:
            self._find("missing-required", what, f"{key} missing")

    # Spans

    def _span(self, span: dict[str, Any]) -> None:
        typed = attributes(span.get("attributes"))
        values = {key: value for key, (_, value) in typed.items()}
        if not self._is_genai_span(span["name"], values):
            return
        self.spans += 1
        what = f"span {span['name']!r}"
        for key, value in typed.items():
            self._attribute(what, key, value)
        self._span_status(what, span, values)
        self._span_values(what, values)
        if "gen_ai.operation.name" in values:
            self._span_of_operation(what, span, values)
        else:
            self._find("missing-required", what, "gen_ai.operation.name missing")
        for event in span.get("events") or ():
            self._event_name(what, event.get("name", ""))

    def _is_genai_span(self, name: str, values: dict[str, Any]) -> bool:
        """Tell whether a span has GenAI keys that no foreign span carries, or is named after an operation."""
        keys = {key for key in values if key.startswith("gen_ai.")}
        is_named_so = name.partition(" ")[0] in self._spans_by_operation
        return bool(keys - _FREE_ON_FOREIGN_SPANS) or (is_named_so and (bool(keys) or name in self._spans_by_operation))

    def _span_status(self, what: str, span: dict[str, Any], values: dict[str, Any]) -> None:
        status = (span.get("status") or {}).get("code", 0)
        if status in _STATUS_ERROR and "error.type" not in values:
            self._find("error-without-type", what, "status ERROR without error.type")
        if status not in _STATUS_ERROR and "error.type" in values:
            self._find("type-without-error", what, "error.type although the status is not ERROR")
        if status in _STATUS_OK:
            self._find("status-ok", what, "instrumentation leaves the status of a success unset")

    def _span_values(self, what: str, values: dict[str, Any]) -> None:
        for part, whole in _PARTS_OF_USAGE:
            counts = values.get(_USAGE + part), values.get(_USAGE + whole)
            if None not in counts and counts[0] > counts[1]:
                self._find("token-subset", what, f"{part} {counts[0]} above {whole} {counts[1]}")
        if values.get("gen_ai.conversation.compacted") is False:
            self._find("compacted-false", what, "gen_ai.conversation.compacted is only ever true")
        if "gen_ai.response.time_to_first_chunk" in values and values.get("gen_ai.request.stream") is not True:
            self._find("missing-required", what, "gen_ai.request.stream missing on a streaming call")

    def _span_of_operation(self, what: str, span: dict[str, Any], values: dict[str, Any]) -> None:
        rules = self._spans_by_operation.get(str(values["gen_ai.operation.name"]))
        if not rules:
            return
        kind = _KINDS.get(span.get("kind"), str(span.get("kind")).removeprefix("SPAN_KIND_"))
        fitting = [rule for rule in rules if kind in rule["kinds"]]
        if not fitting:
            self._find("span-kind", what, f"kind {kind}, must be one of {[rule['kinds'] for rule in rules]}")
        rule = (fitting or rules)[0]
        by_provider = rule.get("by_provider", {}).get(str(values.get("gen_ai.provider.name")), {})
        self._required(what, {**rule["attributes"], **by_provider}, values)
        names = [_filled(template, values) for template in rule["name"]]
        good = [name for name in names if name] or [values["gen_ai.operation.name"]]
        if span["name"] not in good:
            self._find("span-name", what, f"must be one of {good}")

    # Metrics

    def _metric(self, metric: dict[str, Any]) -> None:
        name = metric["name"]
        if not name.startswith("gen_ai."):
            return
        self.metrics += 1
        what = f"metric {name}"
        rule = self._rules["metrics"].get(name)
        if rule is None:
            code = "deprecated-metric" if name in CONVENTIONS["deprecated"]["metrics"] else "unknown-metric"
            self._find(code, what, f"not in {self._profile}")
            return
        instrument, points = _instrument(metric)
        if instrument != rule["instrument"]:
            self._find("instrument", what, f"is a {instrument}, must be a {rule['instrument']}")
        if metric.get("unit", "") != rule["unit"]:
            self._find("unit", what, f"unit {metric.get('unit', '')!r}, must be {rule['unit']!r}")
        for point in points:
            self._point(what, name, rule, point)

    def _point(self, what: str, name: str, rule: dict[str, Any], point: dict[str, Any]) -> None:
        bounds = [float(bound) for bound in point.get("explicitBounds") or ()]
        if "buckets" in rule and bounds != [float(bound) for bound in rule["buckets"]]:
            self._find("buckets", what, f"bounds {bounds}, must be {rule['buckets']}")
        typed = attributes(point.get("attributes"))
        for key, value in typed.items():
            self._attribute(what, key, value)
        self._required(what, rule["attributes"], typed)
        moved = CONVENTIONS["deprecated"]["metric_for_operations"].get(name, {}).get(self._profile, {})
        operation = typed.get("gen_ai.operation.name", ("", None))[1]
        if operation in moved.get("operations", ()):
            self._find("deprecated-metric", what, f"operation {operation}: use {moved['use']}")

    # Events

    def _log_record(self, record: dict[str, Any]) -> None:
        typed = attributes(record.get("attributes"))
        name = record.get("eventName") or typed.get("event.name", ("", ""))[1]
        what = f"event {name}"
        rule = self._event_name(what, name)
        if rule is None:
            return
        for key, value in typed.items():
            self._attribute(what, key, value)
        if "attributes_of" in rule:
            rule = self._rules["spans"][rule["attributes_of"]]
        self._required(what, rule["attributes"], typed)
        if name.endswith(".exception") and not {"exception.type", "exception.message"} & set(typed):
            self._find("missing-required", what, "neither exception.type nor exception.message")

    def _event_name(self, what: str, name: str) -> dict[str, Any] | None:
        if not name.startswith("gen_ai."):
            return None
        rule = self._rules["events"].get(name)
        renamed = CONVENTIONS["deprecated"]["events"].get(name)
        if renamed:
            self._find("deprecated-event", what, f"{name}: use {renamed}")
            return None
        if rule is None:
            self._find("unknown-event", what, f"{name} is not in {self._profile}")
        return rule


def _members(document: dict[str, Any], *path: str) -> Iterator[dict[str, Any]]:
    if not path:
        yield document
        return
    for inner in document.get(path[0]) or ():
        yield from _members(inner, *path[1:])


def _filled(template: str, values: dict[str, Any]) -> str | None:
    """Return the span name that a template gives, or ``None`` if a part of it is unknown."""
    keys = re.findall(r"{([^}]+)}", template)
    if any(key not in values for key in keys):
        return None
    return re.sub(r"{([^}]+)}", lambda match: str(values[match[1]]), template)


def _instrument(metric: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """Return the kind of instrument, and the data points."""
    kinds = {"histogram": "histogram", "exponentialHistogram": "histogram", "gauge": "gauge", "summary": "summary"}
    if "sum" in metric:
        points = metric["sum"].get("dataPoints") or []
        return ("counter" if metric["sum"].get("isMonotonic") else "updowncounter"), points
    form = next((form for form in kinds if form in metric), "")
    return kinds.get(form, "none"), metric.get(form, {}).get("dataPoints") or []


def _reject_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
