"""Other tracers for LangChain, set up as their documentation says, on the providers of the benchmark."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

from langchain_core.callbacks import BaseCallbackHandler

from benchmarks.providers import Drop, Providers

Activate = Callable[[bool], None]
_Capture = Literal["content", "no content"]
_SETTLED_S = 30.0
_CAPTURE_VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


class Peer(NamedTuple):
    """A package, and how it is attached."""

    requirement: str
    statement: str
    """The statement that imports it."""
    attach: Callable[[Providers, _Capture], list[BaseCallbackHandler]]
    """Returns handlers; an empty list if the package patches LangChain."""


def attach(name: str, providers: Providers, *, capture: bool) -> tuple[list[BaseCallbackHandler], Activate]:
    """Set up the peer; it is inactive until the returned function is called with true."""
    before = dict(_attributes())
    handlers = PEERS[name].attach(providers, "content" if capture else "no content")
    patches = [
        (place, key, before[place, key], value)
        for (place, key), value in _attributes()
        if (place, key) in before and before[place, key] is not value
    ]

    def activate(active: bool) -> None:  # noqa: FBT001 - one argument, read as a sentence
        for place, key, original, patched in patches:
            setattr(place, key, patched if active else original)

    activate(False)
    return handlers, activate


def _attributes() -> Iterator[tuple[tuple[Any, str], Any]]:
    """Yield every function and method of LangChain, which an instrumentor may have replaced."""
    modules = [module for name, module in list(sys.modules.items()) if name.startswith(("langchain", "langgraph"))]
    for module in modules:
        for key, value in list(vars(module).items()):
            if callable(value):
                yield (module, key), value
            if isinstance(value, type) and value.__module__ == module.__name__:
                yield from (((value, method), member) for method, member in list(vars(value).items()))


def _genai(providers: Providers, capture: _Capture) -> list[BaseCallbackHandler]:
    os.environ[_CAPTURE_VARIABLE] = "span_only" if capture == "content" else "no_content"
    from opentelemetry.instrumentation.genai.langchain import LangChainInstrumentor  # type: ignore[import-not-found]

    _instrument(LangChainInstrumentor(), providers)
    return []


def _traceloop(providers: Providers, capture: _Capture) -> list[BaseCallbackHandler]:
    os.environ["TRACELOOP_TRACE_CONTENT"] = str(capture == "content").lower()
    from opentelemetry.instrumentation.langchain import LangchainInstrumentor  # type: ignore[import-not-found]

    _instrument(LangchainInstrumentor(), providers)
    return []


def _openinference(providers: Providers, capture: _Capture) -> list[BaseCallbackHandler]:
    for name in ("INPUTS", "OUTPUTS"):
        os.environ[f"OPENINFERENCE_HIDE_{name}"] = str(capture == "no content").lower()
    from openinference.instrumentation.langchain import LangChainInstrumentor  # type: ignore[import-not-found]

    _instrument(LangChainInstrumentor(), providers)
    return []


def _instrument(instrumentor: Any, providers: Providers) -> None:
    instrumentor.instrument(
        tracer_provider=providers.tracer_provider, meter_provider=providers.meter_provider, skip_dep_check=True
    )


def _langfuse(providers: Providers, _: _Capture) -> list[BaseCallbackHandler]:
    from langfuse import Langfuse  # type: ignore[import-not-found]
    from langfuse.langchain import CallbackHandler  # type: ignore[import-not-found]

    Langfuse(
        public_key="pk-lf-benchmark", secret_key="none",  # noqa: S106 - nothing is sent
        base_url="http://127.0.0.1:9", tracer_provider=providers.tracer_provider, span_exporter=Drop(),
    )  # fmt: skip
    return [CallbackHandler(public_key="pk-lf-benchmark")]


def _langsmith(providers: Providers, _: _Capture) -> list[BaseCallbackHandler]:
    from langchain_core.tracers import LangChainTracer
    from langsmith import Client

    client = Client(
        api_url="http://127.0.0.1:9", api_key="none", tracing_mode="otel",
        otel_tracer_provider=providers.tracer_provider, info={},
    )  # fmt: skip
    providers.settle = partial(client.flush, timeout=_SETTLED_S)  # without a time limit it may wait for ever
    return [LangChainTracer(client=client)]


def _azure(providers: Providers, capture: _Capture) -> list[BaseCallbackHandler]:
    from langchain_azure_ai.callbacks.tracers import AzureAIOpenTelemetryTracer  # type: ignore[import-not-found]
    from opentelemetry import metrics, trace

    trace.set_tracer_provider(providers.tracer_provider)
    metrics.set_meter_provider(providers.meter_provider)
    return [AzureAIOpenTelemetryTracer(enable_content_recording=capture == "content")]


PEERS: Mapping[str, Peer] = {
    "genai": Peer(
        "opentelemetry-instrumentation-genai-langchain",
        "from opentelemetry.instrumentation.genai.langchain import LangChainInstrumentor",
        _genai,
    ),
    "traceloop": Peer(
        "opentelemetry-instrumentation-langchain",
        "from opentelemetry.instrumentation.langchain import LangchainInstrumentor",
        _traceloop,
    ),
    "openinference": Peer(
        "openinference-instrumentation-langchain",
        "from openinference.instrumentation.langchain import LangChainInstrumentor",
        _openinference,
    ),
    "langfuse": Peer(
        "langfuse",
        "from langfuse.langchain import CallbackHandler",
        _langfuse,
    ),
    "langsmith": Peer(
        "langsmith[otel]",
        "from langsmith import Client; from langchain_core.tracers import LangChainTracer",
        _langsmith,
    ),
    "azure": Peer(
        "langchain-azure-ai[opentelemetry]",
        "from langchain_azure_ai.callbacks.tracers import AzureAIOpenTelemetryTracer",
        _azure,
    ),
}
"""Name in the tables -> tracer."""
