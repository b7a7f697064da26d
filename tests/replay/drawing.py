"""Exported spans as text for golden files, without what differs from run to run."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan

_VALUE_VARIES = frozenset(
    {"gen_ai.response.time_to_first_chunk", "otel_callbacks.time_to_first_visible_chunk", "exception.stacktrace"}
)


def draw(spans: Sequence[ReadableSpan]) -> str:
    """Draw a line per span with its kind and status, children indented; below it attributes, events and links."""
    ordered = sorted(spans, key=lambda span: span.start_time or 0)
    names = {span.context.span_id: span.name for span in spans}
    roots = [span for span in ordered if _parent(span) not in names]
    return "".join(f"{line}\n" for root in roots for line in _lines(root, ordered, names))


def _lines(span: ReadableSpan, spans: Sequence[ReadableSpan], names: dict[int, str]) -> Iterator[str]:
    status = "" if span.status.is_unset else f" {span.status.status_code.name} {span.status.description!r}"
    yield f"{span.name} ({span.kind.name}){status}"
    for text in _texts(span.attributes):
        yield f"    {text}"
    for event in span.events:
        yield f"    event {event.name}: {', '.join(_texts(event.attributes))}"
    for link in span.links:
        yield f"    link to {names.get(link.context.span_id, '?')}: {dict(link.attributes or {})}"
    for child in spans:
        if _parent(child) == span.context.span_id:
            yield from (f"  {line}" for line in _lines(child, spans, names))


def _parent(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent is not None else None


def _texts(attributes: Mapping[str, Any] | None) -> list[str]:
    return [_text(key, value) for key, value in sorted((attributes or {}).items())]


def _text(key: str, value: Any) -> str:
    if key in _VALUE_VARIES:
        return f"{key} is present"
    return f"{key} = {list(value) if isinstance(value, tuple) else value!r}"
