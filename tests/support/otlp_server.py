"""OTLP receivers on loopback, over HTTP and gRPC, that keep what they receive."""

import gzip
import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc as logs_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as traces_grpc

REQUESTS = {
    "/v1/traces": traces.ExportTraceServiceRequest,
    "/v1/metrics": metrics.ExportMetricsServiceRequest,
    "/v1/logs": logs.ExportLogsServiceRequest,
}


class Received:
    """What a receiver got, over either protocol.

    Attributes:
        url: The receiver's base address.
        requests: The accepted exports in the order of arrival.
        headers: The latest HTTP headers by path, or the latest gRPC metadata by the name of the request's type.
        clients: The addresses of the connections that carried HTTP requests, by path.
    """

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Any] = []
        self.headers: dict[str, dict[str, str]] = {}
        self.clients: defaultdict[str, set[Any]] = defaultdict(set)

    def resources(self) -> list[dict[str, str]]:
        """Return the text attributes of every resource, in the order of arrival."""
        return [
            {pair.key: pair.value.string_value for pair in batch.resource.attributes}
            for request in self.requests
            for batch in _batches(request)
        ]

    def names(self) -> list[str]:
        """Return the names of all spans, then those of the metrics, each once, then the bodies of all log records."""
        bodies = [record.body.string_value for scope in self._scopes("scope_logs") for record in scope.log_records]
        metrics = {metric.name for metric in self.metrics()}
        return [*sorted(span.name for span in self.spans()), *sorted(metrics), *sorted(bodies)]

    def spans(self) -> list[Any]:
        """Return every span."""
        return [span for scope in self._scopes("scope_spans") for span in scope.spans]

    def metrics(self) -> list[Any]:
        """Return every metric of every export."""
        return [metric for scope in self._scopes("scope_metrics") for metric in scope.metrics]

    def _scopes(self, field: str) -> list[Any]:
        return [
            scope for request in self.requests for batch in _batches(request) for scope in getattr(batch, field, ())
        ]


def _batches(request: Any) -> Any:
    for name in ("resource_spans", "resource_metrics", "resource_logs"):
        if hasattr(request, name):
            return getattr(request, name)
    raise TypeError(request)


class _Server(ThreadingTCPServer):
    daemon_threads = True


@contextmanager
def http_server(status: int = 200) -> Iterator[Received]:
    """Answer every export with this status, and keep it if that is 200."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            received.headers[self.path] = dict(self.headers.items())
            received.clients[self.path].add(self.client_address)
            if status == 200:
                received.requests.append(REQUESTS[self.path].FromString(body))
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

    with _Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        received.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield received
        server.shutdown()
        thread.join()


@contextmanager
def grpc_server() -> Iterator[Received]:
    """Accept every export."""
    received = Received()

    def service(base: Any, response: Any) -> Any:
        def export(_: Any, request: Any, context: Any) -> Any:
            received.requests.append(request)
            received.headers[type(request).__name__] = dict(context.invocation_metadata())
            return response()

        return type("Service", (base,), {"Export": export})()

    server = grpc.server(ThreadPoolExecutor(4))
    servicer = service(traces_grpc.TraceServiceServicer, traces.ExportTraceServiceResponse)
    traces_grpc.add_TraceServiceServicer_to_server(servicer, server)
    servicer = service(metrics_grpc.MetricsServiceServicer, metrics.ExportMetricsServiceResponse)
    metrics_grpc.add_MetricsServiceServicer_to_server(servicer, server)
    servicer = service(logs_grpc.LogsServiceServicer, logs.ExportLogsServiceResponse)
    logs_grpc.add_LogsServiceServicer_to_server(servicer, server)
    received.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield received
    server.stop(None).wait()
