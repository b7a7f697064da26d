"""What the SDK exported, in the OTLP/JSON form that the checker reads."""

from collections.abc import Iterator
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from tests.support.recorded_spans import RecordedSpans


def documents(telemetry: RecordedSpans) -> Iterator[dict[str, Any]]:
    """Yield one document with all spans, one with all log events, one with all metrics."""
    yield MessageToDict(encode_spans(telemetry.spans))
    yield MessageToDict(encode_logs(telemetry.log_exporter.get_finished_logs()))
    data = telemetry.reader.get_metrics_data()
    if data is not None:
        yield MessageToDict(encode_metrics(data))
