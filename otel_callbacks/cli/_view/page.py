"""One HTML file with everything in it: the page, its program, and the spans."""

import base64
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from otel_callbacks import semconv
from otel_callbacks.cli._report.reading import RawSpan, attributes_of, is_error

_FOLDER = Path(__file__).parent
_KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}
_STATUS = {0: "", 1: "ok", 2: "error"}
_NAMES = {
    "operation": semconv.OPERATION_NAME,
    "errorType": semconv.ERROR_TYPE,
    "conversation": semconv.CONVERSATION_ID,
    "messages": [semconv.SYSTEM_INSTRUCTIONS, semconv.INPUT_MESSAGES, semconv.OUTPUT_MESSAGES],
    "kinds": {
        semconv.CHAT: "chat",
        semconv.TEXT_COMPLETION: "chat",
        semconv.EMBEDDINGS: "chat",
        semconv.EXECUTE_TOOL: "tool",
        semconv.INVOKE_AGENT: "agent",
        semconv.RETRIEVAL: "retrieval",
    },
}
"""Names that the page's program looks for, and, in `kinds`, the colour of a bar by operation."""


def page(spans: Iterable[RawSpan]) -> str:
    """Return the whole page. What a span holds becomes text in it, never markup or program."""
    script = (_FOLDER / "page.js").read_text(encoding="utf-8").replace("{{NAMES}}", json.dumps(_NAMES))
    # The page's content security policy runs the script with this hash and no other.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # Without "<", data can neither end its element nor begin a comment.
    data = json.dumps(traces(spans), separators=(",", ":")).replace("<", "\\u003c")
    text = (_FOLDER / "page.html").read_text(encoding="utf-8")
    before, after = text.split("{{DATA}}")
    # The data is inserted last and never searched: a span may contain the placeholders.
    return before.replace("{{SCRIPT_HASH}}", f"sha256-{digest}") + data + after.replace("{{SCRIPT}}", script)


def traces(spans: Iterable[RawSpan]) -> list[dict[str, Any]]:
    """Return traces with their spans, the newest trace first."""
    by_id: dict[str, dict[str, Any]] = {}
    for service, span in spans:
        trace = by_id.setdefault(span["traceId"], {"id": span["traceId"], "service": service, "spans": []})
        trace["spans"].append(_entry(span))
    return sorted(by_id.values(), key=lambda trace: -min(span["start"] for span in trace["spans"]))


def _entry(span: Any) -> dict[str, Any]:
    start, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
    status = span.get("status", {})
    code = status.get("code", 0)
    return {
        "id": span["spanId"],
        "parent": span.get("parentSpanId", ""),
        "name": span.get("name", ""),
        "kind": _KINDS.get(span.get("kind", 0), str(span.get("kind", ""))),
        "status": " ".join(filter(None, (_STATUS.get(code, str(code)), status.get("message", "")))),
        "failed": is_error(span),
        "start": start / 1e9,
        "seconds": (end - start) / 1e9,
        "attributes": attributes_of(span),
        "events": [
            {"name": event.get("name", ""), "attributes": attributes_of(event)} for event in span.get("events", ())
        ],
    }
