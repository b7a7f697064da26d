"""One HTML file with everything in it: the page, its program, and the spans."""

import base64
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from otel_callbacks import semconv
from otel_callbacks._content.json import encode
from otel_callbacks.cli._report.reading import Span

MOST_BYTES: Final = 50_000_000
"""Of a page's data; browsers take several times as much memory."""

_FOLDER = Path(__file__).parent
_KINDS: dict[int | str, str] = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}
_STATUS: dict[int | str, str] = {0: "", 1: "ok", 2: "error"}
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


class TooLargeError(Exception):
    """The page would have more than `MOST_BYTES`."""


def page(spans: Iterable[Span]) -> bytes:
    """Return the whole page in UTF-8. What a span holds becomes text in it, never markup or program.

    Raises:
        TooLargeError: The spans are too many, or too large.
    """
    script = (_FOLDER / "page.js").read_text(encoding="utf-8").replace("{{NAMES}}", json.dumps(_NAMES))
    # The page's content security policy runs the script with this hash and no other.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    text = (_FOLDER / "page.html").read_text(encoding="utf-8")
    before, after = text.split("{{DATA}}")
    # The data is inserted last and never searched: a span may contain the placeholders.
    before, after = before.replace("{{SCRIPT_HASH}}", f"sha256-{digest}"), after.replace("{{SCRIPT}}", script)
    return b"".join((before.encode(), _data(spans), after.encode()))


class _Trace:
    """A trace whose spans are text already, which takes a tenth of the memory of what they are made from."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.start_ns = 2**64
        # One growing buffer: a text of its own for each span keeps twice the memory that it fills.
        self.spans = bytearray()


def _data(spans: Iterable[Span]) -> bytes:
    """Return the JSON of all traces with their spans, the newest trace first."""
    traces: dict[str, _Trace] = {}
    size = 0
    for span in spans:
        trace = traces.setdefault(span.trace_id, _Trace(span.service))
        trace.start_ns = min(trace.start_ns, span.start_ns)
        entry = _json(_entry(span))
        trace.spans += b"," + entry if trace.spans else entry
        size += len(entry)
        if size > MOST_BYTES:
            raise TooLargeError
    newest_first = sorted(traces.items(), key=lambda entry: -entry[1].start_ns)
    return b"[%b]" % b",".join(
        b'{"id":%b,"service":%b,"spans":[%b]}' % (_json(trace_id), _json(trace.service), bytes(trace.spans))
        for trace_id, trace in newest_first
    )


def _json(value: Any) -> bytes:
    # Without "<", data can neither end its element nor begin a comment.
    return encode(value).replace(b"<", b"\\u003c")


def _entry(span: Span) -> dict[str, Any]:
    code = span.status
    return {
        "id": span.span_id,
        "parent": span.parent_id,
        "name": span.name,
        "kind": _KINDS.get(span.kind, str(span.kind)),
        "status": " ".join(filter(None, (_STATUS.get(code, str(code)), span.status_message))),
        "failed": span.is_error,
        "start": span.start_ns / 1e9,
        "seconds": span.duration_s,
        "attributes": span.attributes,
        "events": [{"name": event.name, "attributes": event.attributes} for event in span.events],
    }
