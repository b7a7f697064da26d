"""A model server on loopback that keeps the trace headers of its requests, and OpenAI clients that send them."""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple

import pytest
from opentelemetry import propagate
from opentelemetry.trace import SpanKind, Tracer, TracerProvider

from otel_callbacks.cli._demo import server


class ModelServer(NamedTuple):
    url: str
    traceparents: list[str | None]
    """The ``traceparent`` header of each request, in order."""

    def callers(self) -> list[str | None]:
        """Return the span ids that the headers name, in order."""
        return [header and header.split("-")[2] for header in self.traceparents]

    @asynccontextmanager
    async def model(self, tracer_provider: TracerProvider) -> AsyncIterator[Any]:
        """Make a ``ChatOpenAI`` whose requests OpenTelemetry traces."""
        langchain_openai = pytest.importorskip("langchain_openai")
        openai = pytest.importorskip("openai")
        with openai.DefaultHttpxClient(trust_env=False) as client:
            async with openai.DefaultAsyncHttpxClient(trust_env=False) as async_client:
                yield langchain_openai.ChatOpenAI(
                    model="gpt-4o-mini",
                    base_url=f"{self.url}/v1",
                    api_key="k",
                    max_retries=0,
                    openai_proxy="",
                    stream_usage=True,
                    http_client=_traced(client, tracer_provider),
                    http_async_client=_traced(async_client, tracer_provider),
                )


@contextmanager
def serve() -> Iterator[ModelServer]:
    """Run the demo's model server until the block ends."""
    traceparents: list[str | None] = []

    class Handler(server._Handler):
        def do_POST(self) -> None:  # noqa: N802 - the base class's name
            traceparents.append(self.headers.get("traceparent"))
            super().do_POST()

    with server._Server((server.HOST, 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield ModelServer(f"http://{server.HOST}:{running.server_address[1]}", traceparents)
        finally:
            running.shutdown()


def _traced(client: Any, tracer_provider: TracerProvider) -> Any:
    """Trace a client with OpenTelemetry's instrumentation of httpx, or by hand where it uses another library.

    Release 3 of the openai client replaced httpx by httpx2, which has no instrumentation.
    """
    httpx = pytest.importorskip("httpx")
    if isinstance(client, (httpx.Client, httpx.AsyncClient)):
        instrumentation = pytest.importorskip("opentelemetry.instrumentation.httpx")
        instrumentation.HTTPXClientInstrumentor().instrument_client(client, tracer_provider=tracer_provider)
    else:
        _trace_by_hand(client._transport, tracer_provider.get_tracer("http by hand"))
    return client


def _trace_by_hand(transport: Any, tracer: Tracer) -> None:
    if hasattr(transport, "handle_async_request"):
        send = transport.handle_async_request

        async def handle_async_request(request: Any) -> Any:
            with tracer.start_as_current_span("POST", kind=SpanKind.CLIENT):
                propagate.inject(request.headers)
                return await send(request)

        transport.handle_async_request = handle_async_request
    else:
        send = transport.handle_request

        def handle_request(request: Any) -> Any:
            with tracer.start_as_current_span("POST", kind=SpanKind.CLIENT):
                propagate.inject(request.headers)
                return send(request)

        transport.handle_request = handle_request
