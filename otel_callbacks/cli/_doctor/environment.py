"""Installed versions, and what else traces in this environment."""

import os
import platform
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distributions, version

from otel_callbacks._setup.sampling import sampler_name
from otel_callbacks._version import __version__
from otel_callbacks.cli._doctor.findings import Finding
from otel_callbacks.config import sdk_disabled

_PACKAGES = ("langchain-core", "langgraph", "opentelemetry-sdk", "opentelemetry-exporter-otlp")
_MINIMUM = {"langchain-core": (0, 3, 60), "opentelemetry-sdk": (1, 35)}
_INSTRUMENTORS = "opentelemetry_instrumentor"
_TRUE = {"1", "true"}
_TRACING_THEMSELVES = {
    "LANGSMITH_TRACING": "LangSmith sends every run to its own service",
    "LANGCHAIN_TRACING_V2": "LangSmith sends every run to its own service",
    "LANGSMITH_OTEL_ENABLED": "LangSmith also makes OpenTelemetry spans of every run",
}


def findings() -> Iterator[Finding]:
    """Check what is installed, and the variables that switch telemetry on and off."""
    yield from _versions()
    if sdk_disabled():
        text = "OTEL_SDK_DISABLED is set: nothing is recorded"
        yield Finding("wrong", "Telemetry is switched off", text, "unset OTEL_SDK_DISABLED")
    if not os.environ.get("OTEL_SERVICE_NAME") and "service.name" not in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        text = "no service name: telemetry comes from 'unknown_service'"
        yield Finding("warning", "No service name", text, "set OTEL_SERVICE_NAME, or setup('my-app')")
    yield from _sampling()
    yield from _others()


def _versions() -> Iterator[Finding]:
    yield Finding("ok", "Versions", f"otel-callbacks {__version__}, Python {platform.python_version()}")
    for package in _PACKAGES:
        try:
            installed = version(package)
        except PackageNotFoundError:
            continue
        minimum = _MINIMUM.get(package)
        if minimum is not None and _numbers(installed) < minimum:
            required = ".".join(map(str, minimum))
            text = f"{package} {installed} is older than {required}"
            yield Finding("wrong", "Versions", text, f"pip install --upgrade '{package}>={required}'")
        else:
            yield Finding("ok", "Versions", f"{package} {installed}")


def _numbers(text: str) -> tuple[int, ...]:
    # The last part of a pre-release, such as 0rc1, does not count.
    return tuple(int(part) for part in text.split(".") if part.isdecimal())


def _sampling() -> Iterator[Finding]:
    sampler = sampler_name()
    if "always_off" in sampler:
        text = f"OTEL_TRACES_SAMPLER={sampler}: no span is recorded; metrics are complete"
        yield Finding("warning", "Sampling", text, "unset OTEL_TRACES_SAMPLER")
    elif "traceidratio" in sampler:
        ratio = os.environ.get("OTEL_TRACES_SAMPLER_ARG", "1")
        yield Finding("ok", "Sampling", f"{ratio} of all traces are recorded; metrics are complete")
    elif sampler:
        yield Finding("ok", "Sampling", f"traces are sampled by {sampler}")
    else:
        yield Finding("ok", "Sampling", "every trace is recorded")


def _others() -> Iterator[Finding]:
    names = {str(package.metadata["Name"]).lower() for package in distributions() if _instruments_langchain(package)}
    others = sorted(names - {"otel-callbacks"})
    if others:
        text = f"LangChain may also be instrumented by {', '.join(others)}: every run would have several spans"
        fix = f"use one of them: pip uninstall {others[0]}, or do not call its instrument()"
        yield Finding("warning", "Another instrumentation of LangChain", text, fix)
    for variable, what in _TRACING_THEMSELVES.items():
        if os.environ.get(variable, "").strip().lower() in _TRUE:
            text = f"{variable} is set: {what}"
            yield Finding("warning", "SDKs that trace themselves", text, f"unset {variable} unless you want that")


def _instruments_langchain(package: Distribution) -> bool:
    # By the value, which is the module to load; the entry's name is free.
    return any(
        entry.group == _INSTRUMENTORS and ("langchain" in entry.value.lower() or "langgraph" in entry.value.lower())
        for entry in package.entry_points
    )
