"""What only matters where many processes send to gateways and tail samplers: the checks of ``--fleet``."""

import os
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID

from otel_callbacks._setup.sampling import sampler_name
from otel_callbacks.cli._doctor.findings import Finding

_QUEUE, _BATCH = "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"
_DEFAULTS: Final = {_QUEUE: 2048, _BATCH: 512}
_BATCHES_IN_A_QUEUE: Final = 4
"""One is being sent, one waits for it, and as much again for a burst."""
_TIMEOUTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
_DEFAULT_TIMEOUT_S: Final = 10.0
_SHORTEST_TIMEOUT_S, _LONGEST_TIMEOUT_S = 2.0, 60.0
_WANTED: Final = ("service.version", "deployment.environment.name")


def findings() -> Iterator[Finding]:
    """Look at identity, queue, time limit and sampling as the standard variables set them."""
    attributes = _resource_attributes()
    yield from _instances(attributes)
    yield from _resource(attributes)
    yield from _queue()
    yield from _timeout()
    yield from _sampling()


def _resource_attributes() -> dict[str, str]:
    pairs = (entry.partition("=") for entry in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","))
    return {key.strip(): unquote(value.strip()) for key, _, value in pairs if value.strip()}


def _instances(attributes: dict[str, str]) -> Iterator[Finding]:
    given = attributes.get(SERVICE_INSTANCE_ID)
    if given is not None:
        text = f"service.instance.id={given} for all processes that start with it: their metrics overwrite each other"
        fix = "take service.instance.id out of OTEL_RESOURCE_ATTRIBUTES: setup() gives each process its own"
        yield Finding("warning", "Processes look alike", text, fix)
    else:
        text = "setup() gives each process, forked ones too, a service.instance.id of its own"
        yield Finding("ok", "Processes look alike", text)


def _resource(attributes: dict[str, str]) -> Iterator[Finding]:
    missing = [name for name in _WANTED if name not in attributes]
    if missing:
        text = f"no {' and no '.join(missing)}: releases and environments cannot be told apart"
        fix = f"OTEL_RESOURCE_ATTRIBUTES={','.join(f'{name}=...' for name in missing)}"
        yield Finding("warning", "Releases look alike", text, fix)
    else:
        yield Finding("ok", "Releases look alike", ", ".join(f"{name}={attributes[name]}" for name in _WANTED))


def _queue() -> Iterator[Finding]:
    sizes = {}
    for variable, default in _DEFAULTS.items():
        given = os.environ.get(variable, "").strip()
        sizes[variable] = int(given) if given.isdecimal() and int(given) else default
        if given and str(sizes[variable]) != given:
            text = f"{variable}={given} is no number of spans above 0"
            yield Finding("wrong", "Queue and batches", text, f"unset {variable}, or set {default}")
    queue, batch = sizes[_QUEUE], sizes[_BATCH]
    if batch > queue:
        text = f"batches of {batch} spans do not fit into a queue of {queue}: the SDK refuses both"
        yield Finding("wrong", "Queue and batches", text, f"set {_QUEUE}={batch * _BATCHES_IN_A_QUEUE}")
    elif queue < batch * _BATCHES_IN_A_QUEUE:
        text = f"a queue of {queue} spans is less than {_BATCHES_IN_A_QUEUE} batches of {batch}: bursts are dropped"
        yield Finding("warning", "Queue and batches", text, f"set {_QUEUE}={batch * _BATCHES_IN_A_QUEUE}")
    else:
        text = f"a queue of {queue} spans, batches of {batch}: {queue / 100:.0f} s of 100 spans each"
        yield Finding("ok", "Queue and batches", text)


def _timeout() -> Iterator[Finding]:
    variable = next((name for name in _TIMEOUTS if os.environ.get(name, "").strip()), "")
    given = os.environ.get(variable, "").strip() or str(_DEFAULT_TIMEOUT_S)
    try:
        timeout = float(given)
    except ValueError:
        yield Finding("wrong", "Export timeout", f"{variable}={given} is no number of seconds", f"unset {variable}")
        return
    if _SHORTEST_TIMEOUT_S <= timeout <= _LONGEST_TIMEOUT_S:
        yield Finding("ok", "Export timeout", f"an export may take {timeout:g} s, retries included")
        return
    if timeout > _LONGEST_TIMEOUT_S:
        text = f"{variable}={given}: Python reads seconds, so one export may block all others for {timeout:g} s"
    else:
        text = f"{variable}={given}: {timeout:g} s are over before a gateway that restarts is back"
    yield Finding("warning", "Export timeout", text, f"set {variable}={_DEFAULT_TIMEOUT_S:g}, or unset it")


def _sampling() -> Iterator[Finding]:
    sampler = sampler_name()
    if "traceidratio" not in sampler and "always_off" not in sampler:
        yield Finding("ok", "Sampling before the samplers", "tail samplers see every trace that starts here")
        return
    text = f"OTEL_TRACES_SAMPLER={sampler}: tail samplers never see what is left out here, failed or not; "
    if sampler.startswith("parentbased"):
        text += "span metrics count less than there is"
    else:
        text += "traces have holes where services disagree, and span metrics count less than there is"
    yield Finding("warning", "Sampling before the samplers", text, "unset OTEL_TRACES_SAMPLER: the samplers choose")
