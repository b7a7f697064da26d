"""The checks of ``--fleet``: what matters only when many processes send to gateways and tail samplers."""

import os
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID

from otel_callbacks._setup.exporters import DEFAULT_BATCHES
from otel_callbacks._setup.sampling import sampler_name
from otel_callbacks.cli._doctor.findings import Finding

_QUEUE, _BATCH = "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"
_DEFAULTS: Final = {_QUEUE: DEFAULT_BATCHES["max_queue_size"], _BATCH: DEFAULT_BATCHES["max_export_batch_size"]}
_BATCHES_IN_A_QUEUE: Final = 4
"""One batch is being sent, one waits for it, and two more are for a burst."""
_TIMEOUTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
_DEFAULT_TIMEOUT_S: Final = 10.0
# The specification counts milliseconds, Python's exporters seconds: 10000 means nearly three hours.
_SHORTEST_TIMEOUT_S, _LONGEST_TIMEOUT_S = 2.0, 60.0
_EXPECTED: Final = ("service.version", "deployment.environment.name")


def findings() -> Iterator[Finding]:
    """Check identity, queue, time limit and sampling as the standard variables set them."""
    attributes = _resource_attributes()
    yield from _instances(attributes)
    yield from _resource(attributes)
    yield from _queue()
    yield from _timeout()
    yield from _sampling()


def _resource_attributes() -> dict[str, str]:
    # The specification has values percent-encoded, as in W3C Baggage.
    pairs = (entry.partition("=") for entry in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","))
    return {key.strip(): unquote(value.strip()) for key, _, value in pairs if value.strip()}


def _instances(attributes: dict[str, str]) -> Iterator[Finding]:
    instance = attributes.get(SERVICE_INSTANCE_ID)
    if instance is not None:
        text = f"all processes that start here have service.instance.id={instance}: their metrics overwrite each other"
        fix = "remove service.instance.id from OTEL_RESOURCE_ATTRIBUTES: setup() gives each process its own"
        yield Finding("warning", "Processes look alike", text, fix)
    else:
        text = "setup() gives each process, including forked ones, a service.instance.id of its own"
        yield Finding("ok", "Processes look alike", text)


def _resource(attributes: dict[str, str]) -> Iterator[Finding]:
    missing = [name for name in _EXPECTED if name not in attributes]
    if missing:
        text = f"no {' and no '.join(missing)}: releases and environments cannot be told apart"
        fix = f"OTEL_RESOURCE_ATTRIBUTES={','.join(f'{name}=...' for name in missing)}"
        yield Finding("warning", "Releases look alike", text, fix)
    else:
        yield Finding("ok", "Releases look alike", ", ".join(f"{name}={attributes[name]}" for name in _EXPECTED))


def _queue() -> Iterator[Finding]:
    sizes = {}
    for variable, default in _DEFAULTS.items():
        value = os.environ.get(variable, "").strip()
        sizes[variable] = int(value) if value.isdecimal() and int(value) else default
        if value and str(sizes[variable]) != value:
            text = f"{variable}={value} is not a number of spans above 0"
            yield Finding("wrong", "Queue and batches", text, f"unset {variable}, or set {default}")
    queue, batch = sizes[_QUEUE], sizes[_BATCH]
    if batch > queue:
        text = f"batches of {batch} spans do not fit into a queue of {queue}: the SDK rejects both"
        yield Finding("wrong", "Queue and batches", text, f"set {_QUEUE}={batch * _BATCHES_IN_A_QUEUE}")
    elif queue < batch * _BATCHES_IN_A_QUEUE:
        text = f"a queue of {queue} spans is less than {_BATCHES_IN_A_QUEUE} batches of {batch}: bursts are dropped"
        yield Finding("warning", "Queue and batches", text, f"set {_QUEUE}={batch * _BATCHES_IN_A_QUEUE}")
    else:
        text = f"a queue of {queue} spans, batches of {batch}: room for {queue / 100:.0f} s at 100 spans per second"
        yield Finding("ok", "Queue and batches", text)


def _timeout() -> Iterator[Finding]:
    variable = next((name for name in _TIMEOUTS if os.environ.get(name, "").strip()), "")
    value = os.environ.get(variable, "").strip() or str(_DEFAULT_TIMEOUT_S)
    try:
        timeout = float(value)
    except ValueError:
        yield Finding("wrong", "Export timeout", f"{variable}={value} is not a number of seconds", f"unset {variable}")
        return
    if _SHORTEST_TIMEOUT_S <= timeout <= _LONGEST_TIMEOUT_S:
        yield Finding("ok", "Export timeout", f"an export may take {timeout:g} s, retries included")
        return
    if timeout > _LONGEST_TIMEOUT_S:
        text = f"{variable}={value}: Python reads seconds, so one export may block all others for {timeout:g} s"
    else:
        text = f"{variable}={value}: {timeout:g} s is shorter than a gateway's restart"
    yield Finding("warning", "Export timeout", text, f"set {variable}={_DEFAULT_TIMEOUT_S:g}, or unset it")


def _sampling() -> Iterator[Finding]:
    sampler = sampler_name()
    if "traceidratio" not in sampler and "always_off" not in sampler:
        yield Finding("ok", "Sampling before the samplers", "tail samplers see every trace that starts here")
        return
    text = f"OTEL_TRACES_SAMPLER={sampler}: tail samplers never see what is dropped here, failed or not; "
    if sampler.startswith("parentbased"):
        text += "span metrics count too little"
    else:
        text += "traces have holes where services disagree, and span metrics count too little"
    yield Finding("warning", "Sampling before the samplers", text, "unset OTEL_TRACES_SAMPLER: the samplers choose")
